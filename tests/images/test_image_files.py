import logging
import os
import zlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.image_files import Sidecars, image_files, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)


def found(folder) -> list[str]:
    return [path.as_posix() for path in image_files(folder)]


def test_images_are_found_in_all_folders_and_in_order(tmp_path):
    for name in ("b/2.png", "b/1.JPG", "a.gif", "b/c/3.tiff", "b.webp", "manifest.csv", ".hidden.png", ".git/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert found(tmp_path) == ["a.gif", "b.webp", "b/1.JPG", "b/2.png", "b/c/3.tiff"]


def test_links_out_of_the_folder_and_round_in_circles_are_not_followed(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret.png").write_bytes(b"")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "own.png").write_bytes(b"")
    (inside / "link_to_own.png").symlink_to("own.png")
    (inside / "stolen.png").symlink_to(tmp_path / "outside/secret.png")
    (inside / "folder").symlink_to(tmp_path / "outside", target_is_directory=True)
    (inside / "circle").symlink_to(inside, target_is_directory=True)
    (inside / "dangling.png").symlink_to("nowhere.png")
    os.mkfifo(inside / "pipe.png")
    assert found(inside) == ["link_to_own.png", "own.png"]
    (tmp_path / "alias").symlink_to(inside)  # the folder itself may be a link
    assert found(tmp_path / "alias") == ["link_to_own.png", "own.png"]


def test_what_is_left_out_is_told_once_by_kind(tmp_path, caplog):
    (tmp_path / "in").mkdir()
    for name in (
        "a.JFIF",
        "b.jpe",
        "c.jfi",
        "d.heic",
        "e.HEIC",
        "f.txt",
        "g.avif",
        "README",
        ".h.heic",
        f"i.{'x' * 20}",
    ):
        (tmp_path / "in" / name).write_bytes(b"")
    (tmp_path / "outside.png").write_bytes(b"")
    (tmp_path / "in/out.png").symlink_to("../outside.png")
    (tmp_path / "in/dead.png").symlink_to("nowhere.png")
    (tmp_path / "in/round.png").symlink_to("round.png")
    (tmp_path / "in/folder").symlink_to(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert found(tmp_path / "in") == found(tmp_path / "in") == ["a.JFIF", "b.jpe", "c.jfi"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/in: left out: 2 .heic, 1 .avif, 2 files without an ending, 2 links that lead to no file, 1 links "
        "to folders, which are not followed, 1 links to files outside of this folder; copy them, or list them in a CSV"
    ]
    left_out = Counter()
    within = image_files(tmp_path / "in", within=tmp_path, left_out=left_out)
    assert [path.name for path in within] == ["a.JFIF", "b.jpe", "c.jfi", "out.png"]
    assert left_out[".heic"] == 2
    assert len(caplog.records) == 1  # who counts tells


def test_endings_cannot_steer_the_terminal_nor_fill_it(tmp_path, caplog):
    for ending in ("\x1b[31m", *"abcdefgh"):
        (tmp_path / f"a.{ending}").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert found(tmp_path) == []
    assert "\x1b" not in caplog.text
    assert "and 3 kinds more" in caplog.text


def test_what_lies_beside_is_found_in_any_letters(tmp_path):
    for name in ("a.JPG", "a.TXT", "b.jpg", "b.txt", "b.TXT", "c.jpg"):
        (tmp_path / name).write_bytes(b"")
    sidecars = Sidecars()
    beside = [sidecars.of(tmp_path / name, ".txt").name for name in ("a.JPG", "b.jpg", "c.jpg")]
    assert beside == ["a.TXT", "b.txt", "c.txt"]
    assert Sidecars().of(tmp_path / "none/a.jpg", ".txt") == tmp_path / "none/a.txt"


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tiff", "a.webp"])
def test_a_lossless_file_gives_its_pixels(tmp_path, name):
    Image.fromarray(PIXELS).save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    assert np.array_equal(read_image(tmp_path / name), PIXELS)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_other_colours_become_rgb_as_in_training(tmp_path, mode):
    if mode == "I;16":
        image = Image.fromarray(np.array([[0, 257, 512, 65535]], dtype=np.uint16))
    else:
        image = Image.fromarray(PIXELS).convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path)
    pixels = read_image(path)
    assert np.array_equal(pixels, codec.decode(path.read_bytes()))
    if mode == "I;16":
        assert pixels[0, :, 0].tolist() == [0, 1, 1, 255]  # 257 / 257 = 1, 512 / 257 = 1.99, 65535 / 257 = 255


FLOATS = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (
            PIXELS[..., 0].astype(np.uint16),
            "too dark: 16-bit or float values that use less than 1/64 of the range; conv",
        ),
        (FLOATS, "too dark"),
        (FLOATS * np.nan, "too dark"),
    ],
)
def test_values_that_would_become_black_are_refused(tmp_path, values, reason):
    Image.fromarray(values).save(tmp_path / "a.tiff")
    with pytest.raises(BrokenImageError, match=reason):
        read_image(tmp_path / "a.tiff")


def test_floats_from_0_to_255_are_levels(tmp_path):
    Image.fromarray(FLOATS * 255).save(tmp_path / "a.tiff")
    assert np.abs(read_image(tmp_path / "a.tiff")[..., 1] - FLOATS * 255).max() <= 1


def test_what_is_black_in_8_bits_is_black(tmp_path):
    for number, mode in enumerate(("L", "RGB", "1", "P")):
        Image.new(mode, (8, 8)).save(tmp_path / f"{number}.png")
        assert read_image(tmp_path / f"{number}.png").max() == 0


def test_of_an_animation_the_first_picture_is_read(tmp_path):
    black, white = (Image.new("RGB", (3, 3), colour) for colour in ("black", "white"))
    black.save(tmp_path / "a.gif", save_all=True, append_images=[white])
    assert read_image(tmp_path / "a.gif").max() == 0


def test_a_photograph_that_was_taken_on_its_side_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(PIXELS, -1))


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (60_000, 60_000)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, width, height):
    (tmp_path / "bomb.png").write_bytes(png_of(width, height))  # 100,010,000 pixels are 10,000 too many
    with pytest.raises(BrokenImageError, match=r"pixels"):
        read_image(tmp_path / "bomb.png")


def test_the_limit_itself_is_read(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", largest_pixels=24).shape == (6, 4, 3)  # 6 * 4 = 24
    with pytest.raises(BrokenImageError, match=r"4 x 6 pixels are more than the 23 that are read"):
        read_image(tmp_path / "a.png", largest_pixels=23)


@pytest.mark.parametrize("fault", ["empty", "text", "truncated", "postscript"])
def test_what_is_no_whole_image_is_refused(tmp_path, fault):
    path = tmp_path / "a.png"
    Image.fromarray(np.tile(PIXELS, (20, 20, 1))).save(path)
    contents = {
        "empty": b"",
        "text": b"no image",
        "truncated": path.read_bytes()[:-200],
        "postscript": b"%!PS-Adobe-3.0",
    }
    path.write_bytes(contents[fault])
    with pytest.raises(BrokenImageError, match=r"not a whole image"):
        read_image(path)
