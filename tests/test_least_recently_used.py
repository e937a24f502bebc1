"""What goes for something new: what was not used for longest, and no more than that."""

from pathlib import Path

import pytest

from retrieval_vs_diffusion import least_recently_used
from retrieval_vs_diffusion.least_recently_used import Room, lacking_on_disk, room_for

A, B, C = Path("a"), Path("b"), Path("c")
KEPT = [(A, 30), (B, 20), (C, 10)]  # a was not used for longest


@pytest.mark.parametrize(
    ("needed", "full_to", "lacking", "room"),
    [
        (40, 100, 0, Room([], 60, 0)),  # 60 + 40
        (41, 100, -50, Room([A], 30, -80)),  # 30 less will do
        (80, 100, -50, Room([A, B], 10, -100)),  # 10 + 80; without b it were 30 + 80
        (10, 100, 31, Room([A, B], 10, -19)),  # 70 would do, but the disk lacks 31: a alone leaves 1
        (200, 100, 0, Room([A, B, C], 0, -60)),  # 200 are more than there can be
    ],
)
def test_as_few_go_as_will_do(needed, full_to, lacking, room):
    assert room_for(needed, KEPT, full_to, lacking, lambda _: True) == room


def test_what_may_not_go_stays_and_what_need_not_is_not_asked_for():
    asked = []

    def may_go(place: Path) -> bool:
        asked.append(place)
        return place != A

    assert room_for(50, iter(KEPT), 100, 0, may_go) == Room([B], 40, -20)  # 60 - 20 + 50
    assert asked == [A, B]


def test_a_share_of_the_disk_stays_free(tmp_path, monkeypatch):
    usage = least_recently_used.shutil.disk_usage(tmp_path)
    usage = type(usage)(total=1000, used=900, free=100)
    monkeypatch.setattr(least_recently_used.shutil, "disk_usage", lambda _: usage)
    assert lacking_on_disk(tmp_path, 70, 0.05) == 20  # 70 + 5 % of 1000, and 100 are free
    assert lacking_on_disk(tmp_path, 10, 0.05) == -40
