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
    folder = write(tmp_path, {"images/a.png": encoded(0), "b/c.png": encoded(1), "list.csv": "Path,Label,caption\n"})
    assert detect(folder, "target") == "labels_csv"
    assert detect(folder, "pool") == "captions_csv"
    assert detect(folder / "list.csv", "target") == "labels_csv"
    assert detect(folder / "list.csv", "pool") == "captions_csv"
    assert detect(write(tmp_path / "flat", {"a.png": encoded(0), "list.tsv": "x\ty\n"}), "target") == "labels_csv"


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
