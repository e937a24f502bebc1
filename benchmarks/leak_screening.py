"""How well copies of validation and test images are told from other pool images, by the screening and by other methods.

    kedro run --pipeline=data_ingest && kedro run --pipeline=data_ingest --env=cifar10
    python benchmarks/leak_screening.py digits cifar10 photographs       tables, and docs/images/leak_screening.png
    python benchmarks/leak_screening.py speed

Copies are planted: protected images, edited (planted_copies.py). Thresholds are chosen on one half of the protected
images' copies and of the pool (development), figures are of the other half. Others are pool images that nobody planted;
those of them that are, by eye, the same photograph as a protected one (cifar10_reviewed_pairs.csv) are counted apart.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from leak_peers import METHODS, Score, clip
from PIL import Image
from planted_copies import DOUBLE, SINGLE, plant

from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.copies.copy_index import CopyIndex
from retrieval_vs_diffusion.images.copies.descriptors import STARTS, WIDTH
from retrieval_vs_diffusion.images.copies.pictures import grey_picture

HERE = Path(__file__).parent
PLOT = HERE.parent / "docs/images/leak_screening.png"
CHOSEN = {"digits": 0.96, "cifar10": 0.88}
OTHERS_AT_MOST = 0.001
HALVES = ("development", "report")


@dataclass
class World:
    """What is protected, and the pool with what is known of it."""

    name: str
    protected: list[np.ndarray]
    pool: list[np.ndarray]
    natural: np.ndarray  # of each pool image whether it is, by eye, the same photograph as a protected one
    planted: np.ndarray  # of each pool image whether its reader planted it


def read_world(name: str, folder: Path) -> World:
    """The image tables that ``data_ingest`` wrote."""
    tables = [
        ImageTableDataset(filepath=str(folder / f"02_intermediate/target/{part}")).load() for part in ("val", "test")
    ]
    pool = ImageTableDataset(filepath=str(folder / "02_intermediate/pool/images")).load()
    with (HERE / "cifar10_reviewed_pairs.csv").open() as file:
        same = {row["pool_source"] for row in csv.DictReader(file) if row["same_photograph"] == "1"}
    return World(
        name,
        [codec.decode(data) for table in tables for data in table.encoded()],
        [codec.decode(data) for data in pool.encoded()],
        np.array([source in same for source in pool.column("source")]),
        np.array([leak is not None for leak in pool.column("leak_of")]),
    )


def measure(world: World, methods: dict[str, Callable[..., Score]], copies: int) -> dict[str, dict[str, np.ndarray]]:
    """By method the scores of the pool, and of planted copies by half and edit."""
    order = np.random.default_rng(0).permutation(len(world.protected))
    halves = dict(zip(HALVES, np.array_split(order, 2), strict=True))
    planted = {}
    for half, rows in halves.items():
        for number, (edit, how) in enumerate({**SINGLE, **DOUBLE}.items()):
            random = np.random.default_rng([number, len(half)])
            taken = random.choice(rows, min(copies, len(rows)), replace=False)
            planted[f"{half}: {edit}"] = [plant(world.protected[row], how, random) for row in taken]
    scores = {}
    for name, method in methods.items():
        score = method(world.protected)
        started = time.process_time()
        scores[name] = {"pool": score(world.pool)}
        speed = len(world.pool) / (time.process_time() - started)
        scores[name] |= {key: score(images) for key, images in planted.items()}
        print(f"{world.name}, {name}: {speed:.0f} images/s of one core against {len(world.protected)}", flush=True)
    return scores


def tell(world: World, scores: dict[str, dict[str, np.ndarray]]) -> None:
    """Print the table of methods, and the curve of the chosen one."""
    development = np.arange(len(world.pool)) % 2 == 0
    others = ~world.natural & ~world.planted
    print(
        f"\n{world.name}: {len(world.protected)} protected, {len(world.pool)} pool images, {world.natural.sum()} of them natural duplicates"
    )
    print(
        "| method | threshold | others refused | recall, mean of edits | worst edit | of two edits | natural duplicates |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, found in scores.items():
        bar = smallest_threshold(found["pool"][development & others])
        for threshold in (CHOSEN[world.name], bar) if name == next(iter(scores)) else (bar,):
            row = figures(found, threshold, ~development, others, world.natural, "report")
            print(f"| {name} | {threshold:.3f} | {row[0]} | {row[1]:.4f} | {row[2]} | {row[3]:.3f} | {row[4]} |")
    name, found = next(iter(scores.items()))
    for half, rows in zip(HALVES, (development, ~development), strict=True):
        print(
            f"\n{name}, {half}: by threshold\n| threshold | others refused | recall | worst edit | of two edits | natural |\n|---|---|---|---|---|---|"
        )
        for threshold in np.arange(0.80, 0.991, 0.01):
            row = figures(found, threshold, rows, others, world.natural, half)
            print(f"| {threshold:.2f} | {row[0]} | {row[1]:.4f} | {row[2]} | {row[3]:.3f} | {row[4]} |")
    print(f"\nrecall by edit at {CHOSEN[world.name]}, report half")
    for edit in (*SINGLE, *DOUBLE):
        print(f"| {edit} | {np.mean(found[f'report: {edit}'] >= CHOSEN[world.name]):.3f} |")
    if world.planted.any():
        scored = found["pool"]
        print(
            f"the pool's own planted leaks: {world.planted.sum()}, lowest {scored[world.planted].min():.3f}; "
            f"highest of the others {scored[others].max():.3f}"
        )


def smallest_threshold(others: np.ndarray) -> float:
    """From which at most the allowed share of the others is refused."""
    allowed = int(OTHERS_AT_MOST * len(others))
    return float(np.nextafter(np.sort(others)[::-1][allowed], np.inf))


def figures(
    found: dict[str, np.ndarray], threshold: float, rows: np.ndarray, others: np.ndarray, natural: np.ndarray, half: str
) -> tuple:
    """Others refused, mean recall, the worst edit with its recall, recall of two edits, natural duplicates found."""
    refused = found["pool"] >= threshold
    recall = {edit: float(np.mean(found[f"{half}: {edit}"] >= threshold)) for edit in (*SINGLE, *DOUBLE)}
    worst = min(SINGLE, key=lambda edit: recall[edit])
    wrong = int((refused & rows & others).sum())
    return (
        f"{wrong} ({wrong / (rows & others).sum():.3%})",
        np.mean([recall[edit] for edit in SINGLE]),
        f"{recall[worst]:.3f} {worst}",
        np.mean([recall[edit] for edit in DOUBLE]),
        f"{int((refused & rows & natural).sum())} of {int((rows & natural).sum())}",
    )


def mean_recall(found: dict[str, np.ndarray], threshold: float) -> float:
    """Of the report half, over the kinds of a single edit."""
    return float(np.mean([np.mean(found[f"report: {edit}"] >= threshold) for edit in SINGLE]))


def photographs() -> None:
    """Copies of 128-pixel cuttings of two photographs (scikit-learn's) against the cuttings at 32 pixels."""
    from sklearn.datasets import load_sample_images

    cuttings = [
        picture[y : y + 128, x : x + 128]
        for picture in load_sample_images().images
        for y in range(0, picture.shape[0] - 127, 96)
        for x in range(0, picture.shape[1] - 127, 96)
    ]
    small = [np.asarray(Image.fromarray(each).resize((32, 32), Image.Resampling.LANCZOS)) for each in cuttings]
    index = CopyIndex(np.stack([grey_picture(each) for each in small]))
    random = np.random.default_rng(0)
    print(
        f"\nphotographs: {len(cuttings)} cuttings of 128 pixels against themselves at 32 pixels, at {CHOSEN['cifar10']}"
    )
    for edit, how in {**SINGLE, **DOUBLE}.items():
        similar, which = index.nearest([plant(each, how, random) for each in cuttings])
        right = (similar >= CHOSEN["cifar10"]) & (np.array(which) == np.arange(len(cuttings)))
        print(f"| {edit} | {right.mean():.3f} | lowest {similar.min():.2f} |")


def speed() -> None:
    """Images a second of one core against many protected images, which are CIFAR-10's, shifted and mixed to be more."""
    world = read_world("cifar10", Path("data/cifar10"))
    known = np.stack([grey_picture(each) for each in world.protected])
    random = np.random.default_rng(0)
    for protected in (15_000, 150_000):
        first, second = (known[random.integers(len(known), size=protected)].astype(np.float32) for _ in range(2))
        share = random.uniform(0, 0.5, (protected, 1, 1)).astype(np.float32)
        made = np.clip(first * (1 - share) + second * share, 0, 255).astype(np.uint8)
        started = time.process_time()
        index = CopyIndex(made)
        built, started = time.process_time() - started, time.process_time()
        index.nearest(world.pool[:3_000])
        took = time.process_time() - started
        memory = protected * (made[0].nbytes + len(STARTS) * WIDTH * 4) / 1e6
        crop = SINGLE["cropped, 10 % of each side"]
        copies = [plant(np.repeat(each[..., None], 3, axis=2), crop, random) for each in made[:500]]
        found = np.mean(index.nearest(copies)[0] >= CHOSEN["cifar10"])
        print(
            f"{protected} protected: built in {built:.0f} s, {3_000 / took:.0f} images/s of one core, {memory:.0f} MB held"
        )
        print(f"cropped copies found: {found:.3f}", flush=True)


def draw(worlds: dict[str, tuple[World, dict[str, dict[str, np.ndarray]]]]) -> None:
    """Recall against others refused, a panel a world."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(worlds), figsize=(5.2 * len(worlds), 4), squeeze=False)
    for panel, (world, scores) in zip(panels[0], worlds.values(), strict=True):
        rows = (np.arange(len(world.pool)) % 2 == 1) & ~world.natural & ~world.planted
        for name, found in scores.items():
            others = np.sort(found["pool"][rows])[::-1]
            refused = np.unique(np.geomspace(1, len(others) // 20, 60).astype(int))
            recall = [mean_recall(found, others[each - 1]) for each in refused]
            panel.plot(refused / len(others), recall, label=name, linewidth=2 if name == next(iter(scores)) else 1.2)
        panel.axvline(OTHERS_AT_MOST, color="grey", linestyle=":", linewidth=1)
        panel.axhline(0.98, color="grey", linestyle=":", linewidth=1)
        panel.set(
            xscale="log",
            xlabel="other pool images refused (share)",
            ylabel="planted copies refused (mean of 15 edits)",
            title=world.name,
            ylim=(0, 1.02),
        )
        panel.legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(PLOT, dpi=110)
    print(f"\n{PLOT.name} drawn; dotted: the bar")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=("digits", "cifar10", "photographs", "speed"))
    parser.add_argument("--copies", type=int, default=500, help="of each edit and half")
    given = parser.parse_args()
    worlds = {}
    for name, folder in (("digits", "data"), ("cifar10", "data/cifar10")):
        if name in given.what:
            world = read_world(name, Path(folder))
            more = {"CLIP (prototype's)": clip("data/06_models/pretrained/clip")} if name == "digits" else {}
            scores = measure(world, METHODS | more, given.copies)
            tell(world, scores)
            worlds[name] = (world, scores)
    if "photographs" in given.what:
        photographs()
    if "speed" in given.what:
        speed()
    if worlds:
        draw(worlds)


if __name__ == "__main__":
    main()
