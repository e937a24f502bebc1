from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.source import Surroundings


def test_seeds_derive_from_world_strategy_and_repetition():
    surroundings = Surroundings(("zero",), "boomerang", ("base", "boomerang", "repetition_0"))
    assert surroundings.seed("generate", "zero", 3) == derive_seed(
        "base", "boomerang", "repetition_0", "generate", "zero", 3
    )
    again = Surroundings(("zero",), "boomerang", ("base", "boomerang", "repetition_1"))
    assert again.seed("generate", "zero", 3) != surroundings.seed("generate", "zero", 3)
