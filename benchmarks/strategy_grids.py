"""The pictures and figures of docs/strategies.md, from the last `make table`, and the trials, from the last tuning.

    python benchmarks/strategy_grids.py

Writes docs/images/strategies/<row>.png, a column a class, and prints the rows of the tables as Markdown.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd

from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.images.contact_sheet import contact_sheet, spread_over_classes

ROOT = Path(__file__).parents[1]
GRIDS = ROOT / "docs" / "images" / "strategies"


def main() -> None:
    """Draw every row that adds images, and the originals once."""
    GRIDS.mkdir(parents=True, exist_ok=True)
    leaderboard = pd.read_csv(ROOT / "data/08_reporting/leaderboard.csv")
    sets = pd.read_csv(ROOT / "data/08_reporting/sets.csv").set_index("strategy")
    for row in leaderboard.itertuples():
        examples = ROOT / "data/07_model_output" / row.strategy / "examples"
        images = ImageTableDataset(filepath=str(examples)).load()
        if row.strategy != "strong_augmentation":
            contact_sheet(*spread_over_classes(images, columns=10, rows=3)).save(GRIDS / f"{row.strategy}.png")
        results = json.loads((ROOT / "data/07_model_output" / row.strategy / "results.json").read_text())
        validation = [repetition["val_top1"] for repetition in results["repetitions"]]
        agreement = "–" if math.isnan(row.label_agreement) else f"{row.label_agreement * 100:.0f} %"
        kid, diversity = (
            (sets.loc[row.strategy, "kid"], sets.loc[row.strategy, "diversity"])
            if row.strategy in sets.index
            else (math.nan, math.nan)
        )
        distance = "–" if math.isnan(kid) else f"{kid:.2f}"
        spread = "–" if math.isnan(diversity) else f"{diversity:.2f}"
        print(
            f"| `{row.strategy}` | {row.top1_mean * 100:.1f} ± {row.top1_se * 100:.1f} | "
            f"{sum(validation) / len(validation) * 100:.1f} | {agreement} | {distance} | {spread} | {row.seconds:.1f} |"
        )
    if (tuning := ROOT / "data/08_reporting/tuning.csv").is_file():
        print_trials(pd.read_csv(tuning))


def print_trials(trials: pd.DataFrame) -> None:
    """A line a strategy: validation accuracy of each trial, the chosen one in bold."""
    for strategy, own in trials.groupby("strategy", sort=False):
        figures = [
            f"**{row.val_top1_mean * 100:.1f} ± {row.val_top1_se * 100:.1f}**"
            if row.chosen
            else f"{row.val_top1_mean * 100:.1f} ± {row.val_top1_se * 100:.1f}"
            for row in own.itertuples()
        ]
        print(f"| `{strategy}` | {' | '.join(figures)} |")


if __name__ == "__main__":
    main()
