"""Training a FAISS index on a sample of a pool's embeddings, and filling it."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.embeddings import Embeddings
from retrieval_vs_diffusion.models.faiss_calls import inverted_lists, said_by_faiss, threads
from retrieval_vs_diffusion.models.index_file import write_index
from retrieval_vs_diffusion.models.index_filling import filled, read_unit
from retrieval_vs_diffusion.models.index_settings import (
    TRAINING_VECTORS_PER_LIST,
    IndexSettings,
    choose_factory,
    choose_nprobe,
)
from retrieval_vs_diffusion.unfinished import unfinished

logger = logging.getLogger(__name__)

_TRAINING_VECTORS = 16_384  # for codes: 64 for each of a product quantizer's 256 centres


def make_faiss_index(embeddings: Embeddings, settings: IndexSettings, seed: int) -> Any:
    """Train an inner-product index on a sample and add all vectors, a batch at a time.

    The same embeddings, settings and seed make the same bytes with the same number of threads on the same machine
    (``docs/adr/0010`` says what was checked); not where the lists were trained on GPUs. A run that was killed goes on
    after the training, and after the last part of a million vectors where the index has inverted lists.

    Raises:
        UserError: if FAISS does not know the factory string, or it does not fit these embeddings.
    """
    factory = choose_factory(len(embeddings), embeddings.width, settings)
    index = _empty(factory, embeddings.width)
    with threads(1 if "NSG" in factory else None):  # its graph differs from run to run otherwise
        if not index.is_trained:
            index = _trained(index, factory, embeddings, settings, seed)
        try:
            index = filled(index, embeddings, f"adding vectors to the index {factory}")
        except RuntimeError as error:
            raise _wrong(factory, embeddings, error) from error
    lists = inverted_lists(index)
    if lists is not None:
        lists.nprobe = choose_nprobe(lists.nlist, settings)
    return index


def _trained(index: Any, factory: str, embeddings: Embeddings, settings: IndexSettings, seed: int) -> Any:
    """The index, trained, or as a run that was killed had trained it."""
    kept = unfinished().section("trained")
    found = kept.find("index", read_unit)
    if found is not None:
        return found
    _train(index, factory, embeddings, settings, seed)
    kept.keep("index", partial(write_index, index))
    return index


def _empty(factory: str, width: int) -> Any:
    import faiss

    try:
        index = faiss.index_factory(width, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise UserError(
            f'index: found factory "{factory}", of which FAISS says for {width} dimensions: {said_by_faiss(error)}; '
            "take auto, stream, Flat, IVF1024,SQ8, HNSW32 or another factory string"
        ) from error
    lists = inverted_lists(index)
    if lists is not None and lists.nlist < 1:
        raise UserError(f'index: factory "{factory}" has no inverted list; take at least IVF1')
    return index


def _train(index: Any, factory: str, embeddings: Embeddings, settings: IndexSettings, seed: int) -> None:
    lists = inverted_lists(index)
    wanted = max(_TRAINING_VECTORS, TRAINING_VECTORS_PER_LIST * lists.nlist if lists is not None else 0)
    sample = _sample(embeddings, settings.train_sample or wanted, seed)
    logger.info("Training the index %s on %d of %d vectors", factory, len(sample), len(embeddings))
    try:
        if not (lists is not None and settings.use_gpu and _trained_with_gpus(index, lists, sample)):
            index.train(sample)
    except RuntimeError as error:
        raise _wrong(factory, embeddings, error, len(sample)) from error


def _sample(embeddings: Embeddings, size: int, seed: int) -> Float[np.ndarray, "m d"]:
    """Random vectors of the pool, in its order; the broken ones among them are left out, as they have no direction."""
    n = len(embeddings)
    random = np.random.default_rng(seed)
    rows = np.arange(n) if size >= n else np.sort(random.choice(n, size, replace=False, shuffle=False))
    vectors = embeddings.rows(rows)
    return vectors[vectors.any(axis=1)]


def _trained_with_gpus(index: Any, lists: Any, sample: Float[np.ndarray, "m d"]) -> bool:
    """Train with the k-means of the inverted lists on all GPUs: it is nearly all the work. False where none is there.

    The rest of the index stays on the CPU, so that every factory string can be had.
    """
    import faiss

    if not faiss.get_num_gpus():
        logger.info("FAISS sees no GPU: the index is trained on the CPU")
        return False
    try:
        on_gpus = faiss.index_cpu_to_all_gpus(
            faiss.IndexFlatIP(lists.d)
        )  # held by this name alone: FAISS takes no part
    except (RuntimeError, AssertionError) as error:
        logger.warning("The index is trained on the CPU; its GPU says: %s", said_by_faiss(error))
        return False
    logger.info("Training the inverted lists on %d GPUs", faiss.get_num_gpus())
    lists.clustering_index = on_gpus
    try:
        index.train(sample)
    finally:
        lists.clustering_index = None
    return True


def _wrong(factory: str, embeddings: Embeddings, error: RuntimeError, trained_on: int | None = None) -> UserError:
    said = said_by_faiss(error)
    short = re.search(
        r"Number of training points \(\d+\) should be at least as large as number of clusters \((\d+)\)", said
    )
    if short and trained_on is not None:
        least = int(short.group(1))
        mend = (
            f"raise index.train_sample to at least {least}, better {39 * least}"
            if len(embeddings) >= least
            else f"bring at least {least} images, or take auto, or a factory string with fewer lists and bits"
        )
        return UserError(
            f'index: factory "{factory}" must be trained on at least {least} vectors, there are {trained_on}: {mend}'
        )
    return UserError(
        f'index: factory "{factory}" does not fit {len(embeddings)} vectors of {embeddings.width} dimensions; '
        f"FAISS says: {said}; take auto or another factory string"
    )
