"""Models at s3:// are the same models as on the disk, and what is wrong with them is told by their address."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval_vs_diffusion.catalog.model_datasets import ClassifierDataset, ClipDataset, DiffusionDataset
from retrieval_vs_diffusion.catalog.pool_datasets import TakedownDataset
from retrieval_vs_diffusion.catalog.search_datasets import EmbeddingsDataset, VectorIndexDataset
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.execution.digest import digest_of_path
from retrieval_vs_diffusion.models.classifier import Classifier, create_network
from retrieval_vs_diffusion.models.clip import load_clip
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.models.embeddings import embeddings_of_files
from retrieval_vs_diffusion.models.index_settings import IndexSettings
from retrieval_vs_diffusion.models.sampling import Sampling
from retrieval_vs_diffusion.models.vector_index import build_index
from retrieval_vs_diffusion.remote.listing import forget_listings
from retrieval_vs_diffusion.remote.remote_path import as_path
from retrieval_vs_diffusion.strategies.class_table import read_class_table
from retrieval_vs_diffusion.training.recipe_checks import init_file
from tests.models.tiny_diffusion import file_of

PRETRAINED = Path(__file__).parents[2] / "data/06_models/pretrained"


@pytest.fixture(scope="module")
def uploaded(bucket):
    """The base world's models in a bucket: their address."""
    return bucket.upload(PRETRAINED, "models")


def test_clip_embeds_as_from_the_disk(bucket, uploaded, remote_cache):
    address, clip = f"{uploaded}/clip", load_clip(str(PRETRAINED / "clip"))
    bucket.put("models/clip/pytorch_model.bin", b"\x80\x04 a pickle")
    dataset = ClipDataset(model=address)
    assert dataset.exists()
    remote = dataset.load()
    assert remote.name == clip.name
    assert np.array_equal(remote.embed_texts(["a cat"]), clip.embed_texts(["a cat"]))
    assert not list(remote_cache.glob("??/*.bin"))


def test_diffusion_makes_the_same_images_as_from_the_disk(bucket, uploaded, remote_cache):
    address = f"{uploaded}/diffusion"
    bucket.put("models/diffusion/unet/diffusion_pytorch_model.bin", b"\x80\x04 a pickle")
    far = DiffusionDataset(filepath=address)
    assert far.exists()
    assert far._describe()["filepath"] == address
    sampling = Sampling(steps=2, batch_size=2)
    models = [DiffusionDataset(filepath=str(PRETRAINED / "diffusion")).load(), far.load()]
    here, there = (list(each.text_to_image(["a zero", "a one"], [1, 2], sampling)) for each in models)
    assert np.array_equal(here, there)
    assert models[0].checkpoint == models[1].checkpoint
    assert not list(remote_cache.glob("??/*.bin"))


def test_a_diffusion_model_in_one_file(bucket, remote_cache, tiny_places, tiny_families):
    file = file_of(tiny_places, "BASE")
    near, far = (load_diffusion(str(each)) for each in (file, bucket.upload(file, f"one/{file.name}")))
    sampling = Sampling(steps=2, batch_size=1)
    here, there = (list(each.text_to_image(["a zero"], [1], sampling)) for each in (near, far))
    assert np.array_equal(here, there)
    assert near.checkpoint == far.checkpoint


def test_a_model_that_lacks_a_part_is_named_by_its_address(bucket, remote_cache):
    address = bucket.upload(PRETRAINED / "diffusion", "broken")
    key = "vae/diffusion_pytorch_model.fp16.safetensors"
    bucket.put(f"broken/{key}", (PRETRAINED / "diffusion" / key).read_bytes()[:-100])
    with pytest.raises(UserError, match=rf"diffusion\.path: {address}/{key} .* is cut off"):
        load_diffusion(address)
    bucket.delete(f"broken/{key}")
    forget_listings()
    with pytest.raises(UserError, match=rf"diffusion model {address}: vae/ needs a \.safetensors file"):
        load_diffusion(address)
    with pytest.raises(UserError, match=r"diffusion\.path: there is no directory or file s3://"):
        load_diffusion(bucket.address("no/model"))
    bucket.put("pickled/model.ckpt", b"\x80\x04")
    with pytest.raises(UserError, match=r"pickled/model\.ckpt is a pickle"):
        load_diffusion(bucket.address("pickled/model.ckpt"))
    with pytest.raises(UserError, match=r"clip\.model: there is no folder s3://"):
        load_clip(bucket.address("no/model"))


def test_clip_weights_in_one_file(bucket, remote_cache):
    bucket.put("weights.pt", b"\x80\x04")
    with pytest.raises(UserError, match=r"clip\.checkpoint: s3://.*weights\.pt is a pickle"):
        load_clip("ViT-B-32", bucket.address("weights.pt"))
    bucket.put("weights.safetensors", b"no weights")
    with pytest.raises(UserError, match=r"clip\.checkpoint: s3://.*weights\.safetensors \(10 bytes\) is cut off"):
        load_clip("ViT-B-32", bucket.address("weights.safetensors"))


def test_a_judge_and_a_file_to_start_from(bucket, remote_cache, tmp_path):
    made = Classifier(create_network("tiny_convnet", 2).eval(), "tiny_convnet", ("cat", "dog"), 16)
    made.save(tmp_path / "judge.safetensors")
    address = bucket.upload(tmp_path / "judge.safetensors", "judge.safetensors")
    loaded = ClassifierDataset(filepath=address).load()
    weights, saved = loaded.network.state_dict(), made.network.state_dict()
    assert all((weights[key] == saved[key]).all() for key in saved)
    assert str(init_file(address, "classifier")) == address
    started = create_network("tiny_convnet", 2, address).state_dict()
    assert all((started[key] == saved[key]).all() for key in saved)
    with pytest.raises(UserError, match=r"classifier\.init: there is no file s3://"):
        init_file(bucket.address("none.safetensors"), "classifier")


def test_embeddings_and_an_index_of_others(bucket, remote_cache, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(120, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    files = [tmp_path / f"img_emb_{number}.npy" for number in (0, 1)]
    for number, file in enumerate(files):
        np.save(file, vectors[60 * number : 60 * number + 60])
    addresses = [bucket.upload(file, f"img_emb/{file.name}") for file in files]
    embeddings = embeddings_of_files(addresses, "clip")
    EmbeddingsDataset(filepath=str(tmp_path / "embeddings")).save(embeddings)
    loaded = EmbeddingsDataset(filepath=str(tmp_path / "embeddings")).load()
    assert np.allclose(loaded.in_memory(), vectors, atol=1e-6)
    assert loaded.origin == f"{addresses[0]} and 1 more"
    import faiss

    flat = faiss.IndexFlatIP(8)
    flat.add(vectors)
    faiss.write_index(flat, str(tmp_path / "image.index"))
    address = bucket.upload(tmp_path / "image.index", "image.index")
    index = build_index(loaded, IndexSettings(path=address))
    VectorIndexDataset(filepath=str(tmp_path / "index")).save(index)
    again = VectorIndexDataset(filepath=str(tmp_path / "index"), embeddings=str(tmp_path / "embeddings")).load()
    assert again.search(vectors[:5], 1)[1].ravel().tolist() == [0, 1, 2, 3, 4]
    assert str(again.path) == address


def test_lists_of_words(bucket, remote_cache):
    bucket.put("takedown.txt", b"# asked\nhttps://x/1\n")
    assert TakedownDataset(filepath=bucket.address("takedown.txt")).load() == {"https://x/1"}
    bucket.put("classes.csv", b"class,definition\ncat,a small beast\n")
    table = read_class_table(as_path(bucket.address("classes.csv")))
    assert table.rows == {"cat": {"definition": "a small beast"}}
    with pytest.raises(UserError, match=r"classes\.path: cannot read s3://"):
        read_class_table(as_path(bucket.address("none.csv")))


def test_a_model_counts_by_sizes_and_versions_and_is_not_fetched_for_it(bucket, remote_cache):
    bucket.put("counted/a.json", b"1")
    bucket.put("counted/b/c.safetensors", b"2")
    folder = as_path(bucket.address("counted"))
    before = digest_of_path(folder)
    bucket.put("counted/b/c.safetensors", b"3")
    forget_listings()
    assert len({before, digest_of_path(folder), digest_of_path(as_path(bucket.address("none")))}) == 3
    assert digest_of_path(as_path(bucket.address("none"))) is None
    assert not list(remote_cache.glob("??/*"))
