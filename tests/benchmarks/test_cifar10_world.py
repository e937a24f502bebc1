"""The script's files from a made-up archive: 12 training and 3 test pictures of two classes."""

import collections
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retrieval_vs_diffusion.errors import UserError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CLASSES = ("cat", "ship")


@pytest.fixture(autouse=True)
def _scripts_find_each_other(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def archive(tmp_path) -> Path:
    random, path = np.random.default_rng(0), tmp_path / "cifar10.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        for part, number in (("train", 12), ("test", 3)):
            for name in CLASSES:
                for index in range(number):
                    buffer = io.BytesIO()
                    Image.fromarray(random.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(buffer, "JPEG")
                    member = tarfile.TarInfo(f"{part}/{name}/{index:04d}.jpg")
                    member.size = buffer.tell()
                    buffer.seek(0)
                    tar.addfile(member, buffer)
    return path


def make(archive: Path, folder: Path, seed: int = 0) -> Path:
    from cifar10_world import make_world

    make_world(archive, folder, train_per_class=3, val_per_class=2, seed=seed)
    return folder


def pool_of(folder: Path) -> dict[str, dict[str, bytes]]:
    """File contents of the pool by key and ending."""
    samples: dict[str, dict[str, bytes]] = collections.defaultdict(dict)
    for shard in sorted((folder / "pool").iterdir()):
        with tarfile.open(shard) as tar:
            for member in tar:
                key, ending = member.name.split(".")
                samples[key][ending] = tar.extractfile(member).read()
    return dict(samples)


def test_every_training_picture_is_in_train_val_or_pool_and_in_one_of_them_alone(archive, tmp_path):
    folder = make(archive, tmp_path / "raw")
    parts = {part: {f"train/{file.parent.name}/{file.name}" for file in (folder / "target" / part).rglob("*.jpg")}
             for part in ("train", "val")}  # fmt: skip
    urls = {json.loads(sample["json"])["url"].removeprefix("cifar10://") for sample in pool_of(folder).values()}
    assert (len(parts["train"]), len(parts["val"]), len(urls)) == (6, 4, 14)  # 2 classes: 3 + 2 + 7 = 12 each
    assert parts["train"] | parts["val"] | urls == {f"train/{name}/{i:04d}.jpg" for name in CLASSES for i in range(12)}


def test_the_target_keeps_the_archives_bytes(archive, tmp_path):
    folder = make(archive, tmp_path / "raw")
    with tarfile.open(archive) as tar:
        for index in range(3):
            expected = tar.extractfile(f"test/cat/{index:04d}.jpg").read()
            assert (folder / f"target/test/cat/{index:04d}.jpg").read_bytes() == expected


def test_a_sample_is_as_img2dataset_writes_it(archive, tmp_path):
    samples = pool_of(make(archive, tmp_path / "raw"))
    assert list(samples) == [f"0000000{number:02d}" for number in range(len(samples))]
    for key, sample in samples.items():
        assert set(sample) == {"jpg", "txt", "json"}
        about = json.loads(sample["json"])
        with Image.open(io.BytesIO(sample["jpg"])) as image:
            assert (about["width"], about["height"]) == image.size
        assert about["caption"] == sample["txt"].decode()
        assert about["key"] == key
        assert about["class"] == about["url"].split("/")[3]


def test_the_same_call_gives_the_same_bytes_and_another_seed_others(archive, tmp_path):
    one, same, other = (make(archive, tmp_path / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    shard = "pool/00000.tar"
    assert (one / shard).read_bytes() == (same / shard).read_bytes() != (other / shard).read_bytes()
    assert (one / "README.md").read_text() == (same / "README.md").read_text()


def test_some_pictures_are_there_twice_and_say_of_which_they_are_a_copy(archive, tmp_path, monkeypatch):
    import cifar10_world

    monkeypatch.setattr(cifar10_world, "DUPLICATE_SHARE", 0.5)
    samples = [json.loads(sample["json"]) for sample in pool_of(make(archive, tmp_path / "raw")).values()]
    copies = [about for about in samples if about["duplicate_of"]]
    assert (len(samples), len(copies)) == (21, 7)  # 14 pictures, half of them twice
    url_of = {about["key"]: about["url"] for about in samples}
    assert all(url_of[about["duplicate_of"]] == about["url"] for about in copies)
    assert len({about["sha256"] for about in samples}) == 21  # another edit each


def test_captions_are_as_noisy_as_the_base_worlds():
    from cifar10_captions import caption

    random = np.random.default_rng(0)
    said = [caption("cat", random) for _ in range(4000)]
    kinds = collections.Counter(kind for _, kind in said)
    # 4,000 draws: three deviations of a share of 0.05 are 0.010, of 0.10 are 0.014
    shares = {kind: number / 4000 for kind, number in kinds.items()}
    assert shares == pytest.approx({"true": 0.8, "generic": 0.1, "wrong class": 0.05, "junk": 0.05}, abs=0.02)
    words = ("cat", "kitten", "kitty")
    assert all(any(word in text for word in words) for text, kind in said if kind == "true")
    assert not any(any(word in text for word in words) for text, kind in said if kind == "wrong class")


def test_six_of_ten_pictures_are_only_encoded_again(archive):
    from cifar10_edits import edited

    with tarfile.open(archive) as tar:
        data = tar.extractfile("train/cat/0000.jpg").read()
    random = np.random.default_rng(0)
    steps = [edited(data, random)[1].split(", ") for _ in range(1000)]
    numbers = collections.Counter(len(each) - 1 for each in steps)  # without the encoding
    assert numbers[0] / 1000 == pytest.approx(0.60, abs=0.05)  # three deviations are 0.046
    assert numbers[1] / 1000 == pytest.approx(0.25, abs=0.05)
    assert max(numbers) == 2


def test_a_mirrored_picture_is_its_mirror_image(monkeypatch):
    import cifar10_edits

    monkeypatch.setattr(cifar10_edits, "_draw_edits", lambda random: ["mirror"])
    pixels = np.zeros((32, 32, 3), dtype=np.uint8)
    pixels[:, :16] = 255  # left half white
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data, said = cifar10_edits.edited(buffer.getvalue(), np.random.default_rng(0))
    with Image.open(io.BytesIO(data)) as image:
        grey = np.asarray(image.convert("L"), dtype=float)
    assert said.startswith("mirror, jpeg ")
    assert grey[:, 16:].mean() > 200 > 50 > grey[:, :16].mean()


def test_what_is_no_such_archive_is_refused_and_nothing_of_the_folder_is_lost(archive, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="holds something else"):
        make(archive, mine)
    assert (mine / "thesis.txt").read_text() == "precious"
    with pytest.raises(UserError, match="cannot be read as a tar archive"):
        make(mine / "thesis.txt", tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_it_runs_as_a_script_and_prints_its_counts(archive, tmp_path):
    sizes = ["--train-per-class", "10", "--val-per-class", "3"]
    command = [sys.executable, str(BENCHMARKS / "cifar10_world.py"), str(archive), str(tmp_path / "raw"), *sizes]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == 'Error: the archive has 12 training images of "cat", 13 are wanted\n'
    ended = subprocess.run([*command[:-1], "1"], capture_output=True, text=True, check=True)
    assert "- `target/train`: 20 images" in ended.stdout  # 10 of each of two classes
    assert "| cat | 10 | 1 | 3 | 1 |" in ended.stdout
