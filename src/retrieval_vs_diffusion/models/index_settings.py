"""Which FAISS index is built over a pool."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

TRAINING_VECTORS_PER_LIST = 40  # k-means asks for 39 at least, the guidelines for 30 to 256
_SQ8_TIMES_EXACT = 16  # 8-bit codes may be so many times larger than what is searched exactly: by default 16 GB
_CODE_BYTES = 64  # of a product quantizer: 48 times smaller than 768 dimensions in single precision
STREAM = "stream"  # no index: each search reads the embeddings through
_GRAPH_FROM_LISTS = 16_384  # from so many lists on, their centres are searched through a graph


class IndexSettings(BaseModel):
    """How a pool is searched.

    Args:
        factory: ``auto``; ``stream``, where no index is built and each search reads all embeddings once, exactly; or
            any of FAISS's factory strings, e.g. ``Flat``, ``IVF4096,SQ8``, ``HNSW32``; a ``+`` stands for a comma,
            which the command line cannot hold.
        exact_up_to_bytes: ``auto`` holds the vectors in memory while they take so many bytes in single precision.
        stream_up_to_bytes: from there on ``auto`` streams them up to so many bytes, and builds an index beyond.
        nprobe: how many inverted lists a query reads; without it a sixteenth of them, at least 8. An index made
            by other tools keeps its own number, if that is more than FAISS's initial 1.
        train_sample: vectors that an index is trained on; without it 40 for each inverted list, at least 16,384.
        path: an index that other tools made over the same embeddings, in the same order; nothing is built then.
        use_gpu: train the inverted lists, and search, on GPUs where FAISS sees some.
        recall_at: neighbours whose recall is measured.
        recall_queries: queries it is measured with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    factory: Annotated[str, Field(min_length=1), AfterValidator(lambda said: said.replace("+", ","))] = "auto"
    exact_up_to_bytes: Annotated[int, Field(ge=0)] = 10**9
    stream_up_to_bytes: Annotated[int, Field(ge=0)] = 64 * 10**9
    nprobe: Annotated[int, Field(ge=1)] | None = None
    train_sample: Annotated[int, Field(ge=1)] | None = None
    path: str | None = None
    use_gpu: bool = True
    recall_at: Annotated[int, Field(ge=1)] = 10
    recall_queries: Annotated[int, Field(ge=1)] = 100


def choose_factory(n: int, d: int, settings: IndexSettings) -> str:
    """The factory string for n vectors of d dimensions, or ``stream``.

    ``auto`` follows https://github.com/facebookresearch/faiss/wiki/Guidelines-to-choose-an-index: "Flat" where few
    searches do not repay the building. Larger pools are streamed: training and filling inverted lists takes as long
    as some 16,000 + 4 sqrt(n) queries do that share passes over the embeddings (``docs/adr/0010`` has the reckoning
    and what was measured), more than a study makes. An index beyond that, or without streaming, has inverted lists,
    of 8-bit codes as long as memory allows (by default 16 GB, about 20 million vectors of 768 dimensions),
    beyond that of product-quantized ones of 64 bytes after a rotation ("OPQ64_256,IVF...,PQ64", where the width of 256
    is at most 4 times the bytes, as they advise).
    The number of lists is the power of two below their 4 sqrt(n), the lower end of what they name for up to a
    million: a study makes thousands of queries, not billions, and training costs n_lists squared. From 16,384 lists
    on (17 million vectors) their centres are searched through HNSW, as they advise for many lists.
    """
    if settings.factory != "auto":
        return settings.factory
    if n * d * 4 <= settings.exact_up_to_bytes:
        return "Flat"
    if n * d * 4 <= settings.stream_up_to_bytes:
        return STREAM
    wished = max(1, min(round(4 * n**0.5), n // TRAINING_VECTORS_PER_LIST))
    n_lists = 2 ** (wished.bit_length() - 1)
    lists = f"IVF{n_lists}_HNSW32" if n_lists >= _GRAPH_FROM_LISTS else f"IVF{n_lists}"
    if n * d <= _SQ8_TIMES_EXACT * settings.exact_up_to_bytes:
        return f"{lists},SQ8"
    code = 2 ** (min(_CODE_BYTES, d).bit_length() - 1)
    width = min(4 * code, d - d % code)
    return f"OPQ{code}_{width},{lists},PQ{code}"


def choose_nprobe(n_lists: int, settings: IndexSettings) -> int:
    """How many of an index's inverted lists a query reads; never more than there are."""
    return max(1, min(n_lists, settings.nprobe or max(8, n_lists // 16)))
