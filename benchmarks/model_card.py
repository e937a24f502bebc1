"""Measure the base world's shipped models and write their model card.

Run after ``kedro run``:  python benchmarks/model_card.py          prints the figures
                          python benchmarks/model_card.py --write  writes data/06_models/pretrained/README.md
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import yaml

from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.catalog.model_datasets import ClassifierDataset, ClipDataset, DiffusionDataset
from retrieval_vs_diffusion.comparison import fairness
from retrieval_vs_diffusion.models.sampling import Sampling

MODELS = Path("data/06_models/pretrained")
TABLES = Path("data/02_intermediate")
IMAGES_PER_CLASS = 30


def val_accuracy(strategy: str) -> float:
    """Mean validation accuracy of a strategy's repetitions."""
    results = json.loads(Path(f"data/07_model_output/{strategy}/results.json").read_text())
    return float(np.mean([each["val_top1"] for each in results["repetitions"]]))


def figures() -> dict[str, float]:
    """All figures of the card, as fractions."""
    torch.set_num_threads(1)
    sampling = Sampling.model_validate(
        yaml.safe_load(Path("conf/base/parameters_synthesize.yml").read_text())["sampling"]
    )
    judge = ClassifierDataset(filepath=str(MODELS / "judge.safetensors")).load()
    measured = fairness.measure(
        ClipDataset(filepath=str(MODELS / "clip")).load(),
        DiffusionDataset(filepath=str(MODELS / "diffusion")).load(),
        judge,
        ImageTableDataset(filepath=str(TABLES / "pool/images")).load(),
        ImageTableDataset(filepath=str(TABLES / "target/val")).load(),
        judge.class_names,
        sampling,
        IMAGES_PER_CLASS,
        torch.device("cpu"),
    )
    baseline = val_accuracy("original_only")
    return {**measured, "val_original_only": baseline, "val_more_real": val_accuracy("more_real")}


def card(measured: dict[str, float]) -> str:
    """The model card as Markdown."""
    sums = (MODELS / "SHA256SUMS").read_text().strip()
    trained = json.loads((MODELS / "training.json").read_text())
    size = sum(file.stat().st_size for file in MODELS.rglob("*") if file.is_file()) / 1e6
    seconds = "\n".join(f"| {name} | {value:.0f} |" for name, value in trained["seconds"].items())
    return f"""# The base world's models

A small CLIP (`clip/`, open_clip's local folder layout), a small Stable Diffusion pipeline (`diffusion/`, diffusers' layout,
v-prediction) and the judge (`judge.safetensors`). Half-precision safetensors for the first two, {size:.1f} MB in all.

**Data.** The base world's pool alone: 11,940 pictures rendered from scikit-learn's `load_digits` 0-749, without the 60 planted leaks.
No target image was used. `docs/worlds.md` says how they are drawn.

**Command.** `kedro run --pipeline=pretrain`, seed {trained["seed"]}, {trained["date"]}, on {trained["machine"]}; then `make release-models`.

| trained | seconds |
|---|---|
{seconds}

**Figures**, made again by `python benchmarks/model_card.py` after `kedro run`:

| what | needed | measured |
|---|---|---|
| plain-prompt generations that the judge takes for the class asked for ({IMAGES_PER_CLASS} a class) | ≥ 85 % | {measured["generation_label_agreement"]:.1%} |
| text retrieval right by true labels, first {IMAGES_PER_CLASS} of each class | ≥ 85 % | {measured["retrieval_precision"]:.1%} |
| the judge on the target's 100 validation images | ≥ 85 % | {measured["judge_top1_on_val"]:.1%} |
| `original_only` on validation, mean of 5 repetitions | 50-80 % | {measured["val_original_only"]:.1%} |
| `more_real` on validation, points above it | ≥ 8 | {(measured["val_more_real"] - measured["val_original_only"]) * 100:.1f} |

Validation accuracies are those of the best of ten looks, which the look itself flatters; both rows have it alike.

**Use.** For this study alone: 16-pixel digits. **Licence of the data:** scikit-learn's copy of the UCI digits (CC BY 4.0).

**sha256** (also in `SHA256SUMS`)

```
{sums}
```
"""


if __name__ == "__main__":
    found = figures()
    print(json.dumps(found, indent=1))
    if "--write" in sys.argv:
        (MODELS / "README.md").write_text(card(found))
