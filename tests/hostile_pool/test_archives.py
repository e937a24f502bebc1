"""Tar files that climb out, link out, lie about their sizes, or are made to take time or memory."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.formats.web_dataset import WebDataset
from tests.hostile_pool.bad_pictures import Canary
from tests.images.made_collections import encoded, write, write_tar

CLIMBS, LINK, BROKEN = "a name that climbs out", "a link or no regular file", "broken shard"
LARGE = "too large a file"


def header(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def blocks(info: tarfile.TarInfo, data: bytes = b"") -> bytes:
    """A header as it is, whatever it claims, and the data."""
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + data + bytes(-len(data) % 512)


def file(name: str, data: bytes) -> bytes:
    return blocks(header(name, size=len(data)), data)


def with_size(size: int) -> bytes:
    """A picture whose header says that it has so many bytes."""
    return blocks(header("bad.jpg", size=size), encoded(0))


def negative() -> bytes:
    data = bytearray(with_size(0))
    data[124:136] = b"\xff" * 11 + b"\0"  # -256, as GNU writes it: `tarfile` would go back and read for ever
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + 8 * 32 + sum(data[156:512]))
    return bytes(data)


def pax(records: dict[str, str], name: str = "bad.jpg") -> bytes:
    info = tarfile.TarInfo(name)
    info.pax_headers, info.size = records, 10
    return info.tobuf(tarfile.PAX_FORMAT) + bytes(512)


GOOD = {"good_0": encoded(1), "good_1": encoded(2)}
FIRST, LAST = file("good_0.jpg", GOOD["good_0"]), file("good_1.jpg", GOOD["good_1"])
END = bytes(1024)
LONG = tarfile.GNUTYPE_LONGNAME

# What stands between two good pictures, and what is counted; after damage the rest of the shard cannot be found.
MEMBERS: dict[str, tuple[bytes, dict[str, int]]] = {
    "climbs": (file("../bad.jpg", encoded(0)), {CLIMBS: 1}),
    "climbs within": (file("a/b/../../../bad.jpg", encoded(0)), {CLIMBS: 1}),
    "is absolute": (file("/tmp/bad.jpg", encoded(0)), {CLIMBS: 1}),
    "climbs by pax": (pax({"path": "../../bad.jpg"}), {CLIMBS: 1}),
    "a link": (blocks(header("bad.jpg", tarfile.SYMTYPE, "/etc/passwd")), {LINK: 1}),
    "a link beside": (blocks(header("bad.jpg", tarfile.SYMTYPE, "good_0.jpg")), {LINK: 1}),
    "a hard link": (blocks(header("bad.jpg", tarfile.LNKTYPE, "../outside.png")), {LINK: 1}),
    "a device": (blocks(header("bad.jpg", tarfile.CHRTYPE)), {LINK: 1}),
    "a disk": (blocks(header("bad.jpg", tarfile.BLKTYPE)), {LINK: 1}),
    "a pipe": (blocks(header("bad.jpg", tarfile.FIFOTYPE)), {LINK: 1}),
    "a folder named so": (blocks(header("bad.jpg", tarfile.DIRTYPE)), {}),
    "an unknown kind": (blocks(header("bad.jpg", b"Z", size=3), b"abc"), {LINK: 1}),
    "a link through a link": (
        blocks(header("out", tarfile.SYMTYPE, "/tmp")) + file("out/bad.txt", b"written"),
        {LINK: 1, "without an image": 1},
    ),
    "half a terabyte": (with_size(2**39), {BROKEN: 1}),
    "a quintillion bytes": (with_size(2**60), {BROKEN: 1}),
    "minus 256 bytes": (negative(), {BROKEN: 1}),
    "minus 1024 bytes by pax": (pax({"size": "-1024"}), {BROKEN: 1}),
    "a quintillion bytes by pax": (pax({"size": str(2**60)}), {BROKEN: 1}),
    "a long name of a quintillion": (blocks(header("././@LongLink", LONG, size=2**60)), {BROKEN: 1}),
    "a header of 16 kB of digits": (
        blocks(header("x", tarfile.XHDTYPE, size=16_896), b"1" * 16_896) + file("bad.jpg", encoded(0)),
        {BROKEN: 1},
    ),
    "2,000 long names": (blocks(header("././@LongLink", LONG, size=2), b"a\0") * 2_000, {BROKEN: 1}),
    "a sparse file": (pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}), {BROKEN: 1}),
    "a damaged header": (bytes(range(256)) * 2, {BROKEN: 1}),
    "70 MB": (file("bad.jpg", bytes(70_000_000)), {LARGE: 1}),
    "a caption of 2 MB": (file("bad.txt", b"x" * 2_000_000), {LARGE: 1}),
    "a pickle": (file("bad.pkl", pickle.dumps(Canary())) + file("bad.pyd", pickle.dumps(Canary())), {}),
    "nothing but an ending": (file(".jpg", encoded(0)), {}),
    "a name without end": (file("bad" * 20 + ".jpg", b""), {}),
    "json 100,000 deep": (file("bad.json", b'{"a":' * 100_000), {"without an image": 1}),
}


def read(place: Path) -> tuple[dict[str, bytes | None], dict[str, int]]:
    faults = Counter[str]()
    samples = {sample.key.rpartition("/")[2]: sample.image for sample in WebDataset(place).samples(None, faults)}
    return samples, dict(faults)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_that_could_harm_is_counted_and_the_others_are_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    member, counted = MEMBERS[name]
    write(tmp_path, {"pool/0.tar": FIRST + member + LAST + END, "pool/1.tar": file("good_2.jpg", encoded(3)) + END})
    write(tmp_path, {"outside.png": encoded(9)})
    before = sorted(tmp_path.rglob("*"))
    started = time.monotonic()
    samples, faults = read(tmp_path / "pool")
    assert time.monotonic() - started < 10  # a hang would be hours
    samples = {key: image for key, image in samples.items() if not key.startswith("badbad")}
    assert faults == counted
    after_it = {} if BROKEN in counted else {"good_1": GOOD["good_1"]}
    assert samples == {"good_0": GOOD["good_0"], **after_it, "good_2": encoded(3)}
    assert sorted(tmp_path.rglob("*")) == before


def test_names_in_another_encoding_become_text(tmp_path):
    member = FIRST.replace(b"good_0.jpg", b"caf\xe9_0.jpg")
    member = member[:148] + b"%06o\0 " % (sum(member[:148]) + 8 * 32 + sum(member[156:512])) + member[156:]
    write(tmp_path, {"0.tar": member + LAST + END})
    from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages

    assert [row["image_id"] for row in CaptionedImages(path=tmp_path).read()] == ["0/caf\\udce9_0", "0/good_1"]


@pytest.mark.parametrize("press", [gzip.compress, lambda data: b"BZh91AY&SY" + bytes(100), lambda data: b"PK\x03\x04"])
def test_a_compressed_archive_is_not_unpacked(press: Callable, tmp_path):
    bomb = gzip.compress(bytes(50_000_000)) if press is gzip.compress else press(b"")
    write(tmp_path, {"0.tar": bomb, "1.tar": FIRST + END})
    assert read(tmp_path) == ({"good_0": GOOD["good_0"]}, {BROKEN: 1})
    write(tmp_path / "other", {"0.tar.gz": gzip.compress(FIRST + END)})
    with pytest.raises(UserError, match=r"found no file that ends in .tar"):
        read(tmp_path / "other")


@pytest.mark.parametrize(
    ("about", "counted"),
    [
        (b"{" * 100_000, {"unreadable .json": 1}),
        (b'{"caption": ["a"], "url": {"a": 1}, "status": "success"}', {}),
        (b'{"punsafe": 1e999}', {}),
        (b'{"punsafe": ' + b"9" * 4_000 + b"}", {}),
        (b'{"punsafe": ' + b"9" * 5_000 + b"}", {"unreadable .json": 1}),  # Python reads no longer numbers
        (b'{"pwatermark": NaN, "punsafe": -Infinity}', {}),
        (b'{"punsafe": "1.0", "caption": 3}', {}),
        (b'{"__class__": "os.system", "py/object": "os.system"}', {}),
        (b"[1, 2]", {"unreadable .json": 1}),
        (b"null", {"unreadable .json": 1}),
        (b"\xff\xfe{\0", {"unreadable .json": 1}),
        (b"", {"unreadable .json": 1}),
    ],
    ids=range(12),
)
def test_odd_json_beside_a_picture_does_not_cost_it(about, counted, tmp_path):
    write_tar(tmp_path / "0.tar", [("a.jpg", GOOD["good_0"]), ("a.json", about), ("good_1.jpg", GOOD["good_1"])])
    faults = Counter[str]()
    samples = list(WebDataset(tmp_path).samples(None, faults))
    assert [(sample.image, sample.caption) for sample in samples] == [(image, None) for image in GOOD.values()]
    assert dict(faults) == counted


@pytest.mark.parametrize("about", [b'{"punsafe": 1e999}', b'{"punsafe": ' + b"9" * 4_000 + b"}"], ids=["float", "int"])
def test_a_probability_beyond_all_numbers_is_unsafe(about, tmp_path):
    write_tar(tmp_path / "0.tar", [("a.jpg", GOOD["good_0"]), ("a.json", about)])
    (sample,) = WebDataset(tmp_path).samples()
    assert sample.unsafe == float("inf")


def test_what_the_harness_packs_is_what_tar_itself_reads():
    """The members are made by hand: a mistake of ours would be refused for the wrong reason."""
    with tarfile.open(fileobj=io.BytesIO(FIRST + MEMBERS["a link"][0] + LAST + END)) as archive:
        assert archive.getnames() == ["good_0.jpg", "bad.jpg", "good_1.jpg"]
