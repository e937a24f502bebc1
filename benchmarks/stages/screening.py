"""The copy search of the gate beside laying every picture over every protected one, and beside perceptual hashes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from benchmarks.cuttings import cuttings
from benchmarks.measuring import Measured, interleaved
from benchmarks.planted_copies import SINGLE, plant
from benchmarks.rows import row
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.copies.copy_index import Candidates, CopyIndex
from retrieval_vs_diffusion.images.copies.descriptors import STARTS, describe, describe_windows
from retrieval_vs_diffusion.images.copies.pictures import grey_picture

SIMILARITY = 0.88  # screening.leak_similarity of the worlds of photographs
_SIDE = 40  # pixels
_PAIRS_AT_ONCE = 8_192  # of brute force: bounds its memory
Found = set[tuple[int, int]]  # pool picture, and the protected one that it copies


@dataclass(frozen=True)
class Pictures:
    """Pictures of a pool, the first of them copies of protected ones in turn.

    Args:
        protected: what must not be copied.
        pool: copies first, then pictures that copy none.
        edits: of each copy how it was edited.
    """

    protected: list[np.ndarray]
    pool: list[np.ndarray]
    edits: list[str]


def pictures(protected: int, copies: int, others: int) -> Pictures:
    """Cuttings of photographs, with planted copies of every single edit in turn."""
    drawn = cuttings(_SIDE, protected + others)
    random = np.random.default_rng(0)
    edits = [list(SINGLE)[each % len(SINGLE)] for each in range(copies)]
    copied = [plant(drawn[each % protected], SINGLE[edit], random) for each, edit in enumerate(edits)]
    return Pictures(drawn[:protected], copied + drawn[protected:], edits)


def searched(protected: Sequence[np.ndarray], pool: Sequence[np.ndarray]) -> Found:
    """As the gate does: an index of the protected pictures, candidates for each of the pool, registration of these."""
    index = CopyIndex(np.stack([grey_picture(each) for each in protected]))
    similar, nearest = index.nearest(pool)
    return {(each, nearest[each]) for each in np.flatnonzero(similar >= SIMILARITY).tolist()}


def compared_all(protected: Sequence[np.ndarray], pool: Sequence[np.ndarray]) -> Found:
    """Every pool picture and its mirror image laid over every protected one, by the same registration.

    Each pair begins at that of the five windows in which the two are most alike, as the gate's pairs do; no pair is left
    out.
    """
    known = np.stack([grey_picture(each) for each in protected])
    index = CopyIndex(known)
    windows = describe_windows(known.astype(np.float32))
    found: Found = set()
    at_once = max(1, _PAIRS_AT_ONCE // (2 * len(known)))
    for first in range(0, len(pool), at_once):
        part = np.stack([grey_picture(each) for each in pool[first : first + at_once]]).astype(np.float32)
        alike = np.stack([describe(each) @ windows.T for each in (part, part[:, :, ::-1])], axis=1)
        start = alike.reshape(len(part), 2, len(known), len(STARTS)).argmax(axis=3)
        picture, mirrored, other = (each.ravel() for each in np.indices(start.shape))
        agree = index.verified(part, Candidates(picture, other, start.ravel(), mirrored))
        best = agree.reshape(start.shape).max(axis=1)  # over the picture and its mirror image
        nearest = best.argmax(axis=1)
        copies = np.flatnonzero(best[np.arange(len(part)), nearest] >= SIMILARITY)
        found |= {(first + int(each), int(nearest[each])) for each in copies}
    return found


@row("screening", "brute-force", at_least=5)
def screening(folder: Path) -> Measured:
    """200 pool pictures, 100 of them copies, against 150 protected ones; building the index is timed too."""
    return _beside_all_pairs(pictures(protected=150, copies=100, others=100), repeats=3)


@row("extra_screening_growth", "brute-force")
def growth(folder: Path) -> Measured:
    """60 pool pictures against 600 protected ones, and against a tenth of these: the ratio of both."""
    few = _beside_all_pairs(pictures(protected=60, copies=30, others=30), repeats=3)
    many = _beside_all_pairs(pictures(protected=600, copies=30, others=30), repeats=3)
    grown = many.ratio / few.ratio
    checked = f"{many.checked}; {few.ratio:.1f} times as fast at 60 protected, a ratio {grown:.1f} times smaller"
    return many.with_check(many.same_result and few.same_result, checked)


def _beside_all_pairs(of: Pictures, repeats: int) -> Measured:
    results: dict[str, Found] = {}

    def ours() -> None:
        results["ours"] = searched(of.protected, of.pool)

    def theirs() -> None:
        results["theirs"] = compared_all(of.protected, of.pool)

    with threadpool_limits(1):
        work = f"{len(of.pool)} pool pictures against {len(of.protected)} protected ones, one core"
        measured = interleaved(ours, theirs, repeats=repeats, work=work)
    different = results["ours"] ^ results["theirs"]
    right = {(each, each % len(of.protected)) for each in range(len(of.edits))}
    checked = (
        f"{len(results['theirs'])} pairs refused by all pairs, {len(different)} of them otherwise here; "
        f"{len(results['ours'] & right)} of {len(of.edits)} planted copies found"
    )
    return measured.with_check(not different and bool(results["ours"]), checked)


@row("extra_screening", "imagededup")
def perceptual_hashes(folder: Path) -> Measured:
    """The ``PHash`` of imagededup with its own threshold on the same files, which both sides read.

    A hash is made to find copies that were encoded again, not crops or mirror images, and ours passes over pictures with
    hardly any detail: they decide differently, and what each finds is told.
    """
    from imagededup.methods import PHash

    of = pictures(protected=150, copies=300, others=300)
    for part, pixels in (("protected", of.protected), ("pool", of.pool)):
        (folder / part).mkdir()
        for number, each in enumerate(pixels):
            Image.fromarray(each).save(folder / part / f"{part}_{number:04d}.png")
    logging.disable(logging.INFO)  # it says when it begins and ends, whatever `verbose` is
    hasher = PHash(verbose=False)
    results: dict[str, Found] = {}

    def ours() -> None:
        read = {part: [codec.decode(each.read_bytes()) for each in _files(folder, part)] for part in _PARTS}
        results["ours"] = searched(read["protected"], read["pool"])

    def theirs() -> None:
        # Processes of its own cost more than these files do: as quick as it can be, and as ours on one core.
        known = {part: hasher.encode_images(folder / part, num_enc_workers=0) for part in _PARTS}
        both = known["protected"] | known["pool"]
        alike = hasher.find_duplicates(encoding_map=both, num_dist_workers=0)
        results["theirs"] = {
            (_number(name), _number(other))
            for name in known["pool"]
            for other in alike[name]
            if other in known["protected"]
        }

    with threadpool_limits(1):
        measured = interleaved(ours, theirs, work=f"{len(of.pool)} pool files against {len(of.protected)}, one core")
    told = {name: _told(of, results[name]) for name in ("ours", "theirs")}
    checked = "; ".join(
        f"{name}: {each['encoded again']:.1%} of copies encoded again at quality 75, {each['all']:.1%} of 15 edits, "
        f"{each['wrong']} of {len(of.pool) - len(of.edits)} others refused"
        for name, each in told.items()
    )
    same = results["ours"] == results["theirs"]
    return replace(measured, decides_alike=False).with_check(same, checked)


_PARTS = ("protected", "pool")


def _files(folder: Path, part: str) -> list[Path]:
    return sorted((folder / part).iterdir())


def _number(name: str) -> int:
    return int(Path(name).stem.rpartition("_")[2])


def _told(of: Pictures, found: Found) -> dict[str, float]:
    """Shares of planted copies found, and how many of the others were refused."""
    hits = [(each, each % len(of.protected)) in found for each in range(len(of.edits))]
    again = [hit for hit, edit in zip(hits, of.edits, strict=True) if edit == "JPEG 75"]
    wrong = {each for each, _ in found if each >= len(of.edits)}
    return {"encoded again": float(np.mean(again)), "all": float(np.mean(hits)), "wrong": len(wrong)}
