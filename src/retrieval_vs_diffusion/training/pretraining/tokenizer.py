"""A small CLIP tokenizer learned from a pool's captions, shared by CLIP and the diffusion model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"


def train_tokenizer(captions: Iterable[str], vocabulary_size: int, context_length: int) -> CLIPTokenizer:
    """Learn byte-pair merges from captions and wrap them as CLIP's tokenizer.

    CLIP's own vocabulary of 49,408 words would make up most of a small text tower. Every byte stays
    in the alphabet, so any text can be encoded. The end token gets the highest id: CLIP's text tower
    finds the end of the text at the largest id (Radford et al. 2021).

    Args:
        captions: texts to learn from.
        vocabulary_size: upper bound of the number of tokens, 514 or more.
        context_length: tokens of a padded text.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - len(alphabet) - 2,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        min_frequency=2,
        show_progress=False,
    )
    trained.train_from_iterator(captions, trainer)
    learned = sorted(trained.get_vocab(), key=trained.get_vocab().__getitem__)
    tokens = dict.fromkeys([*alphabet, *(character + "</w>" for character in alphabet), *learned])
    vocabulary = {token: index for index, token in enumerate([*tokens, START, END])}
    merges: Any = _merges(trained)
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=context_length)


def _merges(tokenizer) -> list[tuple[str, str]]:  # type: ignore[no-untyped-def]
    import json

    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in pairs]
