import numpy as np
import pytest

from retrieval_vs_diffusion.images import codec, decoding
from retrieval_vs_diffusion.images.decoding import AT_ONCE, decode_into, in_portions
from retrieval_vs_diffusion.images.square import square


def noise(number: int, side: int) -> list[bytes]:
    """Encoded images of which each is like no other."""
    random = np.random.default_rng(side)
    return [codec.encode(random.integers(0, 256, (side, side + 2, 3), dtype=np.uint8)) for _ in range(number)]


@pytest.mark.parametrize(("number", "side"), [(AT_ONCE + 9, 5), (30, 50)])
def test_images_are_decoded_in_order_on_threads_and_without(number, side, monkeypatch):
    images = noise(number, side)
    assert (len(images[0]) >= decoding.SMALL) == (side == 50)  # small ones take no threads
    squares = np.zeros((number, 12, 12, 3), np.uint8)
    decode_into(squares, iter(images))
    assert np.array_equal(squares, np.stack([square(codec.decode(data), 12) for data in images]))


def test_of_several_broken_images_the_first_is_told():
    images = noise(30, 50)
    images[11], images[20] = images[11][:100], b"no image"
    with pytest.raises(codec.BrokenImageError, match=r"\(100 bytes\)"):
        decode_into(np.empty((30, 12, 12, 3), np.uint8), images)


def test_portions_hold_everything_in_order():
    assert list(in_portions([b"a", b"b", b"c"], 2)) == [[b"a", b"b"], [b"c"]]
    assert list(in_portions([], 2)) == []
