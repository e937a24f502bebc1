"""Classifying a folder of images with a classifier that was taken home.

``kedro classify`` in the project, ``python -m retrieval_vs_diffusion.classify`` wherever the package is
installed; needs neither Kedro nor MLflow.
"""

from __future__ import annotations

import csv
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.spreadsheet_cells import cell_of

if TYPE_CHECKING:
    import numpy as np

    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.clip import Clip

_BATCH_IMAGES, _BATCH_BYTES = 256, 64 * 2**20  # of squares that are in memory together
_LISTED = 20  # classes and broken files in the summary


@dataclass
class Summary:
    """What a classified folder held.

    Args:
        classes: number of images that each class is the likeliest of.
        broken: what is wrong with each file that could not be read, by its path.
        seconds: that it took.
    """

    classes: Counter[str] = field(default_factory=Counter)
    broken: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def classify_folder(
    classifier_file: Path, folder: Path, output: Path, top: int = 1, device: str = "auto", clip: str | None = None
) -> Summary:
    """Classify all images of a folder, preprocessed as in training, and write a CSV with a row for each file.

    The columns are ``file`` (its path from the folder), ``class`` and ``probability``, then ``class_2``,
    ``probability_2``, ... up to ``top``; they are empty for files that could not be read. A name that a
    spreadsheet would take for a formula begins with an apostrophe.

    Args:
        classifier_file: a safetensors file as ``Classifier.save`` writes it.
        folder: searched as ``images.image_files`` says.
        output: the CSV, replaced when all images are classified.
        top: so many classes an image, likeliest first.
        device: as ``choose_device`` takes it.
        clip: folder of the CLIP model whose embeddings a linear probe reads, or its name in open_clip
            and, after a slash, its tag or safetensors file.

    Raises:
        UserError: if a file, folder, device or model is not there or will not do, or no image can be read.
    """
    from retrieval_vs_diffusion.atomic import replacing
    from retrieval_vs_diffusion.images.image_files import ENDINGS, image_files
    from retrieval_vs_diffusion.models.classifier import Classifier
    from retrieval_vs_diffusion.models.device import choose_device
    from retrieval_vs_diffusion.progress import progress

    started = time.perf_counter()
    _check_places(classifier_file, folder, output)
    classifier = Classifier.load(classifier_file)
    if not 1 <= top <= len(classifier.class_names):
        raise UserError(f"--top: found {top}; 1 to {len(classifier.class_names)} will do, as many as there are classes")
    files = list(image_files(folder))
    if not files:
        raise UserError(f"{folder} holds no images; files that end in {', '.join(ENDINGS)} count")
    chosen = choose_device(device)
    embedder = _clip_of(classifier, clip)
    if embedder is not None:
        embedder = embedder.to(chosen)

    summary = Summary()
    together = max(1, min(_BATCH_IMAGES, _BATCH_BYTES // (3 * classifier.image_size**2)))
    with replacing(output) as part, part.open("w", newline="", encoding="utf-8", errors="backslashreplace") as table:
        writer = csv.writer(table)
        writer.writerow(_header(top))
        for batch in _batches(progress(files, "classifying"), together):
            squares = dict(_squares(folder, batch, classifier.image_size, summary))
            likeliest = _likeliest(classifier, list(squares.values()), chosen, embedder, top)
            by_file = dict(zip(squares, likeliest, strict=True))
            for file in batch:
                found = by_file.get(file, [])
                summary.classes.update(name for name, _ in found[:1])
                cells = [cell for name, value in found for cell in (cell_of(name), f"{value:.6f}")]
                writer.writerow([cell_of(file.as_posix()), *cells, *[""] * (2 * top - len(cells))])
        if not summary.classes:
            name, fault = next(iter(summary.broken.items()))
            raise UserError(f"{folder}: none of {len(files)} images can be read, e.g. {_shown(name)}: {fault}")
    summary.seconds = time.perf_counter() - started
    return summary


def _check_places(classifier_file: Path, folder: Path, output: Path) -> None:
    if not classifier_file.is_file():
        raise UserError(f"there is no classifier {classifier_file}; `kedro run --pipeline=export` writes one")
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}")
    if output.suffix.lower() != ".csv" or output.is_dir():  # what is there is replaced
        raise UserError(f"--output: found {output}; a file that ends in .csv will do")


def _clip_of(classifier: Classifier, clip: str | None) -> Clip | None:
    """The CLIP model that a linear probe reads embeddings of; None for a classifier of pixels."""
    if classifier.features == "pixels":
        return None
    if clip is None:
        raise UserError(
            f'this classifier is a linear probe on embeddings of the CLIP model "{classifier.clip_name}"; '
            "give that model's folder, or its name and tag, with --clip"
        )
    import open_clip

    from retrieval_vs_diffusion.models.clip import load_clip

    name, _, checkpoint = clip.partition("/")
    named = bool(checkpoint) and not Path(clip).is_dir() and name in open_clip.list_models()
    found = load_clip(name, checkpoint) if named else load_clip(clip)
    if found.name != classifier.clip_name:
        raise UserError(f'--clip: found the model "{found.name}"; this classifier reads "{classifier.clip_name}"')
    return found


def _batches(files: Iterator[Path], size: int) -> Iterator[list[Path]]:
    while batch := list(islice(files, size)):
        yield batch


def _squares(
    folder: Path, files: Sequence[Path], size: int, summary: Summary
) -> Iterator[tuple[Path, np.ndarray[Any, Any]]]:
    """Each file that can be read, as pixels [size, size, 3]; the others go into the summary."""
    from retrieval_vs_diffusion.images.codec import BrokenImageError
    from retrieval_vs_diffusion.images.image_files import read_image
    from retrieval_vs_diffusion.images.square import square

    for file in files:
        try:
            yield file, square(read_image(folder / file), size)
        except BrokenImageError as error:
            summary.broken[file.as_posix()] = _shown(str(error))


def _likeliest(
    classifier: Classifier, squares: Sequence[Any], device: Any, clip: Clip | None, top: int
) -> list[list[tuple[str, float]]]:
    """The ``top`` likeliest classes of each image with their probabilities; of equals the first class."""
    import numpy as np

    if not squares:
        return []
    probabilities = classifier.probabilities(np.stack(squares), device, clip=clip)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        [(classifier.class_names[label], float(row[label])) for label in best]
        for row, best in zip(probabilities, order, strict=True)
    ]


def _header(top: int) -> list[str]:
    further = [f"{name}_{place}" for place in range(2, top + 1) for name in ("class", "probability")]
    return ["file", "class", "probability", *further]


def _shown(text: str) -> str:
    """A name or message for the terminal: control characters, which could steer it, as escapes."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode() for each in text
    )


def _print(summary: Summary, output: Path) -> None:
    images = summary.classes.total()
    click.echo(f"{images} images classified in {summary.seconds:.1f} s; one row a file in {output}")
    for name, count in summary.classes.most_common(_LISTED):
        click.echo(f"  {count:>7}  {_shown(name)}")
    if len(summary.classes) > _LISTED:
        click.echo(f"  and {len(summary.classes) - _LISTED} more classes")
    if summary.broken:
        click.echo(f"{len(summary.broken)} files could not be read; their rows are empty:", err=True)
        for file, fault in islice(summary.broken.items(), _LISTED):
            click.echo(f"  {_shown(file)}: {fault}", err=True)
        if len(summary.broken) > _LISTED:
            click.echo(f"  and {len(summary.broken) - _LISTED} more", err=True)


@click.command(name="classify")
@click.argument("classifier", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), default=Path("predictions.csv"), show_default=True)
@click.option("--top", default=1, show_default=True, help="Likeliest classes written for each image.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, mps, cuda or cuda:<number>.")
@click.option("--clip", help="For a linear probe: its CLIP model, a folder or <name>/<tag>.")
def command(classifier: Path, folder: Path, output: Path, top: int, device: str, clip: str | None) -> None:
    """Classify the images of FOLDER with CLASSIFIER, a .safetensors file, and write them to a CSV."""
    try:
        _print(classify_folder(classifier, folder, output, top, device, clip), output)
    except (UserError, OSError) as error:  # OSError: a disk that is full, a place that may not be written
        click.secho(f"Error: {error}", fg="red", err=True)
        sys.exit(1)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("retrieval_vs_diffusion").setLevel(logging.INFO)
    command()
