import pytest

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.listed_files import only_list_in
from retrieval_vs_diffusion.images.formats.labels_csv import LabelsCsv
from tests.images.made_collections import write

PREDICTIONS = {"predictions.csv": "file,class,probability\na.png,dog,0.5\n"}


def test_a_folders_list_is_found_in_any_letters_and_predictions_are_none(tmp_path):
    write(tmp_path, {"Labels.CSV": "path,label\na.png,cat\n", **PREDICTIONS})
    assert only_list_in(tmp_path) == tmp_path / "Labels.CSV"
    assert [sample.label for sample in LabelsCsv(tmp_path).samples()] == ["cat"]
    write(tmp_path, {"more.tsv": "path\tcaption\n"})
    with pytest.raises(UserError, match=r"one CSV or TSV is needed here, found Labels.CSV, more.tsv; give the path of"):
        only_list_in(tmp_path)


def test_predictions_are_read_where_they_are_named_alone(tmp_path):
    write(tmp_path, PREDICTIONS)
    with pytest.raises(
        UserError, match=r"found none but predictions of a classifier \(predictions.csv\); give the path"
    ):
        only_list_in(tmp_path)
    assert [sample.label for sample in LabelsCsv(tmp_path / "predictions.csv").samples()] == ["dog"]
