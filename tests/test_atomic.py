import os

import pytest

from retrieval_vs_diffusion.atomic import clear_partial, replacing


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("depth", ["new", "deep/er/new"])
def test_what_is_written_appears_when_it_is_whole(tmp_path, depth):
    path = tmp_path / depth
    with replacing(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
        assert partial.parent == path.parent  # on the same disk, so that moving it is one step
    assert path.read_text() == "whole"
    assert names(path.parent) == ["new"]


def test_a_folder_takes_the_place_of_a_folder_and_nothing_of_the_old_one_stays(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("")
    with replacing(tmp_path / "a") as partial:
        partial.mkdir()
        (partial / "new").write_text("")
    assert names(tmp_path / "a") == ["new"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_one_stands_and_nothing_is_left_over(tmp_path, error):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("kept")

    def write_half() -> None:
        with replacing(tmp_path / "a") as partial:
            partial.mkdir()
            (partial / "half").write_text("")
            raise error

    with pytest.raises(error):
        write_half()
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a" / "old").read_text() == "kept"


@pytest.mark.parametrize(("before", "after"), [("file", "folder"), ("folder", "file")])
def test_a_file_and_a_folder_may_take_each_others_place(tmp_path, before, after):
    for kind in (before, after):
        with replacing(tmp_path / "a") as partial:
            if kind == "file":
                partial.write_text("x")
            else:
                partial.mkdir()
    assert (tmp_path / "a").is_dir() == (after == "folder")


def test_what_is_written_lies_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    """After a power cut a name without content would be taken for whole."""
    happened: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        happened.append(("fsync", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))
        fsync(descriptor)

    def renamed(source, target):
        happened.append(("rename", os.path.basename(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    with replacing(tmp_path / "images") as partial:
        (partial / "deep").mkdir(parents=True)
        (partial / "deep" / "shard").write_text("x")
    part = f".images.{os.getpid()}.part"
    assert happened == [
        ("fsync", "shard"),
        ("fsync", "deep"),  # a folder after what it lists
        ("fsync", part),
        ("rename", "images"),
        ("fsync", tmp_path.name),  # and the new name itself
    ]


def test_what_a_killed_process_left_is_cleared_for_that_artifact_alone(tmp_path):
    for name in (".images.17.part", ".images[1].17.part", ".others.17.part", "images"):
        (tmp_path / name).write_text("")
    (tmp_path / ".images.18.part").mkdir()
    clear_partial(tmp_path / "images")
    assert names(tmp_path) == [".images[1].17.part", ".others.17.part", "images"]
    clear_partial(tmp_path / "images[1]")
    assert names(tmp_path) == [".others.17.part", "images"]
