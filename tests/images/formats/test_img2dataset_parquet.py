from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.formats.img2dataset_parquet import Img2datasetParquet
from tests.images.made_collections import encoded


def shard(path, first: int) -> None:
    """Three links of which the second failed, in img2dataset's columns."""
    columns = {
        "url": [f"https://x/{first + row}" for row in range(3)],
        "caption": [f"caption {first + row}" for row in range(3)],
        "key": [f"{first + row:09d}" for row in range(3)],
        "status": ["success", "failed_to_download", "success"],
        "error_message": [None, "404", None],
        "jpg": [encoded(first), None, encoded(first + 2)],
    }
    pq.write_table(pa.table(columns), path)


def test_what_was_downloaded_is_read_and_the_rest_is_counted(tmp_path):
    shard(tmp_path / "00000.parquet", 0)
    shard(tmp_path / "00001.parquet", 10_000)
    faults = Counter()
    samples = list(Img2datasetParquet(tmp_path, needs="caption").samples(None, faults))
    assert [(s.key, s.caption, s.source) for s in samples] == [
        ("00000/000000000", "caption 0", "https://x/0"),
        ("00000/000000002", "caption 2", "https://x/2"),
        ("00001/000010000", "caption 10000", "https://x/10000"),
        ("00001/000010002", "caption 10002", "https://x/10002"),
    ]
    assert samples[1].image == encoded(2)
    assert faults == {"not downloaded": 2}
    only = Img2datasetParquet(tmp_path).samples({"00001/000010002"})
    assert [s.caption for s in only] == ["caption 10002"]
    assert [(e.key, e.image) for e in Img2datasetParquet(tmp_path).entries()] == [(s.key, None) for s in samples]
    assert Img2datasetParquet(tmp_path).reads == (tmp_path,)


def test_another_table_is_refused(tmp_path):
    pq.write_table(pa.table({"jpg": [encoded(0)], "key": ["0"]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"has no column status, as img2dataset writes it; format: parquet will do"):
        list(Img2datasetParquet(tmp_path).samples())
