import errno
import os

import pytest

from retrieval_vs_diffusion.errors import UserError, did_you_mean, find_user_error


def test_a_slip_is_answered_with_the_name_that_was_meant():
    assert did_you_mean("boomrang", ["simple_prompt", "boomerang"]) == 'did you mean "boomerang"?'


def test_a_name_that_resembles_none_is_answered_with_all_of_them_in_order():
    assert did_you_mean("xyz", {"text": 1, "image": 2}) == "known are: image, text"


def test_the_users_error_is_found_behind_what_wraps_it():
    mine = UserError("strategies.a: there is no such key here")
    wrapped = RuntimeError("Failed while loading data from dataset")
    wrapped.__cause__ = mine
    outer = ValueError("node failed")
    outer.__cause__ = wrapped
    assert find_user_error(outer) is mine
    assert find_user_error(mine) is mine


def test_an_error_that_is_no_users_is_not_taken_for_one():
    error = RuntimeError("out of memory")
    error.__cause__ = KeyError("x")
    assert find_user_error(error) is None
    assert find_user_error(None) is None


def test_a_full_disk_is_the_users_to_mend_whichever_library_tells_of_it():
    python = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/x.parquet")
    wrapped = RuntimeError("Failed while saving data to dataset")
    wrapped.__cause__ = python
    assert str(find_user_error(wrapped)).startswith("there is no space left on the disk, writing /data/x.parquet: free")
    rust = RuntimeError("I/O error: No space left on device (os error 28)")
    assert str(find_user_error(rust)).startswith("there is no space left on the disk: free some")


def test_a_file_that_may_not_be_written_is_named():
    error = RuntimeError("Failed while saving data")
    error.__cause__ = PermissionError(errno.EACCES, "Permission denied", "/data/images")
    assert str(find_user_error(error)) == (
        "/data/images: Permission denied; give this user the right to it, or another folder"
    )


def test_a_path_that_is_too_long_is_named_in_one_line(tmp_path):
    with pytest.raises(OSError, match="too long") as raised:
        (tmp_path / ("x" * 300)).stat()
    message = str(find_user_error(raised.value))
    assert message.startswith(f"{tmp_path}/x"[:100])
    assert message.endswith(
        "xxx: File name too long; no name in a path has more than 255 bytes; give the path of a file or folder that is "
        "there"
    )
    assert len(message) < 350
