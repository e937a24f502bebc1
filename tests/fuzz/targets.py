"""What is fuzzed: each reader of files that come from anywhere, with whole files to begin from.

A target is called with bytes. It may raise what its reader documents; anything else is a crash.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from retrieval_vs_diffusion.catalog.pool_datasets import TakedownDataset
from retrieval_vs_diffusion.errors import UserError, find_user_error
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.class_naming import class_names_of
from retrieval_vs_diffusion.images.codec import BrokenImageError
from retrieval_vs_diffusion.images.collections.plain_text import plain_caption
from retrieval_vs_diffusion.images.collections.sidecars import described
from retrieval_vs_diffusion.images.downloads.addresses import RefusedAddressError, follow, parse
from retrieval_vs_diffusion.images.downloads.pictures import NoPictureError, prepare
from retrieval_vs_diffusion.images.downloads.store import DownloadStore
from retrieval_vs_diffusion.images.folder_names import folder_names
from retrieval_vs_diffusion.images.formats.captions_csv import CaptionsCsv
from retrieval_vs_diffusion.images.formats.class_folders import ClassFolders
from retrieval_vs_diffusion.images.formats.detect import detect
from retrieval_vs_diffusion.images.formats.hugging_face import HuggingFace
from retrieval_vs_diffusion.images.formats.image_folder import ImageFolder
from retrieval_vs_diffusion.images.formats.img2dataset_files import Img2datasetFiles
from retrieval_vs_diffusion.images.formats.img2dataset_parquet import Img2datasetParquet
from retrieval_vs_diffusion.images.formats.labels_csv import LabelsCsv
from retrieval_vs_diffusion.images.formats.parquet import Parquet
from retrieval_vs_diffusion.images.formats.web_dataset import WebDataset
from retrieval_vs_diffusion.images.image_files import read_image
from retrieval_vs_diffusion.images.photo import photo_row
from retrieval_vs_diffusion.images.readers.linked_images import LinkedImages
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.models import foreign_index, index_file
from retrieval_vs_diffusion.models.clip_folder import CONFIGURATION, WEIGHTS, text_configuration
from retrieval_vs_diffusion.models.embeddings import embeddings_of_files
from retrieval_vs_diffusion.models.safetensors_header import read_header
from retrieval_vs_diffusion.models.vector_index import refer_to_index
from retrieval_vs_diffusion.strategies.class_table import read_class_table
from tests.fuzz import seeds
from tests.fuzz.seeds import folder


@dataclass(frozen=True)
class Target:
    """Something that reads.

    Args:
        run: reads the bytes.
        seeds: makes whole files, from which the fuzzer begins.
    """

    run: Callable[[bytes], object]
    seeds: seeds.Seeds


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    """A target that reads the bytes from a file of this name; ``read`` has the path of its folder."""

    def run(data: bytes) -> None:
        with folder() as place:
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            with suppress(UserError):
                read(place)

    return run


def collection(form: Callable[[Path], object]) -> Callable[[Path], None]:
    """Goes through a collection as a reader does: entries, then samples with their images."""

    def read(place: Path) -> None:
        built = form(place)
        for sample in built.entries():
            _check(sample)
        for sample in built.samples(None, Counter()):
            _check(sample)
            with suppress(BrokenImageError):
                photo_row(sample, 64, caption=plain_caption(sample.caption or ""))

    return read


def _check(sample: Sample) -> None:
    assert isinstance(sample.key, str)
    assert sample.label is None or isinstance(sample.label, str)
    assert sample.caption is None or isinstance(sample.caption, str)
    assert sample.unsafe is None or isinstance(sample.unsafe, float)


def picture(data: bytes) -> None:
    for read in (codec.decode, read_image, lambda each: photo_row(Sample("a", each), 64)):
        with suppress(BrokenImageError):
            read(data)


def downloaded(data: bytes) -> None:
    with suppress(NoPictureError):
        prepare(data, 64)


def sidecars(data: bytes) -> None:
    parts = data.split(b"\xff\xfe", 2)
    sample = described("a", dict(zip((".json", ".txt", ".cls"), parts, strict=False)), Counter(), "b", "label")
    if sample is not None:
        _check(sample)
        plain_caption(sample.caption or "").encode()


def names(data: bytes) -> None:
    labels = data.decode("utf-8", errors="surrogateescape").split("\n")
    with suppress(UserError):
        class_names = list(class_names_of(labels).values())
        assert len(set(folder_names(class_names))) == len(class_names)


def address(data: bytes) -> None:
    first, _, second = data.decode("utf-8", errors="replace").partition("\n")
    with suppress(RefusedAddressError):
        follow(parse(first, ("http", "https")), second, ("http", "https"))
    with suppress(RefusedAddressError):
        parse(second, ("http", "https"))


def folders(data: bytes) -> None:
    """Each line is the path of a file, in which stands the line."""
    with folder() as place:
        for line in data.split(b"\n")[:20]:
            path = os.path.join(os.fsencode(place), line.replace(b"\0", b"").lstrip(b"/"))
            if b".." in path.split(b"/"):
                continue
            with suppress(OSError):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(line)
        for form in (ClassFolders, ImageFolder, Img2datasetFiles):
            with suppress(UserError):
                collection(form)(place)
        for kind in ("target", "pool"):
            with suppress(UserError):
                detect(place, kind)


def takedown(place: Path) -> None:
    try:
        TakedownDataset(filepath=str(place / "a.txt")).load()
    except Exception as error:
        if find_user_error(error) is None:
            raise


def saved_data_set(data: bytes) -> None:
    """The first part of the bytes is the data, the others what is said of it."""
    from datasets import disable_progress_bars

    disable_progress_bars()
    table, *said = data.split(b"\n\x1e\n")
    with folder() as place:
        for name, content in zip(("data-0.arrow", "state.json", "dataset_info.json"), (table, *said), strict=False):
            (place / name).write_bytes(content)
        with suppress(UserError):
            collection(lambda path: HuggingFace(path=path))(place)


def links(data: bytes) -> None:
    table, _, vectors = data.partition(b"\n\x1e\n")
    with folder() as place:
        for name, content in {"metadata/metadata_0.parquet": table, "img_emb/img_emb_0.npy": vectors}.items():
            (place / name).parent.mkdir()
            (place / name).write_bytes(content)
        with suppress(UserError):
            for row in LinkedImages(path=place, similarity_from=None).read():
                (row["caption"] or "").encode()


def _survives(path: Path) -> None:
    """``check_survives`` in a fork, which takes milliseconds instead of a second."""
    child = os.fork()
    if child == 0:
        for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        sys.argv = ["try", str(path)]
        with suppress(BaseException):
            index_file.try_index()
        os._exit(0)
    if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        raise UserError(f"{path}: ended the process that read it")


def index(data: bytes) -> None:
    import numpy as np

    in_a_process, foreign_index.check_survives = foreign_index.check_survives, _survives
    try:
        with folder() as place:
            (place / "a.index").write_bytes(data)
            np.save(place / "a.npy", seeds.unit_rows())
            with suppress(UserError):
                found = refer_to_index(place / "a.index", embeddings_of_files([place / "a.npy"], "clip"))
                found.search(seeds.unit_rows()[:3], 2)
    finally:
        foreign_index.check_survives = in_a_process


def vectors(place: Path) -> None:
    made = embeddings_of_files([place / "0.npy"], "clip")
    for batch in made.batches(64):
        assert abs(batch).max(initial=0) < 1.1


def weights(place: Path) -> None:
    read_header(place / "a.safetensors", "x")


def configuration(place: Path) -> None:
    (place / WEIGHTS).write_bytes(b"")
    text_configuration(place)


TARGETS: dict[str, Target] = {
    "picture": Target(picture, seeds.pictures),
    "downloaded_picture": Target(downloaded, seeds.pictures),
    "web_dataset": Target(in_file("0.tar", collection(WebDataset)), seeds.archives),
    "sidecars": Target(sidecars, lambda: [seeds.JSON + b"\xff\xfetext\xff\xfelabel"]),
    "labels_csv": Target(in_file("a.csv", collection(LabelsCsv)), seeds.lists),
    "captions_csv": Target(
        in_file("a.tsv", collection(CaptionsCsv)), lambda: [each.replace(b",", b"\t") for each in seeds.lists()]
    ),
    "class_table": Target(in_file("a.csv", lambda place: read_class_table(place / "a.csv")), seeds.lists),
    "takedown": Target(in_file("a.txt", takedown), seeds.texts("# list\nhttp://a/b\na/b.png\n")),
    "parquet": Target(in_file("0.parquet", collection(Parquet)), seeds.packed("parquet", "train-0.parquet")),
    "arrow": Target(in_file("0.arrow", collection(Parquet)), seeds.packed("arrow", "train-0.arrow")),
    "img2dataset_parquet": Target(
        in_file("0.parquet", collection(Img2datasetParquet)), seeds.packed("img2dataset_parquet", "00000.parquet")
    ),
    "hugging_face": Target(saved_data_set, seeds.saved_data_set),
    "folders": Target(
        folders, seeds.texts("train/cat/a.png\ntest/dog/b.jpg\n00000/1.jpg\n00000/1.json", "a.csv\nb.parquet")
    ),
    "links": Target(links, seeds.links),
    "downloads": Target(in_file("00000.parquet", lambda place: DownloadStore(place).find(["a", "b"])), seeds.downloads),
    "embeddings": Target(in_file("0.npy", vectors), seeds.arrays),
    "index": Target(index, seeds.indexes),
    "weights": Target(in_file("a.safetensors", weights), seeds.weights),
    "clip_configuration": Target(in_file(CONFIGURATION, configuration), seeds.texts(seeds.CONFIGURATION)),
    "names": Target(
        names, seeds.texts("cat\ndog", "n01440764\n001.ak47-101", "..\ncon\n\udfff".encode("utf-8", "replace").decode())
    ),
    "address": Target(
        address, seeds.texts("http://a.example:80/b\n/c", "https://[::1]/\n//user@x", "file:///etc\nhttp://\u00e9/")
    ),
}

__all__ = ["TARGETS", "Target"]
