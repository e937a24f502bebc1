import threading

import numpy as np
import pytest
import torch

from retrieval_vs_diffusion.images.kept_squares import HeldSquares
from retrieval_vs_diffusion.training.batches_ahead import BatchesAhead

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3), dtype=np.uint8)


class Read:
    """Images that are read when they are asked for; says on which thread."""

    size = 4

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.taken: list[list[int]] = []

    def __len__(self) -> int:
        return len(IMAGES)

    def take(self, positions):
        self.threads.add(threading.get_ident())
        self.taken.append(positions.tolist())
        return IMAGES[positions]


@pytest.mark.parametrize("images", [Read(), HeldSquares(IMAGES)], ids=["read", "held"])
def test_batches_come_in_the_order_in_which_they_were_asked_for(images, device):
    ahead = BatchesAhead(images, device)
    for positions in ([6, 0], [1, 1, 3], [2]):
        assert not ahead.is_asked
        ahead.ask(torch.tensor(positions))
        batch, pixels = ahead.give()
        assert batch.tolist() == positions
        assert np.array_equal(pixels.cpu().numpy(), IMAGES[positions])
    with pytest.raises(RuntimeError, match="no batch"):
        ahead.give()


def test_several_batches_are_each_read_while_the_one_before_is_worked_on():
    images = Read()
    each = BatchesAhead(images, torch.device("cpu")).each(torch.arange(7).split(3))
    assert np.array_equal(next(each).numpy(), IMAGES[:3])
    rest = [pixels.numpy() for pixels in each]
    assert np.array_equal(np.concatenate(rest), IMAGES[3:])
    assert images.taken == [[0, 1, 2], [3, 4, 5], [6]]
    assert threading.get_ident() not in images.threads


def test_what_changes_a_batch_is_given_its_draw_and_a_batch_without_one_is_not_changed():
    def brighter(images, drawn):
        return torch.from_numpy(images // 2) + drawn.to(torch.uint8)

    ahead = BatchesAhead(HeldSquares(IMAGES), torch.device("cpu"), brighter)
    ahead.ask(torch.tensor([3, 4]), torch.tensor(5))
    assert np.array_equal(ahead.give()[1].numpy(), IMAGES[3:5] // 2 + 5)
    ahead.ask(torch.tensor([3]))
    assert np.array_equal(ahead.give()[1].numpy(), IMAGES[3:4])


def test_an_error_of_the_reading_thread_is_that_of_the_training():
    class Broken(Read):
        def take(self, positions):
            raise ValueError("broken image")

    ahead = BatchesAhead(Broken(), torch.device("cpu"))
    ahead.ask(torch.tensor([0]))
    with pytest.raises(ValueError, match="broken image"):
        ahead.give()
