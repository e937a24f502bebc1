import pytest
import torch

from retrieval_vs_diffusion.training.strong_augmentation import change_each_image, cut_and_mix

KINDS = ("rand_augment", "trivial_augment")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """Copies of one picture [40, 16, 16, 3]: whatever differs afterwards was changed in another way."""
    return torch.randint(0, 256, (16, 16, 3), dtype=torch.uint8, generator=generator(1)).expand(40, 16, 16, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_each_image_is_changed_in_a_way_of_its_own_which_the_generator_decides(pictures, kind):
    one, same, other = (change_each_image(pictures, kind, 9, generator(seed)) for seed in (0, 0, 1))
    assert one.shape == pictures.shape
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len({picture.numpy().tobytes() for picture in one}) > 15  # 14 operations, most of them with two signs


def test_without_augmentation_nothing_is_changed_and_nothing_drawn(pictures):
    draws = generator()
    assert change_each_image(pictures, "none", 9, draws) is pictures
    assert torch.equal(draws.get_state(), generator().get_state())


@pytest.mark.parametrize("kind", KINDS)
def test_torchs_own_generator_is_left_as_it_was(pictures, kind):
    before = torch.get_rng_state()
    change_each_image(pictures, kind, 9, generator())
    cut_and_mix(torch.rand(4, 3, 8, 8, generator=generator()), torch.arange(4), 4, 1.0, 1.0, generator())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_greater_magnitude_changes_more():
    grey = torch.arange(0, 256, dtype=torch.uint8).view(1, 16, 16, 1).expand(200, 16, 16, 3)
    changes = [
        (change_each_image(grey, "rand_augment", each, generator()).float() - grey.float()).abs().mean()
        for each in (1, 9, 25)
    ]
    assert changes == sorted(changes)
    assert changes[2] > 2 * changes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_moved_in_from_outside_is_mid_grey(kind):
    white = torch.full((300, 16, 16, 3), 255, dtype=torch.uint8)
    changed = change_each_image(white, kind, 30, generator())
    corners = torch.stack([changed[:, 0, 0], changed[:, 0, -1], changed[:, -1, 0], changed[:, -1, -1]])
    grey = (corners == 128).all(dim=-1).any(dim=0)
    assert grey.float().mean() > 0.2  # 5 of 14 operations move something in: 36 %, at small magnitudes less


def test_trivial_augment_never_moves_all_of_a_small_image_out_of_the_picture():
    # A black-and-white board keeps a pixel that is not grey unless it is moved out: shifts of up to 32
    # pixels, as for large images, would empty some 2/14 x 15/31 = 7 % of the pictures, 35 of these.
    board = (torch.eye(16).view(16, 16, 1) * 255).to(torch.uint8).expand(500, 16, 16, 3)
    changed = change_each_image(board, "trivial_augment", 0, generator())
    empty = (changed == 128).flatten(1).all(dim=1)
    assert empty.float().mean() < 0.02  # only the widest shift of 31, of either direction: 2/14/31 = 0.5 %


def test_cut_and_mix_labels_an_image_by_the_area_of_each_class():
    shades = torch.tensor([0.0, 1.0, 2.0, 3.0])
    images = shades.view(4, 1, 1, 1).expand(4, 3, 8, 8).contiguous()  # every pixel says which class it shows
    for seed in range(10):
        mixed, labels = cut_and_mix(images, torch.arange(4), 4, 1.0, 1.0, generator(seed))
        shown = torch.stack([(mixed[:, 0] == shade).float().mean(dim=(1, 2)) for shade in shades], dim=1)
        assert torch.allclose(labels, shown, atol=1e-5)  # 64 pixels; a class that has 16 has the share 0.25


def test_cut_and_mix_also_pairs_images_that_stand_far_apart():
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 8, 8).contiguous()
    pairs = set()
    for seed in range(20):
        _, labels = cut_and_mix(images, torch.arange(8), 8, 1.0, 1.0, generator(seed))
        pairs |= {tuple(row.nonzero().flatten().tolist()) for row in labels}
    assert any(len(pair) == 2 and pair[1] - pair[0] == 4 for pair in pairs)  # neighbours alone would be 1 or 7 apart


def test_the_share_of_mixed_batches_is_the_one_asked_for():
    images, labels = torch.rand(2, 1, 8, 8, generator=generator()), torch.tensor([0, 1])
    draws = generator()
    plain = [torch.equal(cut_and_mix(images, labels, 2, 0.3, 1.0, draws)[0], images) for _ in range(1000)]
    assert 0.62 < sum(plain) / 1000 < 0.83  # 0.7 are left alone; a box without area leaves a few more as they are


def test_a_batch_that_is_not_mixed_keeps_its_labels():
    images = torch.rand(3, 1, 4, 4, generator=generator())
    same, labels = cut_and_mix(images, torch.tensor([2, 0, 1]), 3, 0.0, 1.0, generator())
    assert same is images
    assert labels.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
