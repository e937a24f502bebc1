"""What is asked of models is counted, and they are in all else themselves."""

from __future__ import annotations

from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.planning.counted_models import CountedDiffusion, CountedIndex, Work


class Model:
    checkpoint = "stand-in"

    def __init__(self, device="cpu"):
        self.device = device

    def to(self, device):
        return Model(device)

    def text_to_image(self, conditions, seeds, sampling, description=""):
        yield from conditions

    def image_to_image(self, conditions, images, strength, seeds, sampling, description=""):
        yield from images


class Index:
    clip_name = "stand-in"

    def __len__(self):
        return 7

    def with_embeddings(self, embeddings):
        return self

    def search(self, queries, k):
        return queries, k


def test_batches_are_counted_with_their_padding():
    work = Work()
    model = CountedDiffusion(Model(), work).to("cuda")
    assert (model.checkpoint, model.device) == ("stand-in", "cuda")
    sampling = Sampling(batch_size=3)
    assert list(model.text_to_image(["a"] * 7, [0] * 7, sampling, "made")) == ["a"] * 7
    assert list(model.image_to_image(["a"], ["b"], 0.5, seeds=[0], sampling=sampling)) == ["b"]
    assert (work.images, work.batches, work.batch_size) == (8, 4, 3)  # 7 are 3 batches of 3
    assert work.generating > 0


def test_queries_are_counted():
    work = Work()
    index = CountedIndex(Index(), work).with_embeddings(None)
    assert (len(index), index.clip_name) == (7, "stand-in")
    assert index.search([1, 2, 3], 5) == ([1, 2, 3], 5)
    index.search([1], 5)
    assert work.queries == 4
    assert work.searching > 0
