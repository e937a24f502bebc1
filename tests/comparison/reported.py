"""A made-up study of two classes, its report, and a page as a reader takes it."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.comparison.costs import costs
from retrieval_vs_diffusion.comparison.ledger import ledger
from retrieval_vs_diffusion.comparison.outcomes import Outcomes
from retrieval_vs_diffusion.comparison.per_class import per_class
from retrieval_vs_diffusion.comparison.price import Price
from retrieval_vs_diffusion.comparison.report import template, write_report
from retrieval_vs_diffusion.comparison.results_digest import results_digest
from retrieval_vs_diffusion.comparison.sets import sets
from retrieval_vs_diffusion.comparison.verdict import reach_verdict
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row

LINE = {"asked": 5, "brought": 6, "broken": 0, "black": 0, "duplicate": 0, "leak": 1, "below_floor": 0, "dead": 0}
SETTINGS = {
    "world": "toy",
    "repeat": {
        "environment": None,
        "given": {"repetitions.number": "5"},
        "usual_rows": ["text"],
        "every_row": ["original_only", "text", "other", "prompts", "more"],
    },
    "protocol": {"classifier": {"steps": 3}},
    "strategies": {"text": {"retrieve": {"prompts": ["a {name}"]}}},
    "personalisations": {},
    "left_out": [],
    "redraw": ["target_subset", "classifier"],
    "protocols": {"text": "abc", "prompts": "def"},
    "price": {"per_hour": 2.0, "currency": "EUR"},
    "published": None,
}


MADE_WITH = {
    "version": "0.1.0",
    "commit": None,
    "uncommitted_changes": None,
    "device": "cpu",
    "threads": 1,
    "processor": "A processor",
    "python": "3.12.3",
    "libraries": {"torch": "2.12.0"},
}
INDEX_CHECK = {
    "embedding_seconds": 12.5,
    "by_text": {"index": "IVF4,Flat", "k": 100, "recall": 0.987},
    "by_image": {"index": "IVF4,Flat", "k": 100, "recall": 1.0},
}


def result(name: str, arm: str, class_name: str = "zero") -> dict:
    """Five repetitions of a row, 7 seconds each."""
    repetition = {
        "digest": {"images": "abc", "predictions": "def"},
        "top1": 0.5,
        "val_top1": 0.5,
        "images_added": 10 * (arm != "neither"),
        "label_agreement": None if arm == "neither" else 0.65 if name == "text" else 0.9,
        "agreement_by": None if arm == "neither" else "judge",
        "set": None if arm == "neither" else {"draw": "shared", "kid": 0.25, "diversity": None},
        "seconds": {"personalise": 1.0, "bring": 2.0, "screen": 0.5, "train": 3.5},
        "gpu_seconds": 0.0,
        "peak_memory_bytes": None,
        "flops": 2_500_000_000 if arm == "generate" else 0,
        "stored_bytes": 4_096,
        "ledger": [] if arm == "neither" else [{class_name: {**LINE, "topped_up": 1, "used": 5, "short_by": 0}}],
    }
    sets_columns = ("near_duplicate_share", "nearest_pool_mean", "nearest_pool_max", "copied_share")
    if repetition["set"]:
        repetition["set"] |= dict.fromkeys(sets_columns)
    return {
        "strategy": name,
        "arm": arm,
        "description": f"About {name}.",
        "steps": [] if arm == "neither" else [arm],
        "repetitions": [{**repetition, "repetition": number} for number in range(5)],
    }


def answers(share_right: float, seed: int, offset: int = 0) -> pd.DataFrame:
    """What five classifiers of two classes say of 60 images, so many of them right."""
    random = np.random.default_rng(seed)
    labels = np.arange(60) % 2
    frames = []
    for repetition in range(5):
        right = random.random(60) < share_right
        predicted = np.where(right, labels, 1 - labels)
        ids = [f"test/{number:02d}" for number in range(60)]
        frame = {"repetition": repetition, "image_id": ids, "label": labels, "predicted": predicted}
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def picture(**columns) -> ImageTable:
    return ImageTable.from_rows([image_row(np.full((16, 16, 3), 90, np.uint8), "a", label=1, **columns)])


def report(**changes) -> str:
    return write_report(template(), **given(**changes))


def given(
    class_names: tuple[str, str] = ("zero", "one"),
    examples: ImageTable | None = None,
    without: tuple[str, ...] = (),
    has_curve: bool = True,
    **changes,
) -> dict:
    """What the report of four rows is made of, `text` weakly labelled, by the real functions from synthetic answers."""
    rows = {"original_only": "neither", "text": "retrieve", "other": "retrieve", "prompts": "generate"}
    rows = {name: arm for name, arm in rows.items() if name not in without}
    results = {name: result(name, arm, class_names[0]) for name, arm in rows.items()}
    shares = {"original_only": 0.6, "text": 0.8, "other": 0.9, "prompts": 0.7}
    outcomes = {name: answers(shares[name], seed) for seed, name in enumerate(rows)}
    larger = answers(0.85, 9).assign(variant="size_curve.times_2", originals=40, added=0, val_top1=0.8)
    board, comparisons, curve, summary = reach_verdict(
        results, outcomes, larger if has_curve else None, 0.7, originals_per_class=10, classes=2
    )
    read = {name: Outcomes.from_table(table) for name, table in outcomes.items()}
    return {
        "settings": SETTINGS,
        "order": ["original_only", "text", "other", "prompts"],
        "leaderboard": board,
        "comparisons": comparisons,
        "size_curve": curve,
        "summary": summary,
        "sets": sets(list(results.values())),
        "ledger": ledger(list(results.values())),
        "costs": costs(list(results.values()), Price(per_hour=2.0, currency="EUR")),
        "classes": per_class(read, list(class_names)),
        "leaks": pd.DataFrame([("text", 5, 1.6, 0.8, 0.82, 0.02, -0.01, 0.05)], columns=LEAKS),
        "screening_check": {"planted": 10, "found": 9, "recall": 0.9, "others": 90, "false_alarms": 2},
        "results_digest": {**results_digest(results, None), "made_with": MADE_WITH},
        "class_names": list(class_names),
        "index_check": INDEX_CHECK,
        **{f"{what}_of_{name}": None for name in without for what in ("results", "outcomes", "examples")},
        **{f"results_of_{name}": each for name, each in results.items()},
        **{f"outcomes_of_{name}": each for name, each in outcomes.items()},
        **{f"examples_of_{name}": picture() if examples is None else examples for name in rows},
        **changes,
    }


LEAKS = ["strategy", "repetitions", "leaks_let_in", "top1_without", "top1_with", "difference", "low", "high"]


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open not in {"script", "style"} and data.strip():
            self.text.append(data.strip())

    def elements(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def said(html: str) -> str:
    return " ".join(Page(html).text)
