import numpy as np
import pytest
from pydantic import ValidationError

from retrieval_vs_diffusion.images.downloads.store import DownloadStore
from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.models.vector_index import Embeddings, build_index
from retrieval_vs_diffusion.strategies.composition import parse_strategy
from retrieval_vs_diffusion.strategies.wiring import datasets_of, prepare, resources_of

CPU = {"device": "cpu", "threads": 1}


def test_a_step_is_given_what_its_part_needs():
    strategy = parse_strategy("a", {"retrieve": {"type": "by_text"}}, {})
    assert resources_of(strategy.steps[0], strategy) == ("clip", "pool", "index")


def test_a_generate_step_is_given_what_the_personalisation_learned_and_a_retrieve_step_is_not():
    entry = {
        "personalise": "words",
        "steps": [{"retrieve": {"type": "by_text"}}, {"generate": {"type": "text_to_image"}}],
    }
    strategy = parse_strategy("a", entry, {"words": object()})
    retrieve, generate = strategy.steps
    assert "learned" not in resources_of(retrieve, strategy)
    assert resources_of(generate, strategy) == ("diffusion", "sampling", "learned")


def test_resources_are_datasets_of_the_catalog():
    assert datasets_of(("clip", "index")) == {"clip": "clip", "index": "pool.index", "embeddings": "pool.embeddings"}
    assert datasets_of(("pool",)) == {
        **{"pool": "pool.images", "takedown": "pool.takedown"},
        **{"store": "pool.downloaded", "downloads": "params:pool.downloads"},
    }
    assert datasets_of(("learned",), "personalise.words.shared.learned") == {
        "learned": "personalise.words.shared.learned"
    }


def test_originals_and_held_back_images_are_views_of_one_reservoir():
    assert datasets_of(("originals",)) == datasets_of(("held_back",)) == {"reservoir": "target.reservoir"}


def test_a_resource_that_nobody_provides_is_named():
    with pytest.raises(ValueError, match='a part needs "judge"; resources are clip, diffusion'):
        datasets_of(("judge",))


def test_a_restyling_step_is_given_no_originals():
    steps = [
        {"retrieve": {"type": "by_text"}},
        {"generate": {"type": "image_to_image", "start_from": "previous_step", "strength": 0.5}},
    ]
    strategy = parse_strategy("a", {"steps": steps}, {})
    assert resources_of(strategy.steps[1], strategy) == ("diffusion", "sampling")


def test_views_are_drawn_and_only_those_that_are_needed(target):
    inputs, names = {"reservoir": target.reservoir}, list(target.class_names)
    resources = prepare(inputs, ("originals",), SubsetDraw(0), names, [3] * 10, CPU)
    assert set(resources) == {"originals"}
    assert len(resources["originals"]) == 30  # 3 of each of 10 classes
    both = prepare(inputs, ("originals", "held_back"), SubsetDraw(0), names, [3] * 10, CPU)
    assert not {*both["originals"].column("image_id")} & {*both["held_back"].column("image_id")}


def test_models_come_to_the_device_and_sampling_is_checked(clip, device):
    resources = prepare({"clip": clip, "sampling": {"steps": 4}}, ("clip", "sampling"), None, [], [], CPU)
    assert resources["clip"].device == device
    assert resources["sampling"] == Sampling(steps=4)


def test_a_pool_comes_without_what_was_taken_down_and_an_index_with_its_embeddings(pool):
    taken = pool.column("image_id")[3]
    embeddings = Embeddings(np.eye(len(pool), dtype=np.float32), "toy")
    inputs = {
        **{"pool": pool, "takedown": frozenset({taken}), "store": None, "downloads": {"overfetch": 2.0}},
        **{"index": build_index(embeddings), "embeddings": embeddings},
    }
    resources = prepare(inputs, ("pool", "index"), None, [], [], CPU)
    assert set(resources) == {"pool", "index"}  # what they are made of is no resource by itself
    assert resources["pool"].left_out.tolist() == [3]
    assert resources["pool"].row(4) == pool.row(4)
    assert np.array_equal(resources["index"].vectors(np.array([5, 2])), embeddings.vectors[[5, 2]])


def test_of_links_so_many_are_fetched_as_the_settings_say(pool, tmp_path):
    links = ImageTable(pool.table, {"kind": "links"})
    inputs = {"pool": links, "takedown": frozenset(), "store": DownloadStore(tmp_path), "downloads": {"overfetch": 2.0}}
    found = prepare(inputs, ("pool",), None, [], [], CPU)["pool"]
    assert (found.is_downloaded, found.overfetch) == (True, 2.0)
    with pytest.raises(ValidationError):
        prepare({**inputs, "downloads": {"overfetch": 0.5}}, ("pool",), None, [], [], CPU)
