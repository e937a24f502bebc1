"""Words that were added to a tokenizer, in the place where diffusers looks for them in a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AddedWords:
    """Does what diffusers' ``maybe_convert_prompt`` does: a word of several vectors becomes ``<w> <w>_1 <w>_2``.

    diffusers has the tokenizer list all added words for each token of each prompt, 6 ms a prompt with 1,000 words:
    with a word a class that grows with the square of the classes. Here they are listed once, until there are more.
    """

    def __init__(self) -> None:
        self._listed: Mapping[str, int] = {}
        self._of: tuple[int, int] | None = None  # which tokenizer, and how many tokens it had

    def __call__(self, prompt: str | list[str], tokenizer: Any) -> str | list[str]:
        """The prompt, or each of the prompts, with the further vectors of its words."""
        if isinstance(prompt, list):
            return [self._converted(each, tokenizer) for each in prompt]
        return self._converted(prompt, tokenizer)

    def _converted(self, prompt: str, tokenizer: Any) -> str:
        added = self._words_of(tokenizer)
        for word in dict.fromkeys(tokenizer.tokenize(prompt)):
            further = 1
            while word in added and f"{word}_{further}" in added:
                further += 1
            if further > 1:
                names = [word, *(f"{word}_{number}" for number in range(1, further))]
                prompt = prompt.replace(word, " ".join(names))
        return prompt

    def _words_of(self, tokenizer: Any) -> Mapping[str, int]:
        if self._of != (id(tokenizer), len(tokenizer)):
            self._listed, self._of = tokenizer.added_tokens_encoder, (id(tokenizer), len(tokenizer))
        return self._listed
