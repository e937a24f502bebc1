"""CLIP's own tokenizer for transformers, from the byte-pair file that comes with open_clip."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

_MERGES = 49152 - 256 - 2  # of the file; with bytes, word ends and two special tokens 49,408 entries


def clip_tokenizer(pad_token: str = "<|endoftext|>", merges: int = _MERGES) -> Any:  # noqa: S107  (no password)
    """CLIP's tokenizer of 77 tokens.

    Args:
        pad_token: what fills up short prompts: OpenAI's encoders were trained with ``<|endoftext|>``, open_clip's with
            token 0, ``!``.
        merges: how many of the byte pairs it knows, from the most frequent on; fewer make a smaller vocabulary.
    """
    import open_clip
    from open_clip.tokenizer import bytes_to_unicode
    from transformers import CLIPTokenizer

    file = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.decompress(file.read_bytes()).decode("utf-8").split("\n")[1 : merges + 1]
    pairs = [tuple(line.split()) for line in lines]
    characters = list(bytes_to_unicode().values())
    tokens = [*characters, *(character + "</w>" for character in characters), *("".join(pair) for pair in pairs)]
    vocabulary = {token: index for index, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=77, pad_token=pad_token)
