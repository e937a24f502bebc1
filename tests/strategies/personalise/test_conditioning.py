import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable
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


def test_clusters_are_those_of_the_images_in_clip_space(pristine_pipeline, device, red_and_blue, clip):
    """A class of three red and one blue image: the clusters are the colours, and the turns three to one."""
    mixed = red_and_blue([0, 0, 1, 0])
    given = around(copy_of(pristine_pipeline, device), relabelled(mixed), names=["any"], clip=clip)
    learned = Conditioning(clusters=2, training=training(steps=1)).learn(given)
    (turns,) = learned.about["turns"]
    assert turns[0] == turns[1] == turns[3] != turns[2]


def relabelled(images):
    return ImageTable.from_rows([{**row, "label": 0} for row in images.table.to_pylist()])


def test_no_matrix_is_left_where_it_started_though_images_are_held_out(pristine_pipeline, device, red_and_blue, clip):
    """Each of three clusters keeps an image to learn from, whichever images are held out."""
    originals = red_and_blue([0] * 4 + [1] * 4)
    for repetition in range(3):
        diffusion = copy_of(pristine_pipeline, device)
        part = Conditioning(clusters=3, training=training(steps=4, batch_size=16, held_out_share=0.5, patience=9))
        learned = part.learn(around(diffusion, originals, repetition=repetition, clip=clip))
        kept = max(look["step"] for look in learned.curve.looks if look["kept"])
        assert kept > 0  # else what follows would say nothing
        for name, colour in (("0000", "red"), ("0001", "blue")):
            start = diffusion.encode(f"a photo of a {colour}")
            assert all((matrix - start).abs().max() > 1e-3 for matrix in tensors(learned)[name])


def test_the_seed_decides_what_is_learned(pristine_pipeline, device, originals):
    one, same, other = (
        tensors(
            Conditioning(training=training(steps=3)).learn(
                around(copy_of(pristine_pipeline, device), originals, repetition=repetition)
            )
        )
        for repetition in (0, 0, 1)
    )
    assert torch.equal(one["0001"], same["0001"])
    assert not torch.equal(one["0001"], other["0001"])


def test_a_matrix_starts_from_one_template_and_more_are_refused():
    for several in (["a {name}", "the {name}"], "openai_imagenet_templates"):
        with pytest.raises(UserError, match="a matrix starts from one template, give one"):
            Conditioning(prompt=several)
    assert Conditioning(prompt="the {name}, {definition}").class_fields == ("name", "definition")


def test_images_are_made_from_the_matrices(pristine_pipeline, device, originals):
    from retrieval_vs_diffusion.models.sampling import Sampling

    diffusion = copy_of(pristine_pipeline, device)
    same = diffusion.encode("a red")
    by_prompt, by_matrix, by_other = diffusion.text_to_image(
        ["a red", same, same + 1], [1, 1, 1], Sampling(steps=2, batch_size=3)
    )
    assert np.array_equal(by_prompt, by_matrix)
    assert not np.array_equal(by_prompt, by_other)
