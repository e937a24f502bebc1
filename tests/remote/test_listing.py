"""What a store says it holds, as a folder could hold it: a bucket's owner may name files at will."""

from __future__ import annotations

import pytest

from retrieval_vs_diffusion.remote.listing import Listing
from retrieval_vs_diffusion.remote.store import Stored

ONE = Stored(1, "a")


def test_folders_are_told_from_the_names_of_files():
    listing = Listing("s3://b/p", {"cat/2.png": ONE, "cat/1.png": ONE, "x.csv": ONE, "empty/": ONE})
    assert list(listing.children[""]) == ["cat", "empty", "x.csv"]
    assert list(listing.children["cat"]) == ["1.png", "2.png"]
    assert listing.is_folder("")
    assert listing.is_folder("empty")  # a marker that S3's console writes
    assert not listing.is_folder("x.csv")
    assert sorted(listing.files) == ["cat/1.png", "cat/2.png", "x.csv"]
    assert dict(listing.under("cat")) == {"1.png": ONE, "2.png": ONE}


@pytest.mark.parametrize(
    "name", ["../up", "a/../../up", "/etc/passwd", "a//b", "./a", "a/.", "n\0ul", "n" * 256, "/".join(["n" * 200] * 16)]
)
def test_names_that_no_folder_could_hold_are_left_out_and_told(name, caplog):
    listing = Listing("s3://b/p", {name: ONE, "cat/1.png": ONE})
    assert list(listing.files) == ["cat/1.png"]
    assert "s3://b/p: left out: 1 files whose names no folder could hold" in caplog.text


def test_what_lies_under_a_file_is_left_out(caplog):
    listing = Listing("s3://b/p", {"a": ONE, "a/b": ONE, "a.b": ONE})
    assert list(listing.files) == ["a", "a.b"]
    assert "left out: 1 files" in caplog.text


def test_a_file_is_a_listing_of_itself():
    listing = Listing("s3://b/p/a.tar", {"": ONE})
    assert list(listing.files) == [""]
    assert not listing.is_folder("")
    assert list(listing.under("")) == [("", ONE)]
