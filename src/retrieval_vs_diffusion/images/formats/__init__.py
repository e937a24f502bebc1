"""Formats in which users' collections of images come: a file and a class for each.

All are imported here, so that their code counts in the fingerprint of what is read with them.
"""

from retrieval_vs_diffusion.images.formats import (
    captions_csv,
    class_folders,
    hugging_face,
    image_folder,
    img2dataset_files,
    img2dataset_parquet,
    labels_csv,
    parquet,
    web_dataset,
)

__all__ = [
    "captions_csv",
    "class_folders",
    "hugging_face",
    "image_folder",
    "img2dataset_files",
    "img2dataset_parquet",
    "labels_csv",
    "parquet",
    "web_dataset",
]
