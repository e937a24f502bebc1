import json
import subprocess
import sys
import time

import pytest
import torch

from retrieval_vs_diffusion.models.cost_meter import Cost, CostMeter


@pytest.fixture
def cuda(monkeypatch):
    """What is asked of CUDA, written down; ``cuda["peak"]`` is the memory that the device says it has given out."""
    state = {"peak": 100, "asked": []}

    def synchronize(device):
        state["asked"].append(f"synchronize {device}")
        time.sleep(state.get("queued", 0.0))

    def reset(device):
        state["asked"].append(f"reset {device}")
        state["peak"] = 100  # what is still in use

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: state["peak"])
    return state


def test_costs_add_up_and_the_larger_memory_counts():
    total = Cost(1.0, 0.5, 300, 7) + Cost(2.0, 0.25, 200, 5)
    assert total == Cost(3.0, 0.75, 300, 12)
    assert Cost(peak_memory_bytes=None) + Cost(peak_memory_bytes=0) == Cost(peak_memory_bytes=0)
    assert (Cost() + Cost()).peak_memory_bytes is None
    assert sum([Cost(1.0, flops=2)] * 3, Cost()) == Cost(3.0, flops=6)


def test_a_cost_survives_json():
    for cost in (Cost(1.5, 0.5, 300, 10**15 + 1), Cost()):
        assert Cost.from_dict(json.loads(json.dumps(cost.to_dict()))) == cost


def test_a_field_that_is_missing_or_strange_is_named():
    values = Cost().to_dict()
    with pytest.raises(ValueError, match="missing or strange: flops"):
        Cost.from_dict({key: value for key, value in values.items() if key != "flops"})
    with pytest.raises(ValueError, match="missing or strange: watts"):
        Cost.from_dict({**values, "watts": 1})


def test_on_the_cpu_there_are_seconds_and_nothing_of_a_gpu():
    with CostMeter(torch.device("cpu")) as meter:
        time.sleep(0.05)
    assert 0.05 <= meter.seconds < 5
    assert (meter.gpu_seconds, meter.peak_memory_bytes) == (0.0, None)
    assert meter.cost(flops=9) == Cost(meter.seconds, 0.0, None, 9)
    seconds = meter.seconds
    time.sleep(0.01)
    assert meter.seconds == seconds


def test_nothing_is_known_before_the_end():
    with CostMeter("cpu") as meter, pytest.raises(RuntimeError, match="when the meter's context is over"):
        _ = meter.seconds


def test_an_error_ends_the_measuring_and_goes_on(cuda):
    meter = CostMeter("cuda")
    with pytest.raises(ZeroDivisionError), meter:
        cuda["peak"] = 500 // 0
    assert meter.seconds > 0
    assert meter.peak_memory_bytes == 100
    assert CostMeter._open == []


def test_on_cuda_the_queued_work_is_waited_for_and_held_seconds_and_memory_are_known(cuda):
    with CostMeter(torch.device("cuda:1")) as meter:
        cuda["asked"].append("work")
        cuda.update(peak=700, queued=0.05)  # launched within no time, and done at the end
    assert cuda["asked"] == ["synchronize cuda:1", "reset cuda:1", "work", "synchronize cuda:1"]
    assert meter.gpu_seconds == meter.seconds >= 0.05
    assert meter.peak_memory_bytes == 700


def test_a_meter_within_another_does_not_make_it_forget_its_peak(cuda):
    cuda["peak"] = 900  # of work before any meter
    with CostMeter("cuda") as outer:
        cuda["peak"] = 500
        with CostMeter("cuda") as inner, CostMeter("cpu") as aside:
            cuda["peak"] = 300
        cuda["peak"] = 400
    assert (outer.peak_memory_bytes, inner.peak_memory_bytes, aside.peak_memory_bytes) == (500, 300, None)


def test_importing_the_meter_loads_neither_torch_nor_kedro():
    heavy = "{'torch', 'kedro', 'mlflow'}"
    code = f"import sys, retrieval_vs_diffusion.models.cost_meter; assert not {heavy} & {{*sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True)
