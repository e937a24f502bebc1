"""Files of some kilobytes that ask for gigabytes, each read in a process of its own whose memory is measured."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hostile_pool.odd_pictures import chunk
from tests.images.made_collections import encoded, write

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured by Linux's /proc")

READ_POOL = """
import json, re, sys
from pathlib import Path
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
import retrieval_vs_diffusion.images.formats, retrieval_vs_diffusion.images.photo
from PIL import Image
Image.init()

def peak():  # kB that were in memory at most; other than `ru_maxrss` without those of the process that began this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = peak()
stream = CaptionedImages(path=Path(sys.argv[1]), short_side=64, at_most=int(sys.argv[2])).read()
for row in stream:
    pass
print(json.dumps({"megabytes": (peak() - before) / 1024, "ledger": stream.ledger}))
"""


def png_of_zeros(width: int, height: int, colour: int, channels: int, depth: int = 8) -> bytes:
    """All its pixels zero, a thousand to a byte."""
    packer, row = zlib.compressobj(9), bytes(1 + width * channels * depth // 8)
    packed = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def picture_at_the_limit(folder: Path) -> None:
    """100 million pixels, in 390 kB; 4 bytes each in Pillow, once as they are and once as RGB, and 3 as an array."""
    write(folder, {"bomb.png": png_of_zeros(10_000, 10_000, colour=6, channels=4)})


def picture_beyond_the_limit(folder: Path) -> None:
    write(folder, {"bomb.png": png_of_zeros(20_000, 8_000, colour=0, channels=1)})


def text_of_a_picture(folder: Path) -> None:
    """256 MB of text in 260 kB."""
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(bytes(2**20)) for _ in range(256)), packer.flush()])
    bomb = encoded(0)
    at = bomb.index(b"IDAT") - 4
    write(folder, {"bomb.png": bomb[:at] + chunk(b"zTXt", b"a\0\0" + packed) + bomb[at:]})


def value_of_all_rows(folder: Path) -> None:
    """A cell of 30 MB that a thousand rows share, in 2 kB."""
    folder.mkdir(exist_ok=True)
    images = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array([bytes(30_000_000)]))
    table = pa.table({"image": images, "caption": ["a"] * 1000})
    settings = {"compression": "zstd", "store_schema": False, "dictionary_pagesize_limit": 2**30}
    with pq.ParquetWriter(folder / "0.parquet", table.schema, **settings) as writer:
        writer.write_table(table.slice(0, 20))
    pq.write_table(pa.table({"image": [encoded(1)], "caption": ["a"]}), folder / "1.parquet")
    assert (folder / "0.parquet").stat().st_size < 10_000


def header_of_an_archive(folder: Path) -> None:
    """A name of 3 GB, in a file that takes some kilobytes on the disk."""
    folder.mkdir(exist_ok=True)
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 3 * 2**30
    with (folder / "0.tar").open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(4 * 2**30)


def member_of_an_archive(folder: Path) -> None:
    """A picture of 250 MB."""
    folder.mkdir(exist_ok=True)
    header = tarfile.TarInfo("bomb.jpg")
    header.size = 250_000_000
    with (folder / "0.tar").open("wb") as file:
        file.write(header.tobuf())
        file.truncate(300_000_000)


def caption_of_a_picture(folder: Path) -> None:
    write(folder, {"bomb.png": encoded(3)})
    with (folder / "bomb.txt").open("wb") as file:
        file.truncate(3 * 2**30)


def file_of_a_picture(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / "bomb.png").open("wb") as file:
        file.truncate(3 * 2**30)


# What each may take in MB at most, above what the process takes without; and what the ledger must say.
BOMBS: dict[Callable[[Path], None], tuple[int, dict]] = {
    picture_at_the_limit: (1_500, {"used": 2}),
    picture_beyond_the_limit: (100, {"used": 1, "reasons": {"too large": 1}}),
    text_of_a_picture: (100, {"used": 1, "reasons": {"not a whole image": 1}}),
    value_of_all_rows: (400, {"used": 1, "broken": 20}),
    header_of_an_archive: (100, {"used": 1, "left_out": {"broken shard": 1}}),
    member_of_an_archive: (150, {"used": 1, "left_out": {"too large a file": 1}}),
    caption_of_a_picture: (100, {"used": 2}),
    file_of_a_picture: (100, {"used": 1, "reasons": {"too large": 1}}),
}


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_memory_stays_bounded_and_what_lies_beside_is_used(bomb, tmp_path):
    largest, expected = BOMBS[bomb]
    bomb(tmp_path / "pool")
    if "archive" in bomb.__name__:
        member = tarfile.TarInfo("good.png")
        member.size = len(encoded(2))
        write(tmp_path / "pool", {"1.tar": member.tobuf() + encoded(2) + bytes(-member.size % 512) + bytes(1024)})
    elif bomb is not value_of_all_rows:
        write(tmp_path / "pool", {"good.png": encoded(2)})
    done = subprocess.run(
        [sys.executable, "-c", READ_POOL, str(tmp_path / "pool"), "99"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["ledger"] == told["ledger"] | expected
    assert told["megabytes"] < largest
    print(f"{bomb.__name__}: {told['megabytes']:.0f} MB")
