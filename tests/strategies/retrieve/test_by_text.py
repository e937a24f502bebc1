from collections.abc import Sequence

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row
from retrieval_vs_diffusion.models.vector_index import Embeddings, VectorIndex, build_index
from retrieval_vs_diffusion.strategies.retrieve.by_text import ByText, nearest_by_class
from retrieval_vs_diffusion.strategies.source import Surroundings


def at(*degrees: float) -> np.ndarray:
    """Unit vectors at these angles, [n, 2]."""
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1).astype(np.float32)


class TextsAtAngles:
    """Stands for CLIP: a text lies at the angle that ends it."""

    name = "toy_clip"

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        return at(*(float(text.split()[-1]) for text in texts))


def index_of(*degrees: float, clip_name: str = "toy_clip") -> VectorIndex:
    return build_index(Embeddings(at(*degrees), clip_name))


def around(degrees: Sequence[float], names: tuple[str, ...] = ("0", "90"), clip_name: str = "toy_clip") -> Surroundings:
    pool = ImageTable.from_rows(
        image_row(np.full((16, 16, 3), n % 256, np.uint8), f"pool/{n}", caption=f"at {angle}")
        for n, angle in enumerate(degrees)
    )
    resources = {"clip": TextsAtAngles(), "pool": pool, "index": index_of(*degrees, clip_name=clip_name)}
    return Surroundings(names, "retrieval_text", ("toy",), resources)


def rows(part: ByText, wanted: dict[int, int], first: dict[int, int], surroundings: Surroundings) -> list[dict]:
    return list(part.propose(wanted, first, surroundings))


def test_each_class_has_its_nearest_images_nearest_first():
    surroundings = around([40, 85, 5, 50, 10])
    found = rows(ByText(prompts=("{name}",)), {0: 3, 1: 2}, {0: 0, 1: 0}, surroundings)
    assert [(row["label"], row["caption"]) for row in found] == [
        (0, "at 5"),
        (0, "at 10"),
        (0, "at 40"),
        (1, "at 85"),
        (1, "at 50"),
    ]


def test_a_row_says_how_similar_it_is_and_to_which_prompt():
    (row,) = rows(ByText(prompts=("turn by {name}",)), {0: 1}, {0: 0}, around([60, 30]))
    assert row["image_id"] == "pool/1"
    assert row["similarity"] == pytest.approx(np.cos(np.deg2rad(30)), abs=1e-6)
    assert row["prompt"] == "turn by 0"


def test_an_image_goes_to_the_one_class_whose_prompt_is_nearest():
    found = rows(ByText(prompts=("{name}",)), {0: 3, 1: 3}, {0: 0, 1: 0}, around([44, 46]))
    assert [(row["label"], row["image_id"]) for row in found] == [(0, "pool/0"), (1, "pool/1")]  # 45 is the border


def test_asking_later_goes_on_where_it_stopped():
    surroundings, part = around([1, 2, 3, 4, 5]), ByText(prompts=("{name}",))
    at_once = [row["image_id"] for row in rows(part, {0: 4}, {0: 0}, surroundings)]
    in_two = [*rows(part, {0: 1}, {0: 0}, surroundings), *rows(part, {0: 3}, {0: 1}, surroundings)]
    assert [row["image_id"] for row in in_two] == at_once == ["pool/0", "pool/1", "pool/2", "pool/3"]


def test_nothing_below_the_floor_is_brought():
    part = ByText(prompts=("{name}",), similarity_floor=0.9)  # cos 25.8 degrees
    found = rows(part, {0: 5}, {0: 0}, around([10, 25, 27, 40]))
    assert [row["caption"] for row in found] == ["at 10", "at 25"]


def test_templates_are_averaged_on_the_sphere():
    part = ByText(prompts=("{name}", "or 60"))  # of 0 and 60 degrees the middle is 30
    (row,) = rows(part, {0: 1}, {0: 0}, around([0, 30, 60], names=("0",)))
    assert row["image_id"] == "pool/1"
    assert row["similarity"] == pytest.approx(1.0, abs=1e-6)


def test_the_search_goes_deeper_where_other_classes_hold_the_nearest_images():
    # A hundred images between 11 and 14 degrees are nearest to class one at 20; class zero's own come after them.
    angles = [*np.linspace(11, 14, 100), *range(-19, -14)]
    ranked = nearest_by_class(at(0, 20), index_of(*angles), {0: 5}, floor=-1.0)
    assert [row for row, _ in ranked[0]] == [104, 103, 102, 101, 100]  # at -15, -16, -17, -18 and -19 degrees


def test_a_pool_that_holds_too_few_images_gives_what_it_has():
    assert len(rows(ByText(prompts=("{name}",)), {0: 9}, {0: 0}, around([1, 2, 89]))) == 2


def test_an_index_of_another_clip_is_refused():
    with pytest.raises(UserError, match="the index holds embeddings of other, the prompts are of toy_clip"):
        rows(ByText(), {0: 1}, {0: 0}, around([1], clip_name="other"))


def test_a_template_that_cannot_be_filled_is_refused():
    with pytest.raises(UserError, match=r"\{nam\}"):
        rows(ByText(prompts=("{nam}",)), {0: 1}, {0: 0}, around([1]))
