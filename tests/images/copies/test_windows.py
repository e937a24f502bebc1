import numpy as np

from retrieval_vs_diffusion.images.copies.windows import Windows, cut

RAMP = np.tile(np.arange(32, dtype=np.float32), (1, 32, 1))  # brighter to the right by one a pixel


def window(middle_y: float, size_y: float, middle_x: float, size_x: float) -> Windows:
    return Windows(*(np.array([each], np.float32) for each in (middle_y, size_y, middle_x, size_x)))


def test_the_whole_window_is_the_picture():
    picture = np.random.default_rng(0).uniform(0, 255, (1, 32, 32)).astype(np.float32)
    seen, inside = cut(picture, window(0.5, 1, 0.5, 1))
    np.testing.assert_allclose(seen, picture, atol=1e-3)
    assert inside.all()


def test_a_window_is_interpolated_along_each_axis():
    # The left half: 32 pixels over 16, half a pixel each, the first a quarter of a pixel from the edge.
    seen, _ = cut(RAMP, window(0.5, 1, 0.25, 0.5))
    np.testing.assert_allclose(seen[0, 0, 1:], np.arange(1, 32) * 0.5 - 0.25, atol=1e-4)
    down, _ = cut(RAMP.transpose(0, 2, 1), window(0.25, 0.5, 0.5, 1))
    np.testing.assert_allclose(down[0, :, 0], seen[0, 0], atol=1e-4)


def test_what_lies_outside_is_told():
    _, inside = cut(RAMP, window(0.5, 1, 0.75, 1))  # a quarter, 8 pixels, beyond the right edge
    assert inside[0].all(axis=0).tolist() == [True] * 24 + [False] * 8
    _, inside = cut(RAMP, window(0.25, 1, 0.5, 1))
    assert inside[0].all(axis=1).tolist() == [False] * 8 + [True] * 24
