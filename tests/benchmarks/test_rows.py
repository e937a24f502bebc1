"""The rows that were asked for, with their names and bars."""

from __future__ import annotations

import pytest

from benchmarks.rows import all_rows

ASKED = {
    "clip_embedding/clip-retrieval": 1.4,
    "text_to_image/diffusers-one-prompt": 1.2,
    "image_writing/png-files": 10,
    "image_to_image/diffusers-one-prompt": 1.2,
    "textual_inversion/diffusers-per-class": 2,
    "search/faiss-one-query": 10,
    "search/autofaiss": 5,
    "exact_top_k/numpy-memmap": 1.5,
    "screening/brute-force": 5,
    "training_decode_bound/torchvision-imagefolder": 2,
    "several_repetitions/one-after-the-other": 1.3,
}


@pytest.mark.parametrize("name", ASKED)
def test_every_row_that_was_asked_for_is_there_with_its_bar(name: str) -> None:
    assert all_rows()[name].at_least == ASKED[name]


def test_the_overhead_is_a_share() -> None:
    assert all_rows()["overhead/its total"].at_most == 0.10
    assert all(name.startswith("extra_") for name in set(all_rows()) - {*ASKED, "overhead/its total"})
