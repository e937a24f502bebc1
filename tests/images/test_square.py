import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.square import decoded_square, square


def test_a_fitting_image_stays_as_it_is():
    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    assert square(pixels, 16) is pixels


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (100, 33), (3, 5), (1, 1)])
def test_any_shape_becomes_a_square(shape):
    assert square(np.zeros((*shape, 3), np.uint8), 16).shape == (16, 16, 3)


def test_the_centre_is_kept():
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = 255  # black, white, black: thirds of 16 pixels
    assert (square(wide, 16) == 255).all()


def photograph(width: int, height: int) -> bytes:
    """A JPEG of smooth shades, as photographs have them."""
    down, across = np.mgrid[0:height, 0:width] / height
    shades = np.stack([np.sin(5 * down), np.cos(7 * across), np.sin(3 * (down + across))], axis=-1)
    return codec.encode((127.5 * (shades + 1)).astype(np.uint8))


@pytest.mark.parametrize(
    ("shape", "decoded"),
    [
        ((96, 64), (96, 64)),  # 64 is less than twice 33
        ((132, 66), (66, 33)),  # a half: just the 33 that are asked for
        ((400, 132), (100, 33)),  # a quarter
        ((400, 131), (200, 66)),  # a quarter would leave 32.75
        ((1200, 1056), (150, 132)),  # an eighth, the least there is
    ],
)
def test_a_draft_never_has_fewer_pixels_than_are_asked_for(shape, decoded):
    pixels, whole = codec.decode_draft(photograph(*shape), 33)
    assert (pixels.shape[1], pixels.shape[0]) == decoded
    assert whole == shape


def test_a_large_jpeg_becomes_nearly_the_square_that_all_its_pixels_make():
    data = photograph(300, 200)
    whole, quick = square(codec.decode(data), 40).astype(int), decoded_square(data, 40).astype(int)
    assert not np.array_equal(whole, quick)
    assert np.abs(whole - quick).mean() < 1  # of 255 shades
    assert np.abs(whole - quick).max() <= 6


@pytest.mark.parametrize("width", [1364, 1365])  # of which a quarter is 341, or 341 and a part of one more
def test_a_draft_whose_last_pixels_are_parts_of_one_is_not_stretched(width):
    stripes = 127.5 * (1 + np.sin(np.arange(width) * 2 * np.pi / 24))  # 24 pixels each, five in the square
    data = codec.encode(np.broadcast_to(stripes[None, :, None], (1024, width, 3)).astype(np.uint8))
    whole, quick = square(codec.decode(data), 224).astype(int), decoded_square(data, 224).astype(int)
    assert np.abs(whole - quick).mean() < 5  # of 255 shades; 30 where 341.25 pixels are taken for 342


@pytest.mark.parametrize("shape", [(16, 16), (40, 60), (79, 200)])  # the last has one pixel less than twice 40
def test_images_less_than_twice_as_large_are_decoded_bit_for_bit(shape):
    data = photograph(*shape)
    assert np.array_equal(decoded_square(data, 40), square(codec.decode(data), 40))


def test_a_png_is_never_drafted():
    data = codec.encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    assert data.startswith(b"\x89PNG")
    assert np.array_equal(decoded_square(data, 16), square(codec.decode(data), 16))


def test_a_large_jpeg_that_is_cut_off_is_broken():
    data = photograph(300, 200)
    with pytest.raises(codec.BrokenImageError, match="not a whole PNG or JPEG image"):
        decoded_square(data[: len(data) // 2], 40)


@pytest.mark.parametrize("shape", [(1024, 768), (683, 512), (375, 500), (224, 225)])
def test_squares_lie_where_torchvision_puts_them(shape):
    # 1024 x 768 at 224: 298.67 wide, which torchvision takes for 298; 37 to the left of the square
    image = Image.fromarray(codec.decode(photograph(*shape)))
    expected = np.asarray(v2.CenterCrop(224)(v2.Resize(224, v2.InterpolationMode.BICUBIC)(image)))
    assert np.array_equal(square(np.asarray(image), 224), expected)
