import pytest
import torch
from safetensors.torch import save_file

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.strategies.personalise.textual_inversion import TextualInversion, pseudo_words
from tests.strategies.personalise.around import NAMES, around, copy_of, tensors, training, unlike

PART = TextualInversion(training=training(steps=50))


@pytest.fixture(scope="module")
def originals(red_and_blue):
    return red_and_blue([0, 1, 0, 1])


@pytest.fixture(scope="module")
def untouched(pristine_pipeline, device):
    return copy_of(pristine_pipeline, device)


@pytest.fixture(scope="module")
def taught(pristine_pipeline, device):
    return copy_of(pristine_pipeline, device)


@pytest.fixture(scope="module")
def learned(taught, originals):
    return PART.learn(around(taught, originals))


def embeddings(diffusion) -> torch.Tensor:
    return diffusion.pipeline.text_encoder.get_input_embeddings().weight.detach()


def test_each_class_has_a_file_with_its_pseudo_word(learned):
    assert learned.about["words"] == ["<red>", "<blue>"]
    assert {name: list(file) for name, file in learned.files.items()} == {
        "0000_red.safetensors": ["<red>"],
        "0001_blue.safetensors": ["<blue>"],
    }
    assert {vectors.shape for vectors in tensors(learned).values()} == {(1, 16)}
    assert learned.name == "toy/words/0"


def test_every_other_token_embedding_stays_bit_identical(learned, taught, untouched):
    known = len(embeddings(untouched))
    assert len(embeddings(taught)) == known + 2  # one token a class
    assert torch.equal(embeddings(taught)[:known], embeddings(untouched))


def test_nothing_else_of_the_model_is_changed(learned, taught, untouched):
    for part in ("unet", "vae", "text_encoder"):
        assert unlike(getattr(untouched.pipeline, part), getattr(taught.pipeline, part), "token_embedding") == []


def test_the_words_start_from_the_names_and_move(learned, untouched):
    tokenizer = untouched.pipeline.tokenizer
    for name in NAMES:
        start = embeddings(untouched)[tokenizer(name, add_special_tokens=False).input_ids].mean(0)
        moved = (tensors(learned)[f"<{name}>"][0] - start).abs().max()
        assert 0 < moved <= 50 * 0.01 * 1.1  # AdamW moves a number by about the rate in each of 50 steps


def test_all_words_may_start_from_one(pristine_pipeline, device, originals):
    diffusion = copy_of(pristine_pipeline, device)
    ids = diffusion.pipeline.tokenizer("number", add_special_tokens=False).input_ids
    start = embeddings(diffusion)[ids].mean(0)
    still = TextualInversion(initial_word="number", training=training(steps=1, learning_rate=1e-9))
    for vectors in tensors(still.learn(around(diffusion, originals))).values():
        assert torch.allclose(vectors[0], start, atol=1e-6)


def test_the_seed_decides_what_is_learned(originals, pristine_pipeline, device):
    quick = TextualInversion(training=training(steps=5))
    one, same, other = (
        tensors(quick.learn(around(copy_of(pristine_pipeline, device), originals, repetition=repetition)))
        for repetition in (0, 0, 1)
    )
    assert torch.equal(one["<red>"], same["<red>"])
    assert not torch.equal(one["<red>"], other["<red>"])


def test_prompts_name_the_word_where_it_was_taught(learned, pristine_pipeline, device, originals):
    diffusion = copy_of(pristine_pipeline, device)
    conditions = PART.teach(learned, diffusion, around(diffusion, originals))
    shown = conditions.of(1, 3, ["a photo of a {name}", "the {name}"])
    assert (shown.prompt, shown.condition) == ("the <blue>", "the <blue>")  # number 3: the second template
    tokens = diffusion.pipeline.tokenizer.convert_tokens_to_ids(["<red>", "<blue>"])
    assert torch.equal(embeddings(diffusion)[tokens], torch.cat(list(tensors(learned).values())))


@pytest.mark.parametrize("vectors", [1, 3])
def test_diffusers_reads_each_file_by_itself(pristine_pipeline, device, originals, tmp_path, vectors):
    part = TextualInversion(vectors=vectors, training=training(steps=2))
    learned = part.learn(around(copy_of(pristine_pipeline, device), originals))
    ours, theirs = copy_of(pristine_pipeline, device), copy_of(pristine_pipeline, device)
    part.teach(learned, ours, around(ours, originals))
    for name, file in learned.files.items():
        save_file(dict(file), tmp_path / name)
        theirs.pipeline.load_textual_inversion(str(tmp_path / name))
    assert tensors(learned)["<red>"].shape == (vectors, 16)
    assert torch.equal(ours.encode("a photo of a <red>"), theirs.encode("a photo of a <red>"))
    assert not torch.equal(ours.encode("a photo of a <red>"), ours.encode("a photo of a red"))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("Siamese cat", "été"), ["<Siamese-cat>", "<été>"]),
        (("guinea pig", "guinea-pig"), ["<guinea-pig>", "<guinea-pig-1>"]),
        (("Crane", "crane"), ["<Crane>", "<crane-1>"]),  # the tokenizer knows no capitals
        (("caf\u00e9", "cafe\u0301"), ["<café>", "<café-1>"]),  # one letter, written in two ways
        (("|endoftext|", "<w>_1"), ["<-endoftext->", "<-w-_1>"]),  # CLIP's own token, and one of diffusers'
        (("猫", " "), ["<猫>", "<->"]),
        (("x" * 300, "b"), [f"<{'x' * 300}>", "<b>"]),
        (("a/b", "../up"), ["<a/b>", "<../up>"]),
    ],
)
def test_odd_names_have_words_and_files_of_their_own(pristine_pipeline, device, originals, names, words):
    assert pseudo_words(names) == words
    diffusion = copy_of(pristine_pipeline, device)
    learned = TextualInversion(training=training(steps=1)).learn(around(diffusion, originals, names))
    assert len(learned.files) == 2
    assert all(torch.isfinite(vectors).all() for vectors in tensors(learned).values())
    assert max(map(len, learned.files)) < 100  # file systems end at 255
    assert not any("/" in name or ".." in name for name in learned.files)  # no name leads out of the folder
    tokenizer = diffusion.pipeline.tokenizer
    for word in words:
        ids = tokenizer(f"a photo of a {word}", add_special_tokens=False).input_ids
        assert ids[-1] == tokenizer.convert_tokens_to_ids(word)


@pytest.mark.parametrize(
    "names",
    [("a b", "a b 2", "a-b"), ("a b 1", "a b", "a-b"), ("x", "X", "x ", " x"), ("x-1", "x", "X"), ("<", ">", "|", "")],
)
def test_no_two_classes_share_a_word_even_as_the_tokenizer_reads_them(names):
    words = pseudo_words(names)
    assert len({word.lower() for word in words}) == len(names)
    assert all(word.startswith("<") and word.endswith(">") for word in words)


def test_two_names_that_differ_in_capitals_have_encodings_of_their_own(pristine_pipeline, device, originals):
    """Taught words of other vectors: else one class would be shown as the other."""
    diffusion = copy_of(pristine_pipeline, device)
    words = pseudo_words(("Crane", "crane"))
    diffusion.add_words({word: torch.full((2, 16), float(number)) for number, word in enumerate(words)})
    one, other = (diffusion.encode(f"a {word}") for word in words)
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_template_without_the_name_is_refused():
    with pytest.raises(UserError, match=r'prompts: found "a photo"; a pseudo-word is learned where \{name\} stands'):
        TextualInversion(prompts=["a {name}", "a photo"])
    assert TextualInversion(prompts="openai_imagenet_templates").class_fields == ("name",)


@pytest.mark.parametrize("vectors", [1, 2])
def test_gradient_checkpointing_gives_the_same_words_and_the_same_curve(pristine_pipeline, device, originals, vectors):
    found = []
    for checkpointing in (False, True):
        settings = training(steps=4, held_out_share=0.5, gradient_checkpointing=checkpointing)
        given = around(copy_of(pristine_pipeline, device), originals)
        learned = TextualInversion(vectors=vectors, training=settings).learn(given)
        losses = [look["held_out_loss"] for look in learned.curve.looks]
        found.append([*losses, *(float(each) for word in tensors(learned).values() for each in word.flatten())])
    assert found[1] == pytest.approx(found[0], abs=1e-5)


def test_words_can_be_learned_after_images_were_made_with_the_model(diffusion, originals):
    list(diffusion.text_to_image(["a"], [1], Sampling(steps=2, batch_size=1)))  # with another scheduler
    learned = TextualInversion(training=training(steps=1)).learn(around(diffusion, originals))
    assert torch.isfinite(tensors(learned)["<red>"]).all()
