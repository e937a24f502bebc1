import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from retrieval_vs_diffusion.images.copies import copy_index
from retrieval_vs_diffusion.images.copies.copy_index import CANDIDATES, CopyIndex
from retrieval_vs_diffusion.images.copies.pictures import grey_picture
from tests.images.copies.photographs import photograph

FROM = 0.88  # as the worlds of photographs have it
COUNT = 40


def index_of(*images: np.ndarray, side: int = 32) -> CopyIndex:
    return CopyIndex(np.array([grey_picture(each) for each in images], np.uint8).reshape(-1, 32, 32), side)


@pytest.fixture(scope="module")
def protected() -> list[np.ndarray]:
    return [photograph(seed) for seed in range(COUNT)]


@pytest.fixture(scope="module")
def index(protected) -> CopyIndex:
    return index_of(*protected)


def jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=30)
    return Image.open(buffer)


def cropped(picture: Image.Image, left: int, top: int) -> Image.Image:
    """58 of 64 pixels of each side: a tenth is cut away."""
    return picture.crop((left, top, left + 58, top + 58))


EDITS = {
    "none": lambda picture: picture,
    "encoded": jpeg,
    "smaller": lambda picture: picture.resize((32, 32), Image.Resampling.LANCZOS),
    "larger": lambda picture: picture.resize((256, 256), Image.Resampling.BICUBIC),
    "wider": lambda picture: picture.resize((96, 64), Image.Resampling.BICUBIC),
    "cropped at the right and below": lambda picture: cropped(picture, 0, 0),
    "cropped at the left and above": lambda picture: cropped(picture, 6, 6),
    "cropped on one side": lambda picture: picture.crop((6, 0, 64, 64)),
    "cropped all around": lambda picture: cropped(picture, 3, 3),
    "mirrored": ImageOps.mirror,
    "mirrored and cropped": lambda picture: ImageOps.mirror(cropped(picture, 0, 6)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.6),
    "more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.4),
    "grey": ImageOps.grayscale,
    "without much colour": lambda picture: ImageEnhance.Color(picture).enhance(0.5),
    "another gamma": lambda picture: picture.point([round(255 * (value / 255) ** 0.7) for value in range(256)] * 3),
}


@pytest.mark.parametrize("edit", EDITS)
def test_copies_are_found_and_named(protected, index, edit):
    copies = [np.asarray(EDITS[edit](Image.fromarray(each)).convert("RGB")) for each in protected]
    similarity, which = index.nearest(copies)
    right = (similarity >= FROM) & (np.array(which) == np.arange(COUNT))
    assert right.sum() >= COUNT - 1  # 39 of 40 is 0.975


def test_other_pictures_are_no_copies(index):
    similarity, _ = index.nearest([photograph(seed) for seed in range(1000, 1300)])
    assert (similarity >= FROM).sum() == 0
    assert similarity.max() < 0.8


def test_pictures_of_one_layout_are_no_copies():
    """A bright sky over a dark ground each, which alone would make them correlate; what stands in it differs."""
    sky = np.where(np.arange(64) < 30, 120, -60)[:, None, None]

    def scene(seed: int) -> np.ndarray:
        return np.clip(0.3 * photograph(seed).astype(int) + 80 + sky, 0, 255).astype(np.uint8)

    similarity, _ = index_of(scene(1)).nearest([scene(seed) for seed in (1, *range(2, 30))])
    assert similarity[0] == pytest.approx(1, abs=1e-3)
    assert similarity[1:].max() < FROM


def test_a_negative_and_an_upside_down_picture_are_no_copies(protected, index):
    similarity, _ = index.nearest([255 - protected[0], protected[0][::-1]])
    assert similarity.max() < 0.6


@pytest.mark.parametrize("grey", [0, 120, 255])
def test_pictures_of_one_colour_resemble_nothing_and_nothing_resembles_them(protected, grey):
    random = np.random.default_rng(0)
    flat = np.full((32, 32, 3), grey, np.uint8)
    noisy = np.clip(grey + random.normal(0, 1, (32, 32, 3)), 0, 255).astype(np.uint8)
    similarity, _ = index_of(flat, noisy, *protected[:5]).nearest([flat, noisy, flat // 2 + 20])
    assert similarity.max() < 0.5


def test_where_nothing_is_protected_nothing_is_near(protected):
    similarity, which = index_of().nearest(protected[:2])
    assert (similarity.tolist(), which) == ([-1.0, -1.0], [0, 0])


def test_no_images_have_no_similarities(index):
    similarity, which = index.nearest([])
    assert (len(similarity), which) == (0, [])


def test_a_picture_is_the_same_alone_and_among_others(protected, index, monkeypatch):
    images = [*(each[3:, 2:] for each in protected[:6]), photograph(2000)]
    together, names = index.nearest(images)
    for image, similar, name in zip(images, together, names, strict=True):
        alone, which = index.nearest([image])
        assert (alone[0], which[0]) == (pytest.approx(similar, abs=1e-5), name)
    for constant in ("AT_ONCE", "_PAIRS_AT_ONCE"):
        monkeypatch.setattr(copy_index, constant, 3)
    assert index.nearest(images)[0] == pytest.approx(together, abs=1e-5)
    assert (index.nearest(images)[0] == index.nearest(images)[0]).all()


def test_of_equal_protected_pictures_the_first_is_named(protected):
    _, which = index_of(protected[3], protected[1], protected[1]).nearest([protected[1]])
    assert which == [1]


def test_a_picture_is_laid_over_few_protected_ones_however_many_there_are():
    """300 protected pictures, all of one layout, so that all are candidates."""
    many = index_of(*(photograph(7) // 2 + photograph(seed) // 8 for seed in range(300)))
    pairs = many.candidates(grey_picture(photograph(7))[None].astype(np.float32))
    assert len(pairs.protected) == CANDIDATES
    assert len(set(pairs.protected.tolist())) == CANDIDATES  # each once, though five of its windows are found


def test_an_inverted_index_finds_them_too(protected, monkeypatch):
    monkeypatch.setattr(copy_index, "_EXACT_UP_TO", 100)
    large = index_of(*protected, *(photograph(seed, 32) for seed in range(500, 900)))
    copies = [each[:, ::-1] for each in protected]
    similarity, which = large.nearest(copies)
    found = (similarity >= FROM) & (np.array(which) == np.arange(COUNT))
    assert found.mean() >= 0.9  # it reads a sixteenth of its lists


def test_small_images_are_compared_by_what_they_can_hold():
    """16 pixels, encoded badly: the finest detail of the enlarged picture is the encoder's."""
    small = [photograph(seed, 16) for seed in range(COUNT)]
    copies = [np.asarray(jpeg(Image.fromarray(each)).convert("RGB")) for each in small]
    fine, coarse = (index_of(*small, side=side).nearest(copies)[0] for side in (32, 16))
    assert np.median(fine) < np.median(coarse)
    assert (coarse >= FROM).mean() >= 0.9
