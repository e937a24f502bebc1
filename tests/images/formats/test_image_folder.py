from retrieval_vs_diffusion.images.formats.image_folder import ImageFolder
from tests.images.made_collections import encoded, write


def test_all_images_with_captions_beside_them(tmp_path):
    write(tmp_path, {"b.jpg": encoded(0), "a/c.png": encoded(1), "a/c.txt": " a dog \n", "b.txt": "", "x.csv": "y"})
    samples = list(ImageFolder(tmp_path).samples())
    assert [(s.key, s.caption, s.image, s.label) for s in samples] == [
        ("a/c.png", "a dog", tmp_path / "a/c.png", None),
        ("b.jpg", None, tmp_path / "b.jpg", None),
    ]
    assert [entry.key for entry in ImageFolder(tmp_path).entries()] == ["a/c.png", "b.jpg"]
    assert [s.key for s in ImageFolder(tmp_path).samples({"b.jpg"})] == ["b.jpg"]
    assert ImageFolder(tmp_path).reads == (tmp_path,)


def test_a_folder_called_like_a_caption_is_none(tmp_path):
    write(tmp_path, {"b.jpg": encoded(0), "b.txt/inside": ""})
    assert [s.caption for s in ImageFolder(tmp_path).samples()] == [None]
