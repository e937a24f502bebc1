import logging
import tarfile
from collections import Counter

import numpy as np
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections import tar_members
from retrieval_vs_diffusion.images.formats import web_dataset
from retrieval_vs_diffusion.images.formats.web_dataset import WebDataset
from retrieval_vs_diffusion.images.readers.captioned_images import CaptionedImages
from tests.images.made_collections import encoded, write, write_tar


def read(path, only=None, **settings):
    faults = Counter()
    return list(WebDataset(path, **settings).samples(only, faults)), dict(faults)


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_img2datasets_shards(tmp_path):
    about = {"url": "https://x", "status": "success", "punsafe": 0.4, "pwatermark": 0.7, "label": "no", "class": "no"}
    write_tar(
        tmp_path / "00000.tar",
        [
            ("000000000.jpg", encoded(0)),
            ("000000000.json", about),
            ("000000000.txt", "a dog\n"),
            ("000000001.webp", encoded(1)),
            ("000000001.json", {"caption": "of json", "status": "success"}),
        ],
    )
    write_tar(tmp_path / "sub/train-1.tar", [("x/y.PNG", encoded(2)), ("x/y.cls", "7")])
    write(tmp_path, {"00000.parquet": "", "00000_stats.json": "{}"})
    samples, faults = read(tmp_path)
    assert [(s.key, s.caption, s.label, s.part, s.source) for s in samples] == [
        ("00000/000000000", "a dog", None, None, "https://x"),
        ("00000/000000001", "of json", None, None, str(tmp_path / "00000.tar")),
        ("sub/train-1/x/y", None, "7", "train", str(tmp_path / "sub/train-1.tar")),
    ]
    assert [s.image for s in samples] == [encoded(0), encoded(1), encoded(2)]
    assert (samples[0].unsafe, samples[0].watermark, faults) == (0.4, 0.7, {})
    assert [(e.key, e.image) for e in WebDataset(tmp_path).entries()] == [(s.key, None) for s in samples]
    assert WebDataset(tmp_path).reads == (tmp_path,)


def test_a_label_key_is_read_from_json(tmp_path):
    write_tar(tmp_path / "0.tar", [("a.jpg", encoded(0)), ("a.json", {"class": "cat"}), ("a.cls", "0")])
    assert [sample.label for sample in read(tmp_path / "0.tar", label_key="class")[0]] == ["cat"]
    assert [sample.label for sample in read(tmp_path / "0.tar")[0]] == ["0"]


def test_only_wanted_images_are_read(tmp_path):
    write_tar(tmp_path / "0.tar", [("a.jpg", encoded(0)), ("b.jpg", encoded(1)), ("b.txt", "b")])
    samples, _ = read(tmp_path, {"0/b"})
    assert [(s.key, s.caption, s.image) for s in samples] == [("0/b", "b", encoded(1))]


def test_our_own_export_is_read(tmp_path):
    from retrieval_vs_diffusion.images.web_dataset import write_shards
    from tests.images.hostile import hostile_set

    write_shards(hostile_set(), tmp_path)
    samples, faults = read(tmp_path, label_key="class")
    assert (len(samples), faults) == (15, {})
    assert {sample.part for sample in samples} == {"train"}


def test_what_could_harm_is_refused_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(web_dataset, "LARGEST_MEMBER", 1_000)
    monkeypatch.setattr(web_dataset, "LARGEST_SIDECAR", 100)
    write_tar(
        tmp_path / "0.tar",
        [
            (member("folder", tarfile.DIRTYPE), b""),
            (member("link.jpg", tarfile.SYMTYPE, "/etc/passwd"), b""),
            (member("hard.jpg", tarfile.LNKTYPE, "good.jpg"), b""),
            (member("pipe.jpg", tarfile.FIFOTYPE), b""),
            ("../out.jpg", encoded(0)),
            ("/root/a.jpg", encoded(0)),
            ("a/../../b.jpg", encoded(0)),
            ("huge.jpg", bytes(1_001)),
            ("good.jpg", encoded(1)),
            ("good.txt", "x" * 101),
            ("./fine.jpg", encoded(2)),
            ("._fine.jpg", b"of macOS"),
            ("other.mp4", b""),
        ],
    )
    samples, faults = read(tmp_path)
    assert [(s.key, s.caption) for s in samples] == [("0/good", None), ("0/fine", None)]
    assert faults == {"a link or no regular file": 3, "a name that climbs out": 3, "too large a file": 2}


def test_shards_in_any_letters_are_read_and_names_with_dots_are_counted(tmp_path):
    dotted = [(f"cat.{number}.JPG", encoded(number)) for number in range(4)]
    write_tar(tmp_path / "A.TAR", [*dotted, ("cat.txt", "a cat"), ("cat.seg.npy", b""), ("ok.jpe", encoded(9))])
    write_tar(tmp_path / "b.tar", [("ok.jpg", encoded(8))])
    samples, faults = read(tmp_path)
    assert [sample.key for sample in samples] == ["A/ok", "b/ok"]
    assert faults == {"a name with dots": 4, "without an image": 1}


def test_a_name_twice_counts_once(tmp_path):
    images = [encoded(seed) for seed in range(6)]
    names = ["a.jpg", "a.png", "b.jpg", "b.txt", "a.jpg", "b.jpg"]
    write_tar(tmp_path / "0.tar", list(zip(names, images, strict=True)))
    write_tar(tmp_path / "1.tar", [("a.jpg", encoded(9))])  # another shard, another key
    samples, faults = read(tmp_path)
    assert [(s.key, s.image) for s in samples] == [("0/a", images[0]), ("0/b", images[2]), ("1/a", encoded(9))]
    assert faults == {"a name twice in a shard": 3}


def test_samples_without_an_image_or_that_were_not_downloaded_are_counted(tmp_path):
    write_tar(
        tmp_path / "0.tar",
        [
            *[("a.txt", "x"), ("a.json", {}), ("b.jpg", encoded(0)), ("b.json", {"status": "failed_to_download"})],
            *[("c.jpg", encoded(1)), ("c.json", "[1]"), ("d.jpg", encoded(2)), ("d.json", '{"a":' * 100_000)],
            ("a.jpg", encoded(3)),  # apart from its text, yet an image
        ],
    )
    samples, faults = read(tmp_path)
    assert [sample.key for sample in samples] == ["0/c", "0/d", "0/a"]
    apart = {f"{ending} not beside its image in the tar": 1 for ending in (".txt", ".json")}  # of a
    assert faults == {**apart, "not downloaded": 1, "unreadable .json": 2}


def ten(path):
    return write_tar(path, [(f"{number}.jpg", encoded(number)) for number in range(10)]).read_bytes()


@pytest.mark.parametrize("cut", ["in a member", "between members", "in a header", "in the first header", "at once"])
def test_of_a_truncated_shard_what_is_good_is_used(tmp_path, caplog, cut):
    whole = ten(tmp_path / "1.tar")
    with tarfile.open(tmp_path / "1.tar") as archive:
        fifth = archive.getmembers()[5]
    at = {
        "in a member": fifth.offset_data + 100,
        "between members": fifth.offset,
        "in a header": fifth.offset + 100,
        "in the first header": 100,
        "at once": 0,
    }[cut]
    write(tmp_path, {"0.tar": whole[:at]})
    with caplog.at_level(logging.WARNING):
        samples, faults = read(tmp_path)
    good = 5 if at > 1_000 else 0
    assert [sample.key for sample in samples] == [f"0/{n}" for n in range(good)] + [f"1/{n}" for n in range(10)]
    assert faults == {"broken shard": 1}
    assert f"0.tar: is damaged or cut off; {good} samples of it can be used" in caplog.text


def test_a_damaged_header_in_the_middle_is_no_end(tmp_path):
    whole = bytearray(ten(tmp_path / "0.tar"))
    with tarfile.open(tmp_path / "0.tar") as archive:
        at = archive.getmembers()[7].offset
    whole[at : at + 512] = np.random.default_rng(0).bytes(512)
    write(tmp_path, {"0.tar": bytes(whole)})
    samples, faults = read(tmp_path)
    assert (len(samples), faults) == (7, {"broken shard": 1})


def test_what_is_no_tar_at_all_is_a_broken_shard(tmp_path):
    write(tmp_path, {"0.tar": b"<html>" * 1000})
    assert read(tmp_path) == ([], {"broken shard": 1})


def test_a_tar_remembers_no_members(tmp_path, monkeypatch):
    ten(tmp_path / "0.tar")
    kept = []
    original = tarfile.TarFile.next
    monkeypatch.setattr(tarfile.TarFile, "next", lambda self: kept.append(len(self.members)) or original(self))
    list(tar_members.tar_members(tmp_path / "0.tar", Counter(), lambda name: 0))
    assert max(kept) <= 1


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"found no file that ends in .tar"):
        read(tmp_path)


@pytest.mark.parametrize("images_first", [True, False])
def test_what_is_said_of_an_image_elsewhere_in_its_tar_lets_no_unsafe_one_through(tmp_path, images_first):
    images = [(f"{name}.jpg", encoded(at)) for at, name in enumerate("ab")]
    said = [(f"{name}.json", {"punsafe": 0.99}) for name in "abc"]  # c has no image at all
    write_tar(tmp_path / "0.tar", [*images, *said] if images_first else [*said, *images])
    _, faults = read(tmp_path)
    assert faults == {".json not beside its image in the tar": 2, "without an image": 1}
    with pytest.raises(UserError, match=r"are not beside their images.*tar --sort=name"):
        list(CaptionedImages(path=tmp_path, unsafe_below=0.5).read())
    assert len(list(CaptionedImages(path=tmp_path).read())) == 2
