"""A pool's size is told without reading it; no more than the sample is read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
from retrieval_vs_diffusion.images.readers.linked_images import LinkedImages
from retrieval_vs_diffusion.planning.pool_survey import PoolSize, size_of_files, survey_pool
from tests.images.made_collections import encoded, write, write_parquet, write_tar


def tar(folder, number: int, images: int):
    members = [(f"{number:05d}{each:04d}.png", encoded(100 * number + each)) for each in range(images)]
    return write_tar(folder / f"{number:05d}.tar", members)


def test_tars_are_told_by_what_img2dataset_left_beside_them(tmp_path):
    for number in range(3):
        tar(tmp_path, number, 2)
        write(tmp_path, {f"{number:05d}_stats.json": '{"count": 10000, "successes": 7000}'})
    assert size_of_files((tmp_path,), 1) == PoolSize(21_000, True, "told by img2dataset's statistics")


def test_else_the_first_tar_is_counted_and_the_others_weighed(tmp_path):
    first = tar(tmp_path, 0, 4)
    for number in (1, 2):
        (tmp_path / f"{number:05d}.tar").write_bytes(bytes(3 * first.stat().st_size))  # 3 times as large: 12 images
    size = size_of_files((tmp_path,), 1)
    assert (size.rows, size.exact) == (4 + 12 + 12, False)
    assert "the first of 3 tars counted" in size.how


def test_files_are_counted_and_tables_asked(tmp_path):
    write(tmp_path / "files", {f"00000/{each}.jpg": encoded(each, "JPEG") for each in range(5)})
    write(tmp_path / "files", {"00000/0.txt": "a cat", ".hidden/6.jpg": "no"})
    assert size_of_files((tmp_path / "files",), 1) == PoolSize(5, True, "files counted")
    write_parquet(tmp_path / "tables/a.parquet", {"image": [encoded(0)] * 3, "caption": ["a"] * 3})
    with (
        pa.OSFile(str(tmp_path / "tables/b.arrow"), "wb") as file,
        pa.ipc.new_stream(file, pa.schema([("a", "i4")])) as to,
    ):
        to.write_batch(pa.record_batch({"a": pa.array([1, 2], pa.int32())}))
    assert size_of_files((tmp_path / "tables",), 1) == PoolSize(5, True, "told by the tables' metadata")
    assert not size_of_files((tmp_path / "nothing",), 7).exact


def test_a_user_s_pool_is_read_no_further_than_the_sample(tmp_path):
    images = {f"{each:02d}.png": encoded(each) for each in range(30)}
    images["02.png"] = b"broken"
    write(tmp_path, images)
    found = survey_pool(CaptionedImages(path=tmp_path, format="image_folder"), limit=9)
    assert len(found.images) == 9
    assert found.usable_share == 0.9  # of 10 that were looked at
    assert found.size == PoolSize(30, True, "files counted")
    assert found.images.ledger["read"] == 10


def test_at_most_bounds_it(tmp_path):
    write(tmp_path, {f"{each:02d}.png": encoded(each) for each in range(30)})
    found = survey_pool(CaptionedImages(path=tmp_path, format="image_folder", at_most=12), limit=5)
    assert found.size.rows == 12


def test_links_are_counted_by_their_tables(tmp_path):
    write_parquet(tmp_path / "metadata/metadata_0.parquet", {"url": [f"http://a.example/{n}" for n in range(40)]})
    (tmp_path / "img_emb").mkdir()
    np.save(tmp_path / "img_emb/img_emb_0.npy", np.ones((40, 4), np.float16))
    found = survey_pool(LinkedImages(path=tmp_path), limit=25)
    assert found.size == PoolSize(40, True, "told by the tables' metadata")
    assert len(found.images) == 25
    assert found.images.ledger["kind"] == "links"
    assert found.usable_share == 1.0  # of links none is dropped


def test_a_table_is_as_long_as_it_is(pool):
    class Reader:
        def read(self):
            return pool

    found = survey_pool(Reader(), limit=20)
    assert found.size == PoolSize(150, True, "read")
    assert found.images.column("image_id") == pool.column("image_id")[:20]
