"""Collections in every format a user may bring, with the same files in each."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.images.made_collections import hugging_face_metadata, write, write_tar

CLASSES = ("cat", "dog")
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True)
class Entry:
    """One file of a collection.

    Args:
        name: of the file, with its ending.
        data: the file's bytes.
        caption: text, or bytes that are none.
        label: of ``CLASSES``.
    """

    name: str
    data: bytes
    caption: str | bytes
    label: str = "cat"

    @property
    def stem(self) -> str:
        """A name without a dot, at which WebDataset begins the ending."""
        return self.name.replace(".", "_")

    @property
    def file(self) -> str:
        return f"{self.stem}.{self.name.rpartition('.')[2]}"

    @property
    def text(self) -> bytes:
        return self.caption if isinstance(self.caption, bytes) else self.caption.encode()


Keys = dict[str, str]  # of an entry's name the id of its row


def image_folder(folder: Path, entries: Sequence[Entry]) -> Keys:
    for entry in entries:
        write(folder, {entry.file: entry.data, f"{entry.stem}.txt": entry.text})
    return {entry.name: entry.file for entry in entries}


def captions_csv(folder: Path, entries: Sequence[Entry]) -> Keys:
    write(folder, {f"pictures/{entry.file}": entry.data for entry in entries})
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [(f"pictures/{entry.file}", entry.caption, entry.label) for entry in entries]
        csv.writer(file).writerows([("path", "caption", "label"), *rows])
    return {entry.name: f"pictures/{entry.file}" for entry in entries}


def class_folders(folder: Path, entries: Sequence[Entry]) -> Keys:
    write(folder, {f"train/{entry.label}/{entry.file}": entry.data for entry in entries})
    return {entry.name: f"train/{entry.label}/{entry.file}" for entry in entries}


def web_dataset(folder: Path, entries: Sequence[Entry]) -> Keys:
    members = [
        (name, content)
        for entry in entries
        for name, content in (
            (entry.file, entry.data),
            (f"{entry.stem}.txt", entry.text),
            (f"{entry.stem}.cls", entry.label),
        )
    ]
    write_tar(folder / "train-0.tar", members)
    return {entry.name: f"train-0/{entry.stem}" for entry in entries}


def img2dataset_files(folder: Path, entries: Sequence[Entry]) -> Keys:
    for entry in entries:
        about = json.dumps({"status": "success", "url": f"https://x.example/{entry.stem}"})
        files = {entry.file: entry.data, f"{entry.stem}.txt": entry.text, f"{entry.stem}.json": about}
        write(folder / "00000", files)
    return {entry.name: f"00000/{entry.stem}" for entry in entries}


def img2dataset_parquet(folder: Path, entries: Sequence[Entry]) -> Keys:
    table = table_of(entries).drop_columns(["image", "label"])
    table = table.append_column("key", pa.array([entry.stem for entry in entries]))
    table = table.append_column("status", pa.array(["success"] * len(entries)))
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.append_column("jpg", pa.array([entry.data for entry in entries])), folder / "00000.parquet")
    return {entry.name: f"00000/{entry.stem}" for entry in entries}


def parquet(folder: Path, entries: Sequence[Entry]) -> Keys:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table_of(entries), folder / "train-0.parquet", row_group_size=7)
    return {entry.name: f"train-0.parquet/{number}" for number, entry in enumerate(entries)}


def arrow(folder: Path, entries: Sequence[Entry]) -> Keys:
    folder.mkdir(parents=True, exist_ok=True)
    table = table_of(entries)
    with pa.ipc.new_file(str(folder / "train-0.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return {entry.name: f"train-0.arrow/{number}" for number, entry in enumerate(entries)}


def hugging_face(folder: Path, entries: Sequence[Entry]) -> Keys:
    """As ``save_to_disk`` lays it out: written by hand, for ``datasets`` itself refuses text that is no UTF-8."""
    part = folder / "train"
    part.mkdir(parents=True, exist_ok=True)
    table = table_of(entries)
    with pa.OSFile(str(part / "data-0.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    text = {"dtype": "string", "_type": "Value"}
    features = {"image": {"_type": "Image"}, "caption": text, "label": {"names": list(CLASSES), "_type": "ClassLabel"}}
    state = {"_data_files": [{"filename": "data-0.arrow"}], "_fingerprint": "0", "_format_columns": None}
    state |= {"_format_kwargs": {}, "_format_type": None, "_output_all_columns": False, "_split": "train"}
    contents = {"train/state.json": state, "train/dataset_info.json": {"features": features}}
    contents["dataset_dict.json"] = {"splits": ["train"]}
    write(folder, {name: json.dumps(content) for name, content in contents.items()})
    return {entry.name: f"train/{number}" for number, entry in enumerate(entries)}


def table_of(entries: Sequence[Entry]) -> pa.Table:
    """Text goes in as bytes: whether it is UTF-8 is not asked, as other writers do not ask."""
    images = pa.array([{"bytes": entry.data, "path": None} for entry in entries], _IMAGE)
    captions = pa.array([entry.text for entry in entries]).view(pa.string())
    labels = pa.array([CLASSES.index(entry.label) for entry in entries])
    table = pa.table({"image": images, "caption": captions, "label": labels})
    label = {"_type": "ClassLabel", "names": list(CLASSES)}
    return table.replace_schema_metadata(hugging_face_metadata(image={"_type": "Image"}, label=label))


POOLS: dict[str, Callable[[Path, Sequence[Entry]], Keys]] = {
    writer.__name__: writer
    for writer in (
        *(image_folder, captions_csv, web_dataset, img2dataset_files),
        *(img2dataset_parquet, parquet, arrow, hugging_face),
    )
}
TARGETS: dict[str, Callable[[Path, Sequence[Entry]], Keys]] = {
    writer.__name__: writer for writer in (class_folders, web_dataset, parquet, arrow, hugging_face)
}
TABLES = {"img2dataset_parquet", "parquet", "arrow", "hugging_face"}
