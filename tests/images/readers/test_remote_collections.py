"""Every format gives the same rows from a bucket as from the disk, and fetches no more than it reads."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value, disable_progress_bars

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.digest import digest_of_collection
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
from retrieval_vs_diffusion.images.readers.labelled_images import LabelledImages
from retrieval_vs_diffusion.images.readers.linked_images import LinkedImages
from retrieval_vs_diffusion.parts import build_part
from retrieval_vs_diffusion.planning.pool_survey import size_of_files
from retrieval_vs_diffusion.remote.listing import forget_listings
from retrieval_vs_diffusion.remote.remote_path import as_path
from retrieval_vs_diffusion.study import READERS
from tests.images.made_collections import encoded, tree, write, write_parquet, write_tar
from tests.images.readers.test_linked_images import urls, write_pair

disable_progress_bars()
CLASSES = ["cat", "dog"]


def image_folder(folder):
    return write(folder, {f"a/{n}.png": encoded(n) for n in range(4)} | {"a/1.txt": "one", "b.jpg": b"broken"})


def captions_csv(folder):
    write(folder, {f"img/{n}.png": encoded(n) for n in range(4)})
    return write(folder, {"captions.csv": "file,caption\nimg/0.png,zero\nimg/2.png,two\nimg/3.png,\nimg/9.png,none\n"})


def tars(folder):
    for shard in range(3):
        names = [f"{shard}{n}" for n in range(4)]
        members = [[(f"{n}.png", encoded(int(n))), (f"{n}.txt", f"no {n}"), (f"{n}.cls", "dog")] for n in names]
        write_tar(folder / f"{shard:05d}.tar", [each for sample in members for each in sample])
    return folder


def parquet(folder):
    for shard in range(3):
        columns = {"image": [encoded(10 * shard + n) for n in range(4)], "caption": [f"{shard} {n}" for n in range(4)]}
        write_parquet(folder / f"data/{shard:04d}.parquet", columns)
    return folder


def img2dataset_files(folder):
    files: dict[str, bytes | str] = {}
    for n in range(5):
        about = {"url": f"https://x/{n}", "status": "success", "punsafe": 0.9 if n == 2 else 0.1}
        files |= {f"00000/{n:09d}.jpg": encoded(n, "JPEG"), f"00000/{n:09d}.json": json.dumps(about)}
        files |= {f"00000/{n:09d}.txt": f"caption {n}"}
    return write(folder, files)


def img2dataset_parquet(folder):
    table = {
        "key": [f"{n:09d}" for n in range(4)],
        "status": ["success", "failed_to_download", "success", "success"],
        "caption": ["a", "b", "c", "d"],
        "jpg": pa.array([encoded(n, "JPEG") for n in range(4)], pa.binary()),
    }
    folder.mkdir(parents=True)
    pa.parquet.write_table(pa.table(table), folder / "00000.parquet")
    return folder


def hugging_face(folder):
    features = Features({"image": Image(), "label": ClassLabel(names=CLASSES), "caption": Value("string")})
    images = [{"bytes": encoded(n), "path": None} for n in range(12)]
    rows = {"image": images, "label": [n % 2 for n in range(12)], "caption": [f"no {n}" for n in range(12)]}
    Dataset.from_dict(rows, features=features).save_to_disk(folder)
    return folder


def labels_csv(folder):
    write(folder, {f"img/{n}.png": encoded(n) for n in range(12)})
    return write(folder, {"labels.csv": "path,label\n" + "".join(f"img/{n}.png,{CLASSES[n % 2]}\n" for n in range(12))})


def class_folders(folder):
    return tree(folder, train=4, val=2, test=2)


def labelled_parquet(folder):
    columns = {"image": [encoded(n) for n in range(12)], "label": [n % 2 for n in range(12)]}
    write_parquet(folder / "all.parquet", columns, classes=CLASSES)
    return folder / "all.parquet"


def labelled_tar(folder):
    names = [f"{n:02d}" for n in range(12)]
    members = [[(f"{n}.png", encoded(int(n))), (f"{n}.cls", CLASSES[int(n) % 2])] for n in names]
    return write_tar(folder / "all.tar", [each for sample in members for each in sample])


POOLS = (image_folder, captions_csv, tars, parquet, img2dataset_files, img2dataset_parquet, hugging_face)
TARGETS = (class_folders, labels_csv, labelled_parquet, labelled_tar, hugging_face)


def rows_of(reader, root) -> tuple[list, dict]:
    """All rows, by part of a target, with sources from the collection on; and what was counted."""
    read = reader.read()
    streams = {"test": read.test, "val": read.val, "reservoir": read.reservoir} if hasattr(read, "val") else {"": read}
    rows = [
        (part, *(value for name, value in row.items() if name != "source"), row["source"].replace(str(root), ""))
        for part, stream in streams.items()
        for row in stream
    ]
    return rows, {part: stream.ledger for part, stream in streams.items()}


@pytest.mark.parametrize(("kind", "make"), [*(("pool", m) for m in POOLS), *(("target", m) for m in TARGETS)])
def test_a_format_gives_the_same_from_a_bucket(kind, make, bucket, remote_cache, tmp_path):
    local = make(tmp_path / "mine")
    address = bucket.upload(local, f"{kind}/{make.__name__}/{local.name}")
    part = {"pool": "captioned_images", "target": "labelled_images"}[kind]
    near, far = (build_part(READERS, {"type": part, "path": str(each)}, "reader") for each in (local, address))
    here, there = rows_of(near, local), rows_of(far, address)
    assert len(here[0]) > 2
    assert there == here
    # Its place is shown as the user wrote it, and never where its copy lies.
    assert str(remote_cache) not in repr(there)
    assert all(str(each).startswith("s3://") for each in far.reads)
    assert [str(each).replace(address, "") for each in far.reads] == [
        str(each).replace(str(local), "") for each in near.reads
    ]
    if kind == "pool":
        assert size_of_files(far.reads, 1) == size_of_files(near.reads, 1)


def test_links_are_read_from_a_bucket_and_their_embeddings_named_there(bucket, remote_cache, tmp_path):
    for number in (0, 1):
        write_pair(tmp_path / "links", number, {"URL": urls(number, 7), "TEXT": ["a", "b"]})
    address = bucket.upload(tmp_path / "links", "links")
    near, far = CaptionedImages(path=tmp_path / "links").read(), CaptionedImages(path=address).read()
    here, there = list(near), list(far)
    assert there == here
    assert far.ledger["embeddings"] == [f"{address}/img_emb/img_emb_{number}.npy" for number in (0, 1)]
    assert not list(remote_cache.glob("??/*.npy"))  # of embeddings only the headers were read


@pytest.mark.parametrize("fault", ["rows", "cut off", "objects"])
def test_embeddings_in_a_bucket_are_checked_by_their_headers(fault, bucket, remote_cache, tmp_path):
    folder = tmp_path / fault
    write_pair(folder, 0, {"URL": urls(1, 2)})
    array = folder / "img_emb/img_emb_0.npy"
    if fault == "rows":
        np.save(array, np.zeros((3, 4), np.float16))
    elif fault == "objects":
        np.save(array, np.array([[{}, 1]], dtype=object), allow_pickle=True)
    else:
        array.write_bytes(array.read_bytes()[:-1])
    line = {"rows": "3 embeddings, but", "cut off": "lacks 1 bytes", "objects": "no whole .npy file"}[fault]
    with pytest.raises(UserError, match=line):
        LinkedImages(path=bucket.upload(folder, f"faulty/{fault}")).read()


@pytest.mark.parametrize("make", [tars, parquet])
def test_the_first_row_comes_before_the_pool_is_copied(make, bucket, remote_cache, tmp_path):
    address = bucket.upload(make(tmp_path / "large"), f"large/{make.__name__}")  # three shards
    rows = iter(CaptionedImages(path=address).read())
    next(rows)
    rows.close()
    assert len(list(remote_cache.glob("??/*"))) in (1, 2)  # one, and the next while it is read


def test_a_changed_added_or_removed_object_makes_another_fingerprint_and_a_question_none(
    bucket, remote_cache, tmp_path
):
    address = bucket.upload(tree(tmp_path / "tree"), "counted")
    seen = []

    def fingerprint():
        forget_listings()
        return digest_of_collection(LabelledImages(path=address).reads)

    seen.append(fingerprint())
    assert fingerprint() == seen[0]
    bucket.put("counted/cat/0.png", encoded(99))
    seen.append(fingerprint())
    bucket.put("counted/cat/new.png", encoded(98))
    seen.append(fingerprint())
    bucket.delete("counted/dog/0.png")
    seen.append(fingerprint())
    assert len(set(seen)) == 4
    assert not list(remote_cache.glob("??/*"))  # nothing was fetched for it


def test_an_object_that_vanishes_while_the_pool_is_read_is_told(bucket, remote_cache, tmp_path):
    address = bucket.upload(tars(tmp_path / "tars"), "vanishing")
    rows = iter(CaptionedImages(path=address).read())
    next(rows)
    bucket.delete("vanishing/00002.tar")
    with pytest.raises(UserError, match=r"vanishing/00002\.tar: is not there \(any more\)"):
        list(rows)


@pytest.mark.parametrize("listed", ["/etc/hostname", "s3://other/x.png", "../x.png"])
def test_a_list_in_a_bucket_names_no_file_elsewhere(listed, bucket, remote_cache):
    bucket.put("hostile/list.csv", f"path,caption\n{listed},x\n".encode())
    bucket.put("hostile/a.png", encoded())
    with pytest.raises(UserError, match=r"hostile/list\.csv: line 2 names"):
        list(CaptionedImages(path=bucket.address("hostile")).read())


def test_a_table_in_a_bucket_names_files_of_its_folder_alone(bucket, remote_cache, tmp_path):
    secret = write(tmp_path, {"secret.png": encoded(5)}) / "secret.png"
    bucket.put("elsewhere/b.png", encoded(6))
    bucket.put("named/a.png", encoded(7))
    named = ["a.png", str(secret), "../elsewhere/b.png", "s3://bucket/elsewhere/b.png"]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array([{"bytes": None, "path": name} for name in named], kind), "text": named})
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    bucket.put("named/t.parquet", (tmp_path / "t.parquet").read_bytes())
    stream = CaptionedImages(path=bucket.address("named"), format="parquet").read()
    assert [row["caption"] for row in stream] == ["a.png"]
    assert stream.ledger["broken"] == 3


def test_nothing_at_an_address_is_a_line(bucket, remote_cache):
    for read in (CaptionedImages, LabelledImages):
        with pytest.raises(UserError, match=rf"there is nothing at s3://{bucket.name}/nothing"):
            read(path=bucket.address("nothing")).read()
    with pytest.raises(UserError, match="there is nothing at s3://"):
        CaptionedImages(path=bucket.address("nothing"), format="hugging_face").read()
    assert CaptionedImages(path=bucket.address("nothing")).reads == (as_path(bucket.address("nothing")),)
