import pytest
from pydantic import ValidationError

from retrieval_vs_diffusion.models.index_settings import IndexSettings, choose_factory, choose_nprobe


@pytest.mark.parametrize(
    ("n", "d", "factory"),
    [
        (0, 0, "Flat"),
        (150, 64, "Flat"),
        (325_000, 768, "Flat"),  # 998 MB in single precision
        (330_000, 768, "IVF2048,SQ8"),  # 1.01 GB; 4 sqrt(330000) = 2298
        (1_000_000, 768, "IVF2048,SQ8"),  # 4000 is below 4096
        (5_000_000, 512, "IVF8192,SQ8"),
        (20_000_000, 768, "IVF16384_HNSW32,SQ8"),  # 15.4 GB of codes
        (21_000_000, 768, "OPQ64_256,IVF16384_HNSW32,PQ64"),  # 16.1 GB would be too many
        (1_000_000_000, 768, "OPQ64_256,IVF65536_HNSW32,PQ64"),
    ],
)
def test_auto_grows_with_the_pool(n, d, factory):
    assert choose_factory(n, d, IndexSettings(stream_up_to_bytes=0)) == factory


@pytest.mark.parametrize(
    ("n", "d", "factory"),
    [
        (325_000, 768, "Flat"),  # 998 MB in single precision
        (330_000, 768, "stream"),  # 1.01 GB
        (20_800_000, 768, "stream"),  # 63.9 GB
        (21_000_000, 768, "OPQ64_256,IVF16384_HNSW32,PQ64"),  # 64.5 GB
    ],
)
def test_between_memory_and_an_index_auto_streams(n, d, factory):
    assert choose_factory(n, d, IndexSettings()) == factory
    assert choose_factory(n, d, IndexSettings(factory="stream")) == "stream"


@pytest.mark.parametrize(
    ("n", "d", "exact_up_to_bytes", "factory"),
    [
        (1000, 64, 0, "OPQ64_64,IVF16,PQ64"),  # 25 lists have 40 training vectors each
        (1000, 6, 0, "OPQ4_4,IVF16,PQ4"),  # a code's length divides the width
        (1000, 64, 5000, "IVF16,SQ8"),
        (1000, 64, 256_000, "Flat"),
        (30, 64, 0, "OPQ64_64,IVF1,PQ64"),
    ],
)
def test_auto_fits_small_pools_too(n, d, exact_up_to_bytes, factory):
    assert choose_factory(n, d, IndexSettings(exact_up_to_bytes=exact_up_to_bytes, stream_up_to_bytes=0)) == factory


def test_a_factory_that_is_asked_for_is_taken():
    assert choose_factory(10, 4, IndexSettings(factory="HNSW32")) == "HNSW32"


@pytest.mark.parametrize(
    ("n_lists", "nprobe", "read"), [(1024, None, 64), (100, None, 8), (4, None, 4), (1024, 5, 5), (4, 100, 4)]
)
def test_a_query_reads_a_sixteenth_of_the_lists(n_lists, nprobe, read):
    assert choose_nprobe(n_lists, IndexSettings(nprobe=nprobe)) == read


@pytest.mark.parametrize("wrong", [{"factor": "Flat"}, {"nprobe": 0}, {"factory": ""}, {"train_sample": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        IndexSettings(**wrong)
