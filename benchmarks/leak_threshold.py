"""Recall and false alarms of the leak screening on the base world's planted leaks, for several thresholds.

Run after ``kedro run --pipeline=data_ingest``:  python benchmarks/leak_threshold.py
"""

from pathlib import Path

import numpy as np
import pandas as pd

from retrieval_vs_diffusion.catalog.image_table_dataset import ImageTableDataset
from retrieval_vs_diffusion.images import codec
from retrieval_vs_diffusion.images.near_duplicates import THUMBNAIL, NearDuplicates

DATA = Path("data")


def main() -> None:
    """Print one line a threshold."""
    pool = ImageTableDataset(filepath=str(DATA / "02_intermediate/pool/images")).load()
    protected = pd.read_parquet(DATA / "04_feature/screening/protected.parquet")
    thumbnails = np.stack([np.frombuffer(data, dtype=np.uint8) for data in protected["thumbnail"]])
    near = NearDuplicates(thumbnails.reshape(-1, THUMBNAIL, THUMBNAIL))
    similarity, _ = near.nearest([codec.decode(data) for data in pool.encoded()])
    leaks = np.array([leak is not None for leak in pool.column("leak_of")])
    print(f"{leaks.sum()} planted leaks among {len(pool)} pool images")
    for threshold in (0.80, 0.84, 0.86, 0.88, 0.90, 0.91, 0.92, 0.93, 0.94, 0.95):
        refused = similarity >= threshold
        print(f"threshold {threshold:.2f}: recall {refused[leaks].mean():.3f}, false alarms {refused[~leaks].sum()}")


if __name__ == "__main__":
    main()
