"""What a user of `--env=own` might have: class folders of pictures, shards as img2dataset writes them, links."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from retrieval_vs_diffusion.images.image_table import ImageTable
from retrieval_vs_diffusion.images.readers.rendered_digit_pool import RenderedDigitPool
from retrieval_vs_diffusion.images.readers.rendered_digits import RenderedDigits
from retrieval_vs_diffusion.models.clip import load_clip

CLASSES = ("zero", "one", "two")
SMALL = (
    "classifier.model=tiny_convnet,classifier.image_size=16,classifier.steps=15,classifier.batch_size=16,"
    "classifier.validation_looks=2,repetitions.number=2,workers=2,compute.threads=1,added_per_original=1,"
    "clip.model=data/06_models/pretrained/clip,clip.checkpoint=null,size_curve.times_originals=2"
)


def write_photographs(folder: Path, per_class: int = 16) -> Path:
    """Class folders of PNGs and a JPEG turned by its EXIF; one file is broken, one is there twice."""
    reservoir = RenderedDigits().read().reservoir
    labels = reservoir.labels()
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for number, row in enumerate(np.flatnonzero(labels == label)[:per_class]):
            (folder / name / f"{number:03d}.png").write_bytes(reservoir.row(int(row))["image"]["bytes"])
    (folder / "zero/broken.jpg").write_bytes(b"<html>not found</html>")
    (folder / "one/again.png").write_bytes((folder / "one/000.png").read_bytes())
    return folder


def rendered_pool(images: int = 240) -> ImageTable:
    return RenderedDigitPool(images=images, planted_leaks=0).read()


def write_shards(folder: Path, pool: ImageTable, per_shard: int = 120) -> Path:
    """Tars of key.jpg, key.txt and key.json; one image is empty."""
    folder.mkdir(parents=True)
    rows = pool.rows(range(len(pool)))
    for shard, start in enumerate(range(0, len(rows), per_shard)):
        with tarfile.open(folder / f"{shard:05d}.tar", "w") as tar:
            for number, row in enumerate(rows[start : start + per_shard]):
                key = f"{shard:05d}{number:04d}"
                data = b"" if (shard, number) == (0, 3) else as_jpeg(row)
                about = {"url": f"https://pictures.example/{key}.jpg", "caption": row["caption"], "key": key}
                texts = {"txt": row["caption"].encode(), "json": json.dumps(about).encode()}
                for ending, content in {"jpg": data, **texts}.items():
                    member = tarfile.TarInfo(f"{key}.{ending}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return folder


def write_links(folder: Path, pool: ImageTable, address: str, clip: Path) -> Path:
    """Metadata and embeddings as clip-retrieval has them; row i is at <address>/<i>.jpg."""
    (folder / "metadata").mkdir(parents=True)
    (folder / "img_emb").mkdir()
    urls = [f"{address}/{number}.jpg" for number in range(len(pool))]
    table = pa.table({"URL": urls, "TEXT": pool.column("caption"), "punsafe": [0.0] * (len(pool) - 1) + [0.99]})
    pq.write_table(table, folder / "metadata/metadata_0.parquet")
    np.save(folder / "img_emb/img_emb_0.npy", load_clip(str(clip)).embed_table(pool).astype(np.float16))
    return folder


def as_jpeg(row: dict) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB").save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
