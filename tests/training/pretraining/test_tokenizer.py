import pytest

from retrieval_vs_diffusion.training.pretraining.tokenizer import END, START, train_tokenizer

CAPTIONS = ["a photo of a two", "a red two on white paper", "handwritten three", "buy cheap shoes online"] * 10


def test_the_end_token_has_the_largest_id(tokenizer):
    # CLIP's text tower finds the end of a text at the largest id
    assert tokenizer.convert_tokens_to_ids(END) == len(tokenizer) - 1
    assert max(tokenizer.get_vocab().values()) == len(tokenizer) - 1
    assert tokenizer.eos_token == END


@pytest.mark.parametrize("text", ["漢字 🙂", "ÄÖÜ ñ", "\x00\x7f", "<html>&amp;", "0123456789"])
def test_characters_that_no_caption_had_are_encoded_and_not_lost(tokenizer, text):
    ids = tokenizer(text).input_ids
    start, end = tokenizer.convert_tokens_to_ids([START, END])
    assert (ids[0], ids[-1]) == (start, end)
    assert end not in ids[1:-1]  # the end token also stands for what is unknown
    assert len(ids) > 2


def test_a_text_comes_back_in_small_letters(tokenizer):
    ids = tokenizer("A photo of a ZÜRICH two!").input_ids
    assert tokenizer.decode(ids, skip_special_tokens=True).strip().replace(" !", "!") == "a photo of a zürich two!"


def test_words_that_captions_repeat_become_one_token():
    tokenizer = train_tokenizer(CAPTIONS, vocabulary_size=700, context_length=8)
    assert tokenizer.tokenize("photo shoes") == ["photo</w>", "shoes</w>"]
    assert len(tokenizer.tokenize("zebra")) > 1


@pytest.mark.parametrize("size", [520, 560, 700])
def test_the_vocabulary_is_no_larger_than_asked(size):
    assert len(train_tokenizer(CAPTIONS, vocabulary_size=size, context_length=8)) <= size


def test_texts_are_padded_and_cut_to_the_context(tokenizer):
    padding = {"padding": "max_length", "truncation": True, "max_length": tokenizer.model_max_length}
    ids = tokenizer(["two", "two " * 40], **padding).input_ids
    assert [len(each) for each in ids] == [16, 16]
    assert ids[1][-1] == tokenizer.convert_tokens_to_ids(END)


def test_it_is_the_same_after_saving(tokenizer, tmp_path):
    from transformers import CLIPTokenizer

    tokenizer.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    for text in ("a red two", "漢字", ""):
        assert again(text).input_ids == tokenizer(text).input_ids
    assert again.model_max_length == 16
