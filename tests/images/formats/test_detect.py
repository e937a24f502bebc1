import logging

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.formats.detect import detect
from tests.images.made_collections import encoded, tree, write, write_parquet, write_tar

LINKS = {"url": ["https://x"], "caption": ["a dog"]}


def test_class_folders(tmp_path):
    assert detect(tree(tmp_path / "plain"), "target") == "class_folders"
    assert detect(tree(tmp_path / "split", train=1, test=1), "target") == "class_folders"
    described = write(tree(tmp_path / "described"), {"classes.csv": "class,definition\ncat,a cat\n"})
    assert detect(described, "target") == "class_folders"


def test_lists_of_labels_and_of_captions(tmp_path):
    folder = write(tmp_path, {"images/a.png": encoded(0), "d.png": encoded(1), "list.csv": "Path,Label,caption\n"})
    assert detect(folder, "target") == "labels_csv"
    assert detect(folder, "pool") == "captions_csv"
    assert detect(folder / "list.csv", "target") == "labels_csv"
    assert detect(folder / "list.csv", "pool") == "captions_csv"
    assert detect(write(tmp_path / "flat", {"a.png": encoded(0), "list.tsv": "x\ty\n"}), "target") == "labels_csv"


def test_a_list_of_labels_beside_class_folders_is_not_chosen_between(tmp_path):
    folder = write(tree(tmp_path), {"labels.csv": "path,label\ncat/0.png,dog\n"})
    with pytest.raises(
        UserError,
        match=r"holds labels.csv, which lists labels, and images in the folders cat, dog; only one of them is read: "
        r"say which by target.reader.format, labels_csv or class_folders$",
    ):
        detect(folder, "target")
    tree(tmp_path / "split", train=1, test=1)
    write(tmp_path / "split", {"labels.csv": "path,label\ntrain/cat/0.png,dog\n"})
    with pytest.raises(UserError, match=r"or class_folders"):
        detect(tmp_path / "split", "target")
    flat = {"train/0.png": encoded(0), "test/1.png": encoded(1), "labels.csv": "path,label\ntrain/0.png,dog\n"}
    assert detect(write(tmp_path / "flat", flat), "target") == "labels_csv"  # parts without classes in them


@pytest.mark.parametrize("header", ["file,class,probability", "file,class,probability,class_2,probability_2"])
def test_predictions_are_no_labels(tmp_path, header):
    predictions = {"predictions.csv": f"{header}\ncat/0.png,dog,0.5{',cat,0.4' if 'class_2' in header else ''}\n"}
    folder = write(tree(tmp_path / "tree"), predictions)
    assert (detect(folder, "target"), detect(folder, "pool")) == ("class_folders", "image_folder")
    with pytest.raises(
        UserError, match=r"predictions.csv holds what a classifier predicted, and no labels; target.read"
    ):
        detect(folder / "predictions.csv", "target")
    both = {"0.png": encoded(0), "labels.csv": "path,label\n0.png,dog\n", **predictions}
    assert detect(write(tmp_path / "both", both), "target") == "labels_csv"


def test_what_was_chosen_is_said_once(tmp_path, caplog):
    tree(tmp_path)
    with caplog.at_level(logging.INFO):
        assert [detect(tmp_path, "target") for _ in range(3)] == ["class_folders"] * 3
    assert [record.getMessage() for record in caplog.records] == [
        f"target.reader: auto reads {tmp_path} as class_folders, by the images in its folders: it has files 8 .png, "
        "and 2 folders"
    ]


def test_linked_folders_are_classes_and_no_pool(tmp_path):
    tree(tmp_path / "store")
    for place in ("plain", "split/train"):
        (tmp_path / place).mkdir(parents=True)
        for name in ("cat", "dog"):
            (tmp_path / place / name).symlink_to(tmp_path / "store" / name)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/train").symlink_to(tmp_path / "split/train")
    (tmp_path / "plain/round").symlink_to(tmp_path / "plain")
    for place in ("plain", "split", "parts"):
        assert detect(tmp_path / place, "target") == "class_folders"
        with pytest.raises(UserError, match=r"no known format: it has no files"):
            detect(tmp_path / place, "pool")


def test_image_folders(tmp_path):
    assert detect(tree(tmp_path), "pool") == "image_folder"


def test_tables(tmp_path):
    write_parquet(tmp_path / "hub/data/train-0.parquet", {"image": [encoded(0)], "label": [0]}, ["a", "b"])
    assert detect(tmp_path / "hub", "target") == "parquet"
    assert detect(tmp_path / "hub/data/train-0.parquet", "pool") == "parquet"
    (tmp_path / "i2d").mkdir()
    pq.write_table(
        pa.table({"key": ["0"], "status": ["success"], "jpg": [encoded(0)], **LINKS}), tmp_path / "i2d/0.parquet"
    )
    assert detect(tmp_path / "i2d", "pool") == "img2dataset_parquet"


def test_tars_with_their_tables_beside_them(tmp_path):
    write_tar(tmp_path / "00000.tar", [("a.jpg", encoded(0))])
    write_parquet(tmp_path / "00000.parquet", LINKS)
    write(tmp_path, {"00000_stats.json": "{}"})
    assert (
        detect(tmp_path, "pool")
        == detect(tmp_path, "target")
        == detect(tmp_path / "00000.tar", "pool")
        == "web_dataset"
    )


def test_tars_beside_images_are_not_chosen_between(tmp_path):
    write_tar(tmp_path / "BACKUP.TAR", [("a.jpg", encoded(0))])
    assert detect(tmp_path, "pool") == "web_dataset"
    write(tmp_path, {"a.jpg": encoded(0), "b/c.jpg": encoded(1), "a.txt": "a dog"})
    with pytest.raises(
        UserError,
        match=r"holds 1 .tar and 2 images that are files; only one of them is read: say which by pool.reader.format, "
        r"web_dataset or image_folder or captions_csv$",
    ):
        detect(tmp_path, "pool")
    with pytest.raises(UserError, match=r"target.reader.format, web_dataset or class_folders or labels_csv$"):
        detect(tmp_path, "target")


def test_a_folder_of_a_day_is_none_of_img2dataset(tmp_path):
    write(tmp_path, {"20230101/a.jpg": encoded(0), "20230101/a.txt": "a", "holiday/b.jpg": encoded(1)})
    assert detect(tmp_path, "pool") == "image_folder"
    (tmp_path / "holiday/b.jpg").unlink()
    assert detect(tmp_path, "pool") == "image_folder"


@pytest.mark.parametrize("sidecar", ["00000/a.json", "00000_stats.json", "00000.parquet"])
def test_images_beside_the_folders_of_img2dataset_are_not_left_out_silently(tmp_path, sidecar):
    write(tmp_path, {"00000/a.jpg": encoded(0), sidecar: "{}", "notes/readme.txt": ""})
    assert detect(tmp_path, "pool") == "img2dataset_files"
    write(tmp_path, {"holiday/deep/b.jpg": encoded(1)})
    with pytest.raises(
        UserError,
        match=r"holds 00000 as img2dataset writes them, and images in holiday/; only one of them is read: say which by "
        r"pool.reader.format, img2dataset_files or image_folder or captions_csv$",
    ):
        detect(tmp_path, "pool")


def test_img2datasets_files(tmp_path):
    write(tmp_path, {"00000/000000000.jpg": encoded(0), "00000/000000000.json": "{}"})
    write_parquet(tmp_path / "00000.parquet", LINKS)
    assert detect(tmp_path, "pool") == "img2dataset_files"


def test_data_sets_saved_by_the_library(tmp_path):
    write(tmp_path / "one", {"state.json": "{}", "dataset_info.json": "{}", "data-00000-of-00001.arrow": ""})
    write(tmp_path / "several", {"dataset_dict.json": "{}"})
    assert {detect(tmp_path / name, "target") for name in ("one", "several")} == {"hugging_face"}


def test_links(tmp_path):
    write_parquet(tmp_path / "laion/metadata/metadata_0.parquet", LINKS)
    write(tmp_path / "laion", {"img_emb/img_emb_0.npy": ""})
    write_parquet(tmp_path / "table/part-0.parquet", {"URL": ["https://x"], "TEXT": ["a"]})
    assert detect(tmp_path / "laion", "pool") == detect(tmp_path / "table", "pool") == "links"
    assert detect(tmp_path / "table/part-0.parquet", "pool") == "links"


def test_what_is_none_is_said_with_what_would_do(tmp_path):
    with pytest.raises(
        UserError, match=r"pool.reader.path: there is nothing at .*none; .*format: hugging_face a name on"
    ):
        detect(tmp_path / "none", "pool")
    write(tmp_path / "films", {"a.mp4": "", "b.mp4": "", "readme": ""})
    with pytest.raises(
        UserError,
        match=r"target.reader.path: .*films is in no known format: it has files 2 .mp4, 1 without ending, and "
        r"0 folders; a folder for each class, a CSV",
    ):
        detect(tmp_path / "films", "target")
    with pytest.raises(
        UserError, match=r"no known format: a file that ends in .mp4; tars, files or Parquet as img2data"
    ):
        detect(tmp_path / "films/a.mp4", "pool")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no known format: it has no files"):
        detect(tmp_path / "empty", "pool")
    write_parquet(tmp_path / "numbers/a.parquet", {"x": [1], "y": [2]})
    with pytest.raises(UserError, match=r"it has files 1 .parquet with the columns x, y, and 0 folders"):
        detect(tmp_path / "numbers", "pool")
    with pytest.raises(UserError, match=r"it has files 1 .png, and 0 folders"):
        detect(write(tmp_path / "flat", {"a.png": encoded(0)}), "target")
