"""Numbers that break on the way to a row's images: the row is short and says so, and nothing goes on for ever."""

import logging

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.images.pool import open_pool
from retrieval_vs_diffusion.images.screening import Gate, Screening, fingerprint
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.models.vector_index import Embeddings, IndexSettings, build_index
from retrieval_vs_diffusion.strategies.collect import Collected, collect
from retrieval_vs_diffusion.strategies.generate.best_of import BestOf
from retrieval_vs_diffusion.strategies.generate.text_to_image import TextToImage
from retrieval_vs_diffusion.strategies.retrieve.by_image import ByImage
from retrieval_vs_diffusion.strategies.retrieve.by_text import ByText
from retrieval_vs_diffusion.strategies.retrieve.by_text_and_image import ByTextAndImage
from retrieval_vs_diffusion.strategies.source import ImageSource, Surroundings

NAMES = ("zero", "one")
RETRIEVERS = [ByText(), ByImage(), ByImage(merge="best_similarity"), ByTextAndImage()]
ROUNDS = 3


@pytest.fixture
def gate() -> Gate:
    nothing = ImageTable.from_rows([])
    return Gate(Screening(leak_similarity=0.93, rounds=ROUNDS), fingerprint(nothing, nothing))


@pytest.fixture(scope="module")
def images() -> ImageTable:
    """Twelve pictures of noise."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    return ImageTable.from_rows(image_row(each, f"pool/{number}") for number, each in enumerate(noise))


def retrieve(part, images, embedded, clip, originals, gate, takedown=frozenset(), factory="Flat", each=3) -> Collected:
    index = build_index(Embeddings(embedded, clip.name), IndexSettings(factory=factory))
    pool = open_pool(images, takedown)
    resources = {"clip": clip, "pool": pool, "index": index, "originals": originals}
    return collect(part, [each, each], Surroundings(NAMES, "row", ("toy",), resources), gate)


@pytest.fixture(scope="module")
def originals(red_and_blue) -> ImageTable:
    return red_and_blue([0, 0, 1, 1])


def counts(collected: Collected, column: str) -> list[int]:
    return [line[column] for line in collected.images.ledger["steps"][-1]["classes"].values()]


@pytest.mark.parametrize("part", RETRIEVERS, ids=repr)
@pytest.mark.parametrize("sign", [1, -1])
def test_an_image_with_a_broken_embedding_is_never_found(part, images, clip, originals, gate, sign):
    """Turned away from every query, the others are less similar than zeros are, and found all the same."""
    embedded = sign * np.abs(clip.embed_table(images)).astype(np.float32)
    embedded[::2] = [np.nan, np.inf, 0, -np.inf, 1, 2, 3, 4] * 2
    embedded[0] = 0
    collected = retrieve(part, images, embedded, clip, originals, gate)
    found = {int(each.split("/")[1]) for each in collected.images.column("image_id")}
    assert found
    assert all(number % 2 for number in found)


@pytest.mark.parametrize("part", RETRIEVERS, ids=repr)
@pytest.mark.parametrize("what", ["all broken", "all taken down", "empty"])
def test_a_pool_in_which_nothing_can_be_found_leaves_the_row_short(part, what, images, clip, originals, gate, caplog):
    caplog.set_level(logging.WARNING)
    embedded, takedown = clip.embed_table(images), frozenset()
    if what == "all broken":
        embedded = np.full_like(embedded, np.nan)
    elif what == "all taken down":
        takedown = frozenset(images.column("image_id"))
    else:
        images, embedded = images.take([]), embedded[:0]
    collected = retrieve(part, images, embedded, clip, originals, gate, takedown)
    assert len(collected.images) == 0
    assert counts(collected, "short_by") == [3, 3]
    assert (
        "row: 6 of 6 images could not be brought (refused: none; the source has no more); 2 of 2 classes have none, "
        in caplog.text
    )


@pytest.mark.parametrize("factory", ["Flat", "IVF2,Flat", "HNSW4"])
def test_an_index_with_fewer_images_than_asked_gives_all_that_it_has(factory, images, clip, originals, gate):
    few = images.take(range(4))
    collected = retrieve(ByText(), few, clip.embed_table(few), clip, originals, gate, factory=factory, each=5)
    assert sorted(collected.images.column("image_id")) == [f"pool/{number}" for number in range(4)]
    assert sum(counts(collected, "short_by")) == 6  # 10 asked, 4 there


def test_a_class_whose_originals_are_all_broken_is_named_and_single_ones_are_left_out(
    images, clip, originals, gate, monkeypatch
):
    embed, broken = clip.embed_table, [1]
    whole = embed(originals)

    def embed_table(table: ImageTable) -> np.ndarray:
        if table is not originals:
            return embed(table)
        return whole * ~np.isin(np.arange(4), broken)[:, None]

    monkeypatch.setattr(clip, "embed_table", embed_table)
    pool = embed(images)
    one_left = retrieve(ByImage(), images, pool, clip, originals, gate).images.column("image_id")
    without = retrieve(
        ByImage(),
        images,
        pool,
        clip,
        originals.take([0, 2, 3]),
        Gate(gate.settings, fingerprint(*[images.take([])] * 2)),
    )
    assert one_left == without.images.column("image_id")
    broken.append(0)
    with pytest.raises(UserError, match=r'row: class "zero" has no original of which .* makes finite numbers; bring'):
        retrieve(ByImage(), images, pool, clip, originals, gate)


def generate(part: ImageSource, diffusion, gate: Gate, **resources) -> Collected:
    resources = {"diffusion": diffusion, "sampling": Sampling(steps=1, batch_size=2), **resources}
    return collect(part, [2, 1], Surroundings(NAMES, "row", ("toy",), resources), gate)


def test_images_that_are_not_finite_are_counted_as_black_and_asked_for_no_longer_than_set(diffusion, gate, caplog):
    caplog.set_level(logging.WARNING)
    with torch.no_grad():
        diffusion.pipeline.vae.decoder.conv_out.bias.fill_(float("nan"))  # as SDXL's autoencoder does in half precision
    collected = generate(TextToImage(), diffusion, gate)
    assert len(collected.images) == 0
    assert counts(collected, "black") == counts(collected, "brought") == [2 * ROUNDS, 1 * ROUNDS]
    assert counts(collected, "short_by") == [2, 1]
    assert (
        "row: 3 of 3 images could not be brought (refused: 9 black); 2 of 2 classes have none, e.g. zero" in caplog.text
    )
    assert "tiny makes numbers that are not finite in 2 of 2 images: they become black" in caplog.text


def test_of_candidates_those_without_a_finite_embedding_come_last(diffusion, clip, gate, monkeypatch):
    embed = clip.embed_table
    monkeypatch.setattr(clip, "embed_table", lambda table: -np.abs(embed(table)) * (np.arange(len(table)) % 2)[:, None])
    part = BestOf(generator={"type": "text_to_image"}, candidates_per_image=2)
    resources = {"clip": clip, "originals": None}
    monkeypatch.setattr(
        type(part.score), "scores", lambda self, embedded, _: (np.zeros(len(embedded), int), embedded[:, :2])
    )
    collected = generate(part, diffusion, gate, **resources)
    assert len(collected.images) == 3
    assert all(similarity < 0 for similarity in collected.images.column("similarity"))  # zeros were left aside
