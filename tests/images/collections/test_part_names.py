from pathlib import PurePath

import pytest

from retrieval_vs_diffusion.images.collections.part_names import part_named, part_of_file


def test_parts_have_several_names():
    names = ["train", "Training", "val", "valid", "validation", "dev", "TEST", " testing "]
    assert [part_named(name) for name in names] == ["train"] * 2 + ["val"] * 4 + ["test"] * 2
    assert part_named("extra") is None


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("train-00000-of-00002.parquet", "train"),
        ("validation_0.tar", "val"),
        ("test.parquet", "test"),
        ("plain/test/0000.parquet", "test"),
        ("train/test-0.parquet", "test"),
        ("trainer-0.parquet", None),
        ("00000.tar", None),
    ],
)
def test_the_part_of_a_shard(file, part):
    assert part_of_file(PurePath(file)) == part
