"""The screening of photographs, in this process and by actors of Ray on this machine: images a second.

    OMP_NUM_THREADS=1 python benchmarks/screening_rate.py [--images 3072 --side 512 --protected 60000 --actors 1 2]

256 pieces of one of the photographs that come with scikit-learn, as JPEGs, each many times: a duplicate is looked at like
any other. Protected are pieces of the other photograph. Ends with 1 if verdicts differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from natural_pictures import natural_pictures

from retrieval_vs_diffusion.executors.executor import executed_by
from retrieval_vs_diffusion.executors.ray_cluster import disconnect, own_cluster
from retrieval_vs_diffusion.executors.ray_executor import RayExecutor
from retrieval_vs_diffusion.executors.settings import RaySettings
from retrieval_vs_diffusion.images.copies.pictures import grey_picture
from retrieval_vs_diffusion.images.image_table import image_row
from retrieval_vs_diffusion.images.look import look_at
from retrieval_vs_diffusion.images.screening import Gate, Screening
from retrieval_vs_diffusion.unfinished import kept_in

DISTINCT = 256


def main() -> None:
    """Make the images, judge them, and print a line a way."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual in (("images", 3_072), ("side", 512), ("protected", 60_000)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--actors", type=int, nargs="*", default=[1, 2])
    asked = parser.parse_args()
    drawn = [image_row(picture, "drawn") for picture in natural_pictures(2 * DISTINCT, asked.side)[::2]]
    rows = [{**drawn[number % DISTINCT], "image_id": str(number)} for number in range(asked.images)]
    pieces = natural_pictures(2 * asked.protected, 64, seed=1)[1::2]
    frame = pd.DataFrame(
        [
            {"image_id": str(at), "part": "val", "picture": grey_picture(each).tobytes()}
            for at, each in enumerate(pieces)
        ]
    ).assign(side=32)
    settings = Screening(leak_similarity=0.88)
    started = time.perf_counter()
    Gate(settings, frame)
    size = np.mean([len(row["image"]["bytes"]) for row in rows]) / 1e3
    print(
        f"{asked.protected:,} protected, {time.perf_counter() - started:.1f} s to index; JPEGs of {size:.0f} kB",
        flush=True,
    )

    def judge(who: str) -> list[str | None]:
        gate, started = Gate(settings, frame), time.perf_counter()
        verdicts = gate.judge(rows)
        seconds = time.perf_counter() - started
        print(f"{who}: {len(rows):,} images in {seconds:.1f} s, {len(rows) / seconds:,.1f}/s", flush=True)
        return verdicts

    started = time.perf_counter()
    for row in rows[:512]:
        look_at(row["image"]["bytes"])
    print(f"decoding alone, of 512: {512 / (time.perf_counter() - started):,.1f}/s", flush=True)
    here, same = judge("in this process"), True
    print(f"{sum(each is not None for each in here):,} refused")
    for number in asked.actors:
        how = RaySettings(cpus_per_actor=1 / number, most_actors=number)
        with (
            tempfile.TemporaryDirectory() as place,
            own_cluster(how) as address,
            executed_by(RayExecutor(how, address)),
            kept_in(Path(place, "step", "f")),
        ):
            same &= judge(f"by {number} actors of Ray") == here
            disconnect()
    print("the same verdicts" if same else "VERDICTS DIFFER")
    sys.exit(not same)


if __name__ == "__main__":
    main()
