"""How much memory reading a pool takes: 20,000 made-up JPEGs of 256 pixels in tars, read and written as shards.

    OMP_NUM_THREADS=1 python benchmarks/streaming_memory.py [--images 20000]    # 3 minutes of one core, 1 GB of disk

Prints how far the peak of resident memory grew while the pool was read and written, after the first tenth of it,
and how fast it went.
"""

from __future__ import annotations

import argparse
import io
import resource
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.images.image_table_writer import write_shards
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages

PER_SHARD = 1_000


def make_pool(folder: Path, images: int) -> int:
    """Write the tars; returns their bytes. No two pictures are alike: each is noise of another seed, enlarged."""
    for start in range(0, images, PER_SHARD):
        with tarfile.open(folder / f"{start // PER_SHARD:05d}.tar", "w") as archive:
            for number in range(start, min(start + PER_SHARD, images)):
                noise = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
                buffer = io.BytesIO()
                Image.fromarray(noise).resize((256, 256)).save(buffer, "JPEG", quality=90)
                for ending, data in (("jpg", buffer.getvalue()), ("txt", f"picture {number}".encode())):
                    member = tarfile.TarInfo(f"{number:09d}.{ending}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    return sum(file.stat().st_size for file in folder.iterdir())


def peak() -> float:
    """Peak of resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Make the pool, read it, and print three lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as place:
        tars, shards = Path(place, "tars"), Path(place, "shards")
        tars.mkdir()
        shards.mkdir()
        size = make_pool(tars, images)
        stream = CaptionedImages(tars).read()
        before, started, after_a_tenth = peak(), time.monotonic(), [0.0]

        def watched() -> Iterator:
            for number, row in enumerate(stream):
                if number == images // 10:
                    after_a_tenth[0] = peak()
                yield row

        write_shards(ImageStream(watched(), stream.ledger), shards)
        seconds = time.monotonic() - started
    print(
        f"{stream.ledger['used']:,} of {images:,} images, {size / 1e6:,.0f} MB of tars, {images / seconds:,.0f} images/s"
    )
    print(f"peak before {before:.0f} MB, after a tenth {after_a_tenth[0]:.0f} MB, at the end {peak():.0f} MB")
    print(f"growth {peak() - before:.0f} MB, of it after the first tenth {peak() - after_a_tenth[0]:.0f} MB")


if __name__ == "__main__":
    main()
