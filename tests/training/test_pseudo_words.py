import pytest
import torch

from retrieval_vs_diffusion.training.pseudo_words import PseudoWords


def rows_of(diffusion, *tokens: str) -> torch.Tensor:
    ids = diffusion.pipeline.tokenizer.convert_tokens_to_ids(list(tokens))
    return diffusion.pipeline.text_encoder.get_input_embeddings().weight[ids].detach()


def mean_of(diffusion, text: str) -> torch.Tensor:
    ids = diffusion.pipeline.tokenizer(text, add_special_tokens=False).input_ids
    return diffusion.pipeline.text_encoder.get_input_embeddings().weight[ids].mean(0).detach()


def test_words_of_all_classes_are_rows_of_one_parameter(diffusion):
    red, blue = mean_of(diffusion, "red"), mean_of(diffusion, "dark blue")
    table = PseudoWords(diffusion, {"<r>": "red", "<b>": "dark blue"}, vectors=2)
    assert table.parameter.shape == (4, 16)  # two words of two vectors
    assert torch.allclose(table.parameter, torch.stack([red, red, blue, blue]))
    learned = table.learned()
    assert {word: tuple(vectors.shape) for word, vectors in learned.items()} == {"<r>": (2, 16), "<b>": (2, 16)}
    assert torch.allclose(rows_of(diffusion, "<r>", "<r>_1", "<b>", "<b>_1"), table.parameter)


@pytest.mark.parametrize("nothing", ["", "  ", "\t"])
def test_a_name_without_any_token_starts_from_the_mean_of_all(diffusion, nothing):
    mean = diffusion.pipeline.text_encoder.get_input_embeddings().weight.detach().mean(0)
    table = PseudoWords(diffusion, {"<r>": nothing}, vectors=1)
    assert torch.allclose(table.parameter[0], mean)


def test_the_encoding_is_that_of_the_pipeline_for_the_same_words(diffusion):
    table = PseudoWords(diffusion, {"<r>": "red", "<b>": "blue"}, vectors=2)
    with torch.no_grad():
        table.parameter.add_(torch.arange(64.0).view(4, 16) / 50)  # as if something had been learned
    texts = ["a photo of a <r>", "the <b> and a <r>", "no word"]
    ours = table.encode(table.tokenize(texts)).detach()
    stale = diffusion.encode(texts[0])  # the model itself still has the words as they started
    with torch.no_grad():
        for token, vector in zip(("<r>", "<r>_1", "<b>", "<b>_1"), table.parameter, strict=True):
            row = diffusion.pipeline.tokenizer.convert_tokens_to_ids(token)
            diffusion.pipeline.text_encoder.get_input_embeddings().weight[row] = vector
    diffusion.prompts.forget()
    assert not torch.allclose(ours[0], stale, atol=1e-3)
    for position, text in enumerate(texts):
        assert torch.allclose(ours[position], diffusion.encode(text), atol=1e-6)


def test_the_gradient_reaches_the_words_that_a_text_names_and_nothing_else(diffusion):
    table = PseudoWords(diffusion, {"<r>": "red", "<b>": "blue"}, vectors=2)
    table.encode(table.tokenize(["a <b>"])).square().sum().backward()
    assert table.parameter.grad[:2].abs().max() == 0
    assert (table.parameter.grad[2:].abs().amax(dim=1) > 0).all()  # both vectors of the word
    assert all(weights.grad is None for weights in diffusion.pipeline.text_encoder.parameters())
