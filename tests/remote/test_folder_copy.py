"""A remote folder on the disk: only what is wanted of it, of one version, safe to make twice."""

from __future__ import annotations

from retrieval_vs_diffusion.remote.cache import current_cache
from retrieval_vs_diffusion.remote.folder_copy import on_disk
from retrieval_vs_diffusion.remote.listing import forget_listings
from retrieval_vs_diffusion.remote.remote_path import as_path
from tests.images.made_collections import write


def test_only_the_wanted_files_are_fetched(bucket, remote_cache, tmp_path):
    files = {"model.json": b"{}", "unet/a.safetensors": b"1", "unet/b.bin": b"2", "vae/a.safetensors": b"3"}
    address = bucket.upload(write(tmp_path / "model", files), "model")
    made = on_disk(as_path(address), ("*.json", "unet/*.safetensors"))
    there = sorted(file.relative_to(made).as_posix() for file in made.rglob("*") if file.is_file())
    assert there == ["model.json", "unet/a.safetensors"]
    assert len(list(remote_cache.glob("??/*"))) == 2
    assert made.name == "model"
    assert on_disk(as_path(address), ("*.json", "unet/*.safetensors")) == made


def test_another_version_is_another_folder(bucket, remote_cache):
    bucket.put("changing/config.json", b"1")
    folder = as_path(bucket.address("changing"))
    before = on_disk(folder)
    bucket.put("changing/config.json", b"2")
    forget_listings()
    assert (before / "config.json").read_bytes() == b"1"
    assert (on_disk(folder) / "config.json").read_bytes() == b"2"


def test_links_of_a_folder_with_a_short_name_count_and_go_as_no_copies(bucket, remote_cache):
    bucket.put("clip/v1/config.json", b"1")
    made = on_disk(as_path(bucket.address("clip/v1")))
    (_, size, copy), *others = current_cache()._copies()
    assert (size, others) == (1, [])
    assert copy == (made / "config.json").resolve()


def test_a_folder_on_the_disk_is_itself(tmp_path):
    assert on_disk(tmp_path, ("*.json",)) is tmp_path
