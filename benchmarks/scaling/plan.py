"""The planning tables of ``docs/scaling.md``: what large pools and large studies take, from the rates in ``rates.json``.

    python -m benchmarks.scaling.plan [--days 1]

Prints Markdown. A figure with ° rests on something that was assumed, not measured; ``rates.json`` says of each rate what it is
and where it is from. The index and its lists are those that the production code chooses.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.scaling.figures import Figure, read_rates
from retrieval_vs_diffusion.images.downloads.settings import Downloads
from retrieval_vs_diffusion.models.index_settings import TRAINING_VECTORS_PER_LIST, IndexSettings, choose_factory

RATES = Path(__file__).with_name("rates.json")
POOLS = (10**6, 10**8, 5 * 10**9)
GENERATED = (10**4, 10**5, 390_000, 400_000)
WIDTH = 768
_HOUR = 3600.0
_K_MEANS_ROUNDS, _ROTATED = 25, 256  # FAISS's default, and the width that the lists of OPQ64_256 have
# The study, conf/imagenet10: 1,000 classes, five classifiers a row of 45,000 steps of 256 images.
_CLASSIFIERS, _CLASSIFIER_IMAGES = 5, 45_000 * 256
_STEPS_20 = 20
_BOOMERANG_STEPS = 4  # strength 0.2 of 20, without guidance: half of a call
_WORDS_IMAGES = 100_000 * 16  # textual inversion: steps x batch

Rates = Mapping[str, Figure]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=1.0, help="in which each row of a table shall be done")
    hours = parser.parse_args().days * 24
    rates = read_rates(RATES)
    pools = [pool_plan(n, rates, hours) for n in POOLS]
    print(table(["pool", *(f"{n:,}" for n in POOLS)], pools))
    generated = [generation_plan(n, rates, hours) for n in GENERATED]
    print(table(["added images a row", *(f"{n:,}" for n in GENERATED)], generated))
    print(table(["the study's six rows", "GPU-hours"], [study_plan(390_000, rates)]))


def gpu_flops(rates: Rates) -> Figure:
    """Operations a second that generation and CLIP get out of a GPU."""
    return rates["gpu_limit_flops"] * rates["gpu_share"]


def pool_plan(n: int, rates: Rates, hours: float) -> dict[str, str]:
    """What a pool of n images takes, by line of the table; embedded in so many hours."""
    on_cpu = n * rates["vit_b32_core_s"] * (rates["vit_l14_flops"] / rates["vit_b32_flops"]) / _HOUR
    on_gpu = n * rates["vit_l14_flops"] / gpu_flops(rates) / _HOUR
    decoding = n * rates["decode_core_s"] / _HOUR
    stored, factory = n * rates["vector_bytes"], choose_factory(n, WIDTH, IndexSettings())
    searching = n * rates["search_vector_core_s"] / _HOUR
    half = Figure(2.0 * WIDTH * n)
    images = n * rates["pool_image_bytes"]
    index = n * rates["index_vector_bytes"] if "PQ" in factory else Figure(stored.value if factory == "Flat" else 0)
    filling = n * rates["index_add_core_s"] / _HOUR if "PQ" in factory else None
    return {
        "images on the disk": images.in_bytes(),
        "downloading them all, hours": str(images / rates["network_bytes_s"] / _HOUR),
        "or links and captions": (n * rates["link_row_bytes"]).in_bytes(),
        "embedding, ViT-L-14: core-hours, no GPU": str(on_cpu),
        "or GPU-hours": str(on_gpu),
        "with core-hours of decoding": str(decoding),
        "embeddings: ours, single precision": stored.in_bytes(),
        "or others' in half precision": half.in_bytes(),
        "index that `auto` takes": f"`{factory}`",
        "index: memory, and disk": index.in_bytes() if index.value else "none",
        "index: core-hours of training lists, of filling": f"{list_training(factory, rates)}, {filling}"
        if filling
        else "0",
        "exact search for 1,000 classes: core-hours": str(searching),
        "reading the vectors once, one disk: hours": str(half / rates["disk_bytes_s"] / _HOUR),
        f"machines, to embed in {hours:.0f} h": (
            f"{(on_gpu / hours).rounded_up()} GPUs with {(decoding / hours).rounded_up()} cores in all, "
            f"or {(on_cpu / hours).rounded_up()} cores"
        ),
    }


def list_training(factory: str, rates: Rates) -> Figure:
    """Core-hours of the k-means of an index's lists: rounds x vectors x lists x a product of the width, twice."""
    lists = int(re.search(r"IVF(\d+)", factory)[1])  # type: ignore[index]
    operations = _K_MEANS_ROUNDS * TRAINING_VECTORS_PER_LIST * lists * lists * 2.0 * _ROTATED
    return operations * rates["vit_b32_core_s"] / rates["vit_b32_flops"] / _HOUR


def generation_plan(n: int, rates: Rates, hours: float) -> dict[str, str]:
    """What a row of n added images takes, by line of the table; made in so many hours."""
    fifty, twenty = (generating(n, steps, rates) for steps in (50, _STEPS_20))
    asked = n * Downloads().overfetch
    return {
        "GPU-hours, 50 steps": str(fifty),
        "GPU-hours, 20 steps": str(twenty),
        "core-hours beside: encoding": str(n * rates["image_512_encode_core_s"] / _HOUR),
        "screening, core-hours": str(n * rates["screening_core_s"] / _HOUR),
        "bytes of the row (twice while it is made)": (n * rates["image_512_bytes"]).in_bytes(),
        "retrieved instead: addresses asked": f"{asked:,.0f}",
        "retrieved instead: hours of downloading": str(
            asked * rates["pool_image_bytes"] / rates["network_bytes_s"] / _HOUR
        ),
        "training five classifiers, GPU-hours": str(training(rates)),
        f"GPUs, to generate in {hours:.0f} h, 50 steps": str((fifty / hours).rounded_up()),
    }


def generating(n: int, steps: int, rates: Rates) -> Figure:
    """GPU-hours of n images of Stable Diffusion 1.4 from prompts; of 50 steps PNDM makes 51 calls, 20 are DPM-Solver's."""
    each = rates["sd_50_flops"] if steps == 50 else steps * rates["sd_call_flops"] + rates["sd_decoder_flops"]
    return n * each / gpu_flops(rates) / _HOUR


def training(rates: Rates) -> Figure:
    """GPU-hours of a row's classifiers; their steps are the same whatever was added."""
    return Figure(_CLASSIFIERS * _CLASSIFIER_IMAGES) / rates["training_images_s"] / _HOUR


def study_plan(added: int, rates: Rates) -> dict[str, str]:
    """GPU-hours of the six rows of ``conf/imagenet10``, with so many images added to each."""
    # An encoder takes less than the decoder, and of an image to image nothing else is known: it is taken for the same.
    edited = _BOOMERANG_STEPS * rates["sd_call_flops"] / 2 + 2 * rates["sd_decoder_flops"]
    # Forward, and backward to the word alone, of one image without guidance.
    learning = _WORDS_IMAGES * rates["sd_call_flops"] / gpu_flops(rates) / _HOUR
    parts = {
        "`boomerang`, 4 of 20 steps": added * edited / gpu_flops(rates) / _HOUR,
        "`clip_prompts`, 20 steps": generating(added, _STEPS_20, rates),
        "`textual_inversion`: learning 1,000 words, 100,000 steps of 16 images": learning,
        "`textual_inversion`: generating, 20 steps": generating(added, _STEPS_20, rates),
        "training: 6 rows x 5 classifiers": 6 * training(rates),
    }
    together = sum(parts.values(), start=Figure(0))
    fifty = together + 2 * (generating(added, 50, rates) + -1.0 * generating(added, _STEPS_20, rates))
    return {
        **{name: str(hours) for name, hours in parts.items()},
        "**together**": str(together),
        "**together, with 50 steps in both rows from text**": str(fifty),
    }


def table(head: Sequence[str], columns: Sequence[Mapping[str, str]]) -> str:
    """Markdown; every column has the same lines."""
    rows = [head, *([name, *(column[name] for column in columns)] for name in columns[0])]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]]) + "\n"


if __name__ == "__main__":
    main()
