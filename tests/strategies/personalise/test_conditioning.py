import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.strategies.personalise.conditioning import Conditioning, k_means
from tests.strategies.personalise.around import around, copy_of, tensors, training, unlike


@pytest.fixture(scope="module")
def originals(red_and_blue):
    return red_and_blue([0, 1, 0, 1, 1])


def test_a_matrix_starts_as_the_encoded_prompt_and_moves(pristine_pipeline, device, originals):
    diffusion = copy_of(pristine_pipeline, device)
    start = diffusion.encode("a photo of a red")
    still = Conditioning(training=training(steps=1, learning_rate=1e-9)).learn(around(diffusion, originals))
    assert torch.allclose(tensors(still)["0000"][0], start, atol=1e-6)
    moved = Conditioning(training=training(steps=10)).learn(around(diffusion, originals))
    assert tensors(moved)["0000"].shape == (1, 16, 16)  # one matrix of 16 tokens, 16 wide
    largest = (tensors(moved)["0000"][0] - start).abs().max()
    assert 0.01 < largest <= 10 * 0.01 * 1.2  # at most about the rate in each of 10 steps


def test_the_model_itself_stays_as_it_was(pristine_pipeline, device, originals):
    diffusion, untouched = copy_of(pristine_pipeline, device), copy_of(pristine_pipeline, device)
    Conditioning(training=training()).learn(around(diffusion, originals))
    for part in ("unet", "vae", "text_encoder"):
        assert unlike(getattr(untouched.pipeline, part), getattr(diffusion.pipeline, part)) == []


def test_clusters_need_clip_and_one_matrix_does_not():
    assert Conditioning().needs == ("diffusion", "originals")
    assert Conditioning(clusters=2).needs == ("diffusion", "originals", "clip")


def test_each_cluster_has_a_matrix_and_its_share_of_the_turns(pristine_pipeline, device, originals, clip):
    part, diffusion = Conditioning(clusters=2, training=training(steps=4)), copy_of(pristine_pipeline, device)
    given = around(diffusion, originals, clip=clip)
    learned = part.learn(given)
    assert [tensors(learned)[name].shape[0] for name in ("0000", "0001")] == [2, 2]
    turns = learned.about["turns"]
    assert [len(each) for each in turns] == [2, 3]  # a turn for each original: two of red, three of blue
    assert [set(each) for each in turns] == [{0, 1}, {0, 1}]
    conditions = part.teach(learned, diffusion, given)
    for number in range(6):
        shown = conditions.of(1, number, ["unused"])
        which = turns[1][number % 3]
        assert torch.equal(shown.condition, tensors(learned)["0001"][which])
        assert shown.prompt == f"[conditioning {which} of blue]"


def test_a_class_of_fewer_images_has_as_many_clusters_as_images(pristine_pipeline, device, originals, clip):
    part, diffusion = Conditioning(clusters=4, training=training(steps=1)), copy_of(pristine_pipeline, device)
    learned = part.learn(around(diffusion, originals, clip=clip))
    assert [tensors(learned)[name].shape[0] for name in ("0000", "0001")] == [2, 3]


def test_clusters_are_those_that_lie_apart():
    near_x = np.array([[1, 0.0], [0.99, 0.05], [0.98, -0.05]])
    near_y = np.array([[0, 1.0], [0.05, 0.99]])
    found = k_means(np.concatenate([near_x, near_y]), 2, seed=0)
    assert len(set(found[:3])) == len(set(found[3:])) == 1
    assert set(found) == {0, 1}


def test_equal_vectors_are_one_cluster():
    assert k_means(np.ones((3, 2)), 2, seed=0).tolist() == [0, 0, 0]


def test_images_are_made_from_the_matrices(pristine_pipeline, device, originals):
    from retrieval_vs_diffusion.models.sampling import Sampling

    diffusion = copy_of(pristine_pipeline, device)
    same = diffusion.encode("a red")
    by_prompt, by_matrix, by_other = diffusion.text_to_image(
        ["a red", same, same + 1], [1, 1, 1], Sampling(steps=2, batch_size=3)
    )
    assert np.array_equal(by_prompt, by_matrix)
    assert not np.array_equal(by_prompt, by_other)
