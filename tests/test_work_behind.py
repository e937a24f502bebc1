import threading

import pytest

from retrieval_vs_diffusion.work_behind import ended_behind


class Pieces:
    """Work that notes when it is begun and ended, and by whom.

    Args:
        number: of pieces.
        fails_at: the piece that raises, if any.
    """

    def __init__(self, number: int, fails_at: int | None = None) -> None:
        self.number, self.fails_at = number, fails_at
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.threads: set[int] = set()

    def __iter__(self):
        for piece in range(self.number):
            self.begun.append(piece)
            yield lambda piece=piece: self.end(piece)

    def end(self, piece: int) -> int:
        self.threads.add(threading.get_ident())
        if piece == self.fails_at:
            raise OSError(f"no room for piece {piece}")
        self.ended.append(piece)
        return 10 * piece


def test_results_come_in_order_from_another_thread():
    pieces = Pieces(5)
    assert list(ended_behind(pieces)) == [0, 10, 20, 30, 40]
    assert pieces.ended == [0, 1, 2, 3, 4]
    assert threading.get_ident() not in pieces.threads
    assert list(ended_behind([])) == []


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_no_more_than_so_many_wait_beside_the_one_that_is_given_out(ahead):
    pieces, taken = Pieces(6), 0
    for taken, _ in enumerate(ended_behind(pieces, ahead), start=1):
        assert len(pieces.begun) == min(6, taken + ahead)
    assert taken == 6


def test_the_next_is_begun_while_one_is_ended():
    """The first can only end when the second was begun: one after the other it would wait for ever."""
    second_begun = threading.Event()

    def first() -> bool:
        return second_begun.wait(10)

    def begun():
        yield first
        second_begun.set()
        yield lambda: True

    assert list(ended_behind(begun())) == [True, True]


def test_an_error_comes_where_its_result_would_and_in_its_own_words():
    results = ended_behind(Pieces(4, fails_at=1))
    assert next(results) == 0
    with pytest.raises(OSError, match=r"^no room for piece 1$"):
        next(results)


def test_what_was_begun_is_ended_when_the_caller_stops_or_the_next_cannot_be_begun():
    pieces = Pieces(6)
    results = ended_behind(pieces)
    assert next(results) == 0
    results.close()
    assert pieces.ended == pieces.begun == [0, 1]

    ended: list[str] = []

    def begun():
        yield lambda: ended.append("first")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ended_behind(begun()))
    assert ended == ["first"]
