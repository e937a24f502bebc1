"""The screening of photographs, in this process and by actors of Ray on this machine: images a second.

    OMP_NUM_THREADS=1 python -m benchmarks.scaling.screening_rate [--images 3072 --side 512 --protected 60000 --actors 1 2]

256 pieces of one of the photographs that come with scikit-learn, as JPEGs, each many times: a duplicate is looked at like
any other. Protected are pieces of the other photograph. Ends with 1 if verdicts differ.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

from benchmarks.natural_pictures import natural_pictures
from benchmarks.scaling.on_actors import asked, ways
from retrieval_vs_diffusion.images.copies.pictures import grey_picture
from retrieval_vs_diffusion.images.image_table import image_row
from retrieval_vs_diffusion.images.look import look_at
from retrieval_vs_diffusion.images.screening import Gate, Screening

DISTINCT = 256


def main() -> None:
    """Make the images, judge them, and print a line a way."""
    given = asked(__doc__, images=3_072, side=512, protected=60_000)
    drawn = [image_row(picture, "drawn") for picture in natural_pictures(2 * DISTINCT, given.side)[::2]]
    rows = [{**drawn[number % DISTINCT], "image_id": str(number)} for number in range(given.images)]
    pieces = natural_pictures(2 * given.protected, 64, seed=1)[1::2]
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
        f"{given.protected:,} protected, {time.perf_counter() - started:.1f} s to index; JPEGs of {size:.0f} kB",
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
    verdicts = [judge(who) for who in ways(given.actors)]
    print(f"{sum(each is not None for each in verdicts[0]):,} refused")
    same = all(each == verdicts[0] for each in verdicts)
    print("the same verdicts" if same else "VERDICTS DIFFER")
    sys.exit(not same)


if __name__ == "__main__":
    main()
