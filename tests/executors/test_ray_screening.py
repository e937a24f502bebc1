"""Verdicts of the screening are the same whoever looks at the images."""

from __future__ import annotations

import pytest

from retrieval_vs_diffusion.comparison import leaks
from retrieval_vs_diffusion.comparison.leaks import check_planted_leaks
from retrieval_vs_diffusion.executors.executor import executed_by
from retrieval_vs_diffusion.executors.ray_actor import TOKEN
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.images import screening_units
from retrieval_vs_diffusion.images.screening import Gate, Screening, fingerprint
from retrieval_vs_diffusion.unfinished import kept_in

pytestmark = pytest.mark.ray
SETTINGS = Screening(leak_similarity=0.96)


def test_rows_are_judged_on_two_machines_as_here(pool, target, cluster, second_machine, tmp_path, monkeypatch):
    monkeypatch.setattr(screening_units, "FEW", 0)
    monkeypatch.setattr(screening_units, "_BYTES_A_PORTION", 15_000)
    protected = fingerprint(target.val, target.test)
    rows = pool.table.to_pylist()
    rows[7]["image"]["bytes"] = rows[7]["image"]["bytes"][:60]
    rows[9] = rows[8]
    here = Gate(SETTINGS, protected).judge(rows)
    assert (here[7], here[9]) == ("broken", "duplicate")
    assert sum(each is not None and each.startswith("leak") for each in here) >= 10
    with executed_by(RayExecutor(RaySettings(most_actors=2), cluster.address)), kept_in(tmp_path / "step" / "f"):
        assert Gate(SETTINGS, protected).judge(rows) == here
    for section in ("looked_0", "compared_0"):
        assert (tmp_path / "step" / "f" / section / TOKEN).exists()  # made elsewhere


def test_a_whole_pool_is_checked_on_one_machine_as_here(pool, target, cluster, monkeypatch, tmp_path):
    monkeypatch.setattr(leaks, "_AT_ONCE", 40)  # 150 images: four units
    protected = fingerprint(target.val, target.test)
    here = check_planted_leaks(pool, protected, SETTINGS)
    assert (here["planted"], here["found"]) == (10, 10)
    with executed_by(RayExecutor(RaySettings(most_actors=1), cluster.address)), kept_in(tmp_path / "step" / "f"):
        assert check_planted_leaks(pool, protected, SETTINGS) == here
    assert (tmp_path / "step" / "f" / "leaks_0" / TOKEN).exists()  # made elsewhere
