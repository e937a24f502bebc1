"""How many units a second the driver gives away and takes back, by one actor of Ray that does nothing.

    python -m benchmarks.scaling.driver [--units 500 8000]

The first number warms up. Prints processor seconds of the driver a unit, and units a second by the clock.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.scaling.sleeping import Sleeping, units_of
from retrieval_vs_diffusion.executors.ray_cluster import disconnect, own_cluster
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.unfinished import Section


def main() -> None:
    """Measure each number of units."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="*", default=[500, 8_000])
    numbers = parser.parse_args().units
    settings = RaySettings(cpus_per_actor=1, most_actors=1)
    with own_cluster(settings) as address:
        for number in numbers:
            with tempfile.TemporaryDirectory() as folder:
                busy, began, first = time.process_time(), time.perf_counter(), 0.0
                made = RayExecutor(settings, address).run(
                    Sleeping(0.0), units_of(number), Section(Path(folder)), "nothing"
                )
                for _ in made:
                    first = first or time.perf_counter()
                ended = time.perf_counter()
                spent = (time.process_time() - busy) / number
            print(
                f"{number} units: {1e3 * spent:.2f} ms of the driver's processor a unit; {first - began:.1f} s to the "
                f"first, then {number / (ended - first):.0f} units/s",
                flush=True,
            )
        disconnect()


if __name__ == "__main__":
    main()
