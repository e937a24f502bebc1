"""A coverage-guided fuzz of every reader: ``python -m tests.fuzz.readers --seconds-per-target 60``.

Needs the extra ``torture`` (atheris, which is libFuzzer for Python). A crash is an exception that a reader does not
document, the end of the process, an input that takes longer than 10 seconds, or more than 2 GB of memory. Inputs that
crash, and those that reach new code, are kept in ``build/fuzz``, which git ignores; give one to ``--input`` to see
what it does.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

KEPT = Path("build/fuzz")
SECONDS_PER_INPUT, MEGABYTES, LONGEST = 10, 2048, 32_768
# Whose branches guide the fuzzer: all that is Python on the way of a file.
_GUIDED_BY = [
    "retrieval_vs_diffusion",
    "PIL",
    "tarfile",
    "csv",
    "json",
    "numpy.lib._format_impl",
    "numpy.lib._npyio_impl",
]


@dataclass(frozen=True)
class Outcome:
    """What the fuzz of one target came to.

    Args:
        target: its name.
        executions: inputs that were read.
        coverage: branches of Python that they reached.
        features: the same with how often.
        seconds: that it took.
        crash: what ended it; None where nothing did.
    """

    target: str
    executions: int
    coverage: int
    features: int
    seconds: float
    crash: str | None


def main(arguments: list[str] | None = None) -> int:
    """Fuzz all targets, as many at once as there are cores; 1 where one crashed, 2 where the fuzzer is not there."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.readers", description="Fuzz every reader.")
    parser.add_argument("--seconds-per-target", type=int, default=60)
    parser.add_argument("--at-once", type=int, default=len(os.sched_getaffinity(0)), help="targets (one for each core)")
    parser.add_argument("--only", nargs="*", help="names of targets; all without it")
    parser.add_argument("--input", type=Path, help="read one file with the only target named, and nothing else")
    parser.add_argument("--run-one", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.run_one:
        _fuzz(asked.run_one, asked.seconds_per_target)
        return 0
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("Error: atheris is not installed: pip install -c constraints.txt -e '.[torture]'", file=sys.stderr)
        return 2
    from tests.fuzz.targets import TARGETS

    unknown = set(asked.only or ()) - set(TARGETS)
    if unknown:
        print(f"Error: no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    if asked.input:
        TARGETS[asked.only[0]].run(asked.input.read_bytes())
        return 0
    print("target | executions | coverage / features | seconds | crashes", flush=True)
    with ThreadPoolExecutor(asked.at_once) as threads:
        outcomes = list(threads.map(lambda name: _in_a_process(name, asked.seconds_per_target), asked.only or TARGETS))
    failed = sum(outcome.crash is not None for outcome in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def _in_a_process(target: str, seconds: int) -> Outcome:
    """Fuzz one target: what it crashes is another process."""
    command = [sys.executable, "-m", "tests.fuzz.readers", "--run-one", target, "--seconds-per-target", str(seconds)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    started = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=seconds + 180)
        output, code = (done.stdout + done.stderr).decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as error:
        output, code = ((error.stdout or b"") + (error.stderr or b"")).decode(errors="replace"), None
    outcome = Outcome(
        target,
        max([0, *map(int, re.findall(r"^#(\d+)\s", output, re.M))]),
        max([0, *map(int, re.findall(r"\bcov: (\d+)", output))]),
        max([0, *map(int, re.findall(r"\bft: (\d+)", output))]),
        time.monotonic() - started,
        None if code == 0 else _crash(output, code),
    )
    print(
        f"{target} | {outcome.executions:,} | {outcome.coverage:,} / {outcome.features:,} | {outcome.seconds:.0f} | "
        f"{outcome.crash or 0}",
        flush=True,
    )
    if outcome.crash:
        (KEPT / f"{target}.log").write_text(output[-20_000:])
    return outcome


def _crash(output: str, code: int | None) -> str:
    """The crash in one line, with the file that makes it."""
    told = re.findall(r"^(?:\w+\.)*\w*(?:Error|Exception|Bomb\w*|Interrupt)\b.*$|ERROR: libFuzzer: .*$", output, re.M)
    input_file = re.findall(r"Test unit written to (\S+)", output)
    if not told and code == 1:  # an exception of another name, before the fuzz began
        told = output.strip().splitlines()[-1:]
    kind = told[0][:150] if told else "no end" if code is None else f"ended with {code}"
    return f"{kind}; {input_file[-1] if input_file else KEPT}"


def _fuzz(target: str, seconds: int) -> None:
    """In this process, until the time is over or something crashes; does not return."""
    import logging
    import warnings

    import atheris

    with atheris.instrument_imports(include=_GUIDED_BY):
        from tests.fuzz.targets import TARGETS
    from PIL import Image

    # Pillow refuses twice as many: pictures up to our own limit take seconds on a busy machine, and pass for a hang.
    Image.MAX_IMAGE_PIXELS = 1_000_000
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    corpus, crashes = KEPT / "corpus" / target, KEPT / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[target].seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
        TARGETS[target].run(seed)  # what is imported only now takes seconds, which are not the reader's
    options = {
        "max_total_time": seconds,
        "timeout": SECONDS_PER_INPUT,
        "rss_limit_mb": MEGABYTES,
        "max_len": LONGEST,
        "artifact_prefix": f"{crashes}/{target}-",
        "seed": 1,
        "print_final_stats": 1,
    }
    atheris.Setup(["fuzz", *(f"-{name}={value}" for name, value in options.items()), str(corpus)], TARGETS[target].run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
