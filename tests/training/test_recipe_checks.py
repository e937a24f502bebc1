import subprocess
import sys

import pytest
import timm

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models import small_convnet  # noqa: F401
from retrieval_vs_diffusion.training.recipe_checks import _is_defined, check_model, init_file


@pytest.mark.parametrize("model", ["tiny_convnet", "resnet18", "resnet18.a1_in1k", "vit_tiny_patch16_224"])
def test_a_model_that_timm_has_is_accepted(model):
    check_model(model, "classifier")


def test_a_name_that_timm_has_under_another_is_accepted_though_no_function_bears_it():
    assert not _is_defined("swin_base_patch4_window7_224_in22k")
    check_model("swin_base_patch4_window7_224_in22k", "classifier")  # deprecated, mapped to a tag of the present one


def test_a_model_that_timm_lacks_is_answered_with_the_one_that_was_meant():
    expected = r'^strategies\.a\.classifier\.model: timm has no "resnt18"; did you mean "resnet18"\?$'
    with pytest.raises(UserError, match=expected):
        check_model("resnt18", "strategies.a.classifier")


def test_the_models_in_use_are_found_in_their_sources():
    found = [name for name in timm.list_models(["*convnet", "resnet*", "vit_base*"]) if _is_defined(name)]
    assert len(found) > 50
    assert {"tiny_convnet", "small_convnet", "resnet50"} <= set(found)


def test_neither_torch_nor_timm_is_loaded_for_it(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"weights")
    code = (
        "import sys; from retrieval_vs_diffusion.training.recipe_checks import check_model, init_file;"
        f"check_model('resnet18', 'classifier'); init_file({str(tmp_path / 'a.safetensors')!r}, 'classifier');"
        "print([name for name in ('torch', 'timm', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_training_starts_from_a_file_or_from_scratch(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"weights")
    assert init_file(str(tmp_path / "a.safetensors"), "classifier") == tmp_path / "a.safetensors"
    assert init_file("scratch", "classifier") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nowhere.safetensors", r"classifier\.init: there is no file .*nowhere\.safetensors; \"scratch\" or a"),
        ("weights.npy", r"classifier\.init: found \".*weights\.npy\"; \"scratch\" or a \.safetensors file will do"),
        ("weights.pt", r"classifier\.init: .*weights\.pt is a pickle, .* convert it: python -c"),
    ],
)
def test_a_file_that_is_not_there_or_of_another_kind_is_refused_in_one_line(tmp_path, name, expected):
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(UserError, match=expected):
        init_file(str(tmp_path / name), "classifier")
