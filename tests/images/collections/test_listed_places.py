from pathlib import Path

from retrieval_vs_diffusion.images.collections import listed_places
from retrieval_vs_diffusion.images.collections.listed_places import places_read

LIST = Path("/set/list.csv")


def test_no_place_lies_within_another():
    keys = ["a/b/1.png", "a/2.png", "c.png", "/set/a/x/3.png", "/other/deep/4.png", "/other/5.png", "/other2/6.png"]
    expected = ("/other", "/other2", "/set/a", "/set/c.png")
    assert places_read(LIST, keys) == (LIST, *map(Path, expected))


def test_of_many_images_beside_the_list_the_folder_counts(monkeypatch):
    monkeypatch.setattr(listed_places, "_SINGLE_FILES", 2)
    assert places_read(LIST, ["1.png", "2.png", "a/3.png"]) == (
        LIST,
        *map(Path, ("/set/1.png", "/set/2.png", "/set/a")),
    )
    assert places_read(LIST, ["1.png", "2.png", "3.png", "a/3.png", "/b/4.png"]) == (LIST, Path("/b"), Path("/set"))
