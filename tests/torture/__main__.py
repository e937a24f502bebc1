"""The harness of docs/reliability.md: ``make torture``, or ``make torture-short`` as every CI run has it."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from xml.etree import ElementTree

# Of the test suite, what docs/reliability.md promises; `make test` runs these too, and the harness on its own alone.
SUITE = (
    "tests/hostile_pool",
    "tests/project/test_disk.py",
    "tests/project/test_interrupted_tracking.py",
    "tests/project/test_freshness.py",
    "tests/project/test_freshness_of_inputs.py",
    "tests/project/test_freshness_of_files.py",
    "tests/project/test_roles_of_data.py",
    "tests/project/test_same_table.py",
    "tests/project/test_separate_jobs.py",
    "tests/project/test_servers.py",
    "tests/test_security.py",
    "tests/test_interruption.py",
    "tests/test_unfinished.py",
    "tests/test_atomic.py",
    "tests/test_tracking_server.py",
    "tests/execution",
    "tests/images/downloads",
    "tests/images/test_screening.py",
    "tests/models/test_checkpoint.py",
    "tests/models/test_embedding.py",
    "tests/models/test_index_filling.py",
    "tests/models/test_out_of_memory.py",
    "tests/strategies/test_broken_numbers.py",
    "tests/training/test_resumable.py",
    "tests/training/pretraining/test_resuming.py",
)
HARNESS = "tests/torture"
SHORT = ("tests/torture/test_killed_anywhere.py", "tests/torture/test_two_runs_at_once.py")


def run_tests(*arguments: str) -> tuple[int, list[str]]:
    """Run pytest in a process of its own: how many tests passed, and the names of those that failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", f"--junit-xml={report}", *arguments]
        ran = subprocess.run(command, check=False)
        if not report.exists():
            return 0, [f"pytest {' '.join(arguments)} ended with {ran.returncode} and without a result"]
        cases = list(ElementTree.parse(report).iter("testcase"))
    failed = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    passed = sum(case.find("skipped") is None for case in cases) - len(failed)
    if ran.returncode not in (0, 1):
        failed.append(f"pytest {' '.join(arguments)} ended with {ran.returncode}")
    return passed, failed


def main() -> int:
    """Run it; the last line is ``N passed, N failed``, and 1 is returned where anything failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture", description="Kill it, feed it rubbish, fill disks."
    )
    parser.add_argument("--short", action="store_true", help="few kills and a short fuzz, beside `make test`")
    parser.add_argument("--kills", type=int, help="times that a study is killed (30, short: 3)")
    parser.add_argument("--fuzz-seconds", type=int, help="for each reader (20, short: 2)")
    asked = parser.parse_args()
    os.environ["TORTURE_KILLS"] = str(asked.kills or (3 if asked.short else 30))
    # Tests of Ctrl-C and of closed terminals hear nothing where a shell started this in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    started = time.monotonic()
    parts = [] if asked.short else [run_tests(*SUITE)]
    with ThreadPoolExecutor() as threads:
        harness = threads.submit(run_tests, *(SHORT if asked.short else [HARNESS]), "-m", "torture", "-s")
        if not asked.short:  # the long one picks its moments by how long steps take, and is left alone
            wait([harness])
        parts += [fuzz(asked.fuzz_seconds or (2 if asked.short else 20)), harness.result()]
    passed, failed = sum(part[0] for part in parts), [name for part in parts for name in part[1]]
    for name in failed:
        print(f"failed: {name}")
    print(f"{(time.monotonic() - started) / 60:.0f} minutes")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


def fuzz(seconds: int) -> tuple[int, list[str]]:
    """Fuzz every reader for so many seconds; how many came through, and one name for each that did not."""
    command = [sys.executable, "-m", "tests.fuzz.readers", "--seconds-per-target", str(seconds)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(ran.stdout)
    counts = re.findall(r"^(\d+) passed, (\d+) failed$", ran.stdout, flags=re.MULTILINE)
    if not counts:
        return 0, [f"the fuzz ended with {ran.returncode} and without a result"]
    passed, failed = map(int, counts[-1])
    return passed, ["a reader in the fuzz, see above"] * (failed or (ran.returncode != 0))


if __name__ == "__main__":
    sys.exit(main())
