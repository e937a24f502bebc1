import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.device import choose_device


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_auto_takes_the_fastest_that_is_there():
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto").type == expected


def test_a_device_may_be_named():
    assert choose_device("cpu") == torch.device("cpu")


def test_threads_are_set_and_zero_leaves_them():
    choose_device("cpu", threads=2)
    assert torch.get_num_threads() == 2
    choose_device("cpu", threads=0)
    assert torch.get_num_threads() == 2


def test_the_device_is_said_once_and_not_for_every_node(caplog, monkeypatch):
    from retrieval_vs_diffusion.models import device

    monkeypatch.setattr(device, "_announced", set())
    caplog.set_level("INFO", logger=device.__name__)
    choose_device("cpu", threads=1)
    choose_device("cpu", threads=1)
    assert [record.getMessage() for record in caplog.records] == ["Running models on cpu (1 threads)"]


def test_a_misspelt_device_is_answered_with_the_one_that_was_meant():
    with pytest.raises(UserError, match=r'device: found "cdua"; did you mean "cuda"\?'):
        choose_device("cdua")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_device_that_is_not_there_is_answered_with_what_is(device):
    with pytest.raises(UserError, match=f"device: {device} is not available here; there is .*cpu: take one, or dev"):
        choose_device(device)


@pytest.mark.parametrize("device", ["auto:1", "cpu:first"])
def test_a_number_where_none_belongs_is_refused(device):
    with pytest.raises(UserError, match=rf"device: .*{device}"):
        choose_device(device)
