import math

import pytest

from benchmarks.gpu_stages.reported import LIMIT, Check, GpuRow
from benchmarks.measuring import Measured


@pytest.mark.parametrize(
    ("found", "holds"), [(1.0, True), (2.0, True), (0.99, False), (2.01, False), (math.nan, False), (math.inf, False)]
)
def test_a_check_holds_within_its_bounds_and_never_for_what_is_no_number(found, holds):
    assert Check("figure", found, at_least=1, at_most=2).holds is holds
    assert not Check("figure", math.nan).holds
    assert Check("PSNR of equal images", math.inf, at_least=30).holds


def test_speed_and_share_of_the_limit_are_of_our_side():
    measured = Measured(ours=(0.5, 0.25, 0.2), theirs=(1.0, 1.0, 1.0), work="three repeats")
    told = GpuRow("text_to_image", "peer", measured, "images", flops=LIMIT / 10, checks=(Check("x", 1, 1),)).as_json()
    assert told["ratio"] == 4  # of 2, 4 and 5
    assert told["ours_per_s"] == 4  # 1 / 0.25, of the repeat with that ratio
    assert told["theirs_per_s"] == 1
    assert told["share_of_limit"] == pytest.approx(0.4)  # 4 a second of a tenth of what a second gives
    assert told["same_result"] is True
    assert told["broken_checks"] == []


def test_one_broken_check_makes_another_result():
    checks = (Check("x", 1, 1), Check("y", 0, 1))
    told = GpuRow("text_to_image", "peer", Measured((1.0,), (1.0,)), "images", checks=checks).as_json()
    assert told["same_result"] is False
    assert told["broken_checks"] == ["y: 0 (at least 1)"]
