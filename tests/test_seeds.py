import numpy as np
import torch

from retrieval_vs_diffusion.seeds import derive_seed


def test_a_seed_is_the_same_on_every_machine_and_in_every_version():
    # sha256 of "base\x1fboomerang\x1f0\x1fgenerate": its first eight bytes, halved
    assert derive_seed("base", "boomerang", 0, "generate") == 4432409931992530098


def test_parts_do_not_run_together():
    assert derive_seed("a", "bc") != derive_seed("ab", "c")
    assert derive_seed("a", "") != derive_seed("a")
    assert derive_seed(1, 12) != derive_seed(11, 2)


def test_every_part_matters_and_so_does_their_order():
    seeds = {derive_seed(world, strategy, number) for world in "ab" for strategy in "ab" for number in range(250)}
    assert len(seeds) == 1000  # 2 worlds x 2 strategies x 250 repetitions, no two alike


def test_torch_and_numpy_take_every_seed():
    seeds = [derive_seed("range", number) for number in range(200)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62  # the upper half of the range is used
    torch.Generator().manual_seed(max(seeds))
    np.random.default_rng(max(seeds))
