"""Nothing that was brought is run: checkpoints are safetensors, configurations name no code, no pickle is opened."""

import ast
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from retrieval_vs_diffusion.catalog.learned_datasets import LearnedDataset
from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.models.classifier import Classifier, create_network
from retrieval_vs_diffusion.models.clip import load_clip
from retrieval_vs_diffusion.models.clip_folder import WEIGHTS
from retrieval_vs_diffusion.models.diffusion_directory import load_diffusion
from retrieval_vs_diffusion.models.pickles import ENDINGS, is_pickle
from retrieval_vs_diffusion.strategies.learned import Learned

SRC = Path(__file__).parents[1] / "src"


class Canary:
    """Creates a file where it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self):
        return (open, (str(self.sign), "w"))


@pytest.fixture
def plain(tmp_path) -> Callable[[Path], Path]:
    """Writes a pickle that would leave a sign; at the end of the test none must be there."""
    sign = tmp_path / "it_ran"

    def write(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(Canary(sign), protocol=2 + len(path.name) % 4))
        return path

    yield write
    assert not sign.exists()
    pickle.loads(pickle.dumps(Canary(sign)))  # the canary does sing
    assert sign.exists()


@pytest.fixture
def zipped(tmp_path) -> Callable[[Path], Path]:
    """Writes such a pickle as PyTorch packs it."""
    sign = tmp_path / "it_ran_too"

    def write(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"weight": Canary(sign)}, path)
        return path

    yield write
    assert not sign.exists()


def _clip_checkpoint(file: Path) -> None:
    load_clip("ViT-B-32", str(file))


def _diffusion_file(file: Path) -> None:
    load_diffusion(str(file))


def _start_of_a_classifier(file: Path) -> None:
    create_network("tiny_convnet", 3, str(file))


LOADERS = {
    "clip.checkpoint": _clip_checkpoint,
    "diffusion.path": _diffusion_file,
    "classifier.init": _start_of_a_classifier,
    "classifier": Classifier.load,  # judge.path and `kedro classify` too
}


@pytest.mark.parametrize("ending", [*ENDINGS, ".PT", ".safetensors"])
@pytest.mark.parametrize("where", LOADERS)
@pytest.mark.parametrize("packed", ["plain", "zipped"])
def test_a_pickle_is_refused_by_every_loader_whatever_its_name_with_how_to_convert_it(
    where, ending, packed, tmp_path, request, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    file = request.getfixturevalue(packed)(tmp_path / f"weights{ending}")
    with pytest.raises(UserError) as caught:
        LOADERS[where](file)
    line = str(caught.value)
    assert line.startswith(f"{where}: {file} is a pickle, which can run code when read; ")
    assert "convert it: python -c 'import torch, safetensors.torch as s; w = torch.load(" in line
    assert "weights_only=True" in line
    assert "\n" not in line


@pytest.mark.parametrize("name", ["weights.pt", "my 'weights' $(touch ran) `touch ran`.ckpt", 'a"b.bin'])
def test_the_command_that_a_refusal_names_converts_and_runs_nothing_of_the_files_name(name, tmp_path):
    file = tmp_path / name
    tensors = {"features.weight": torch.arange(6.0).view(2, 3)}
    tensors["tied"] = tensors["features.weight"]  # safetensors refuses memory that is shared
    torch.save({"state_dict": tensors, "epoch": 3}, file)
    with pytest.raises(UserError) as caught:
        create_network("tiny_convnet", 3, str(file))
    command = str(caught.value).partition("convert it: python ")[2]
    subprocess.run(["bash", "-c", f"{sys.executable} {command}"], cwd=tmp_path, check=True)
    made = load_file(file.with_suffix(".safetensors"))
    assert {key: value.tolist() for key, value in made.items()} == {
        key: value.tolist() for key, value in tensors.items()
    }
    assert not (tmp_path / "ran").exists()


def test_a_canary_is_not_run_by_the_command_either(plain, tmp_path):
    file = plain(tmp_path / "weights.pt")
    with pytest.raises(UserError) as caught:
        create_network("tiny_convnet", 3, str(file))
    command = str(caught.value).partition("convert it: python ")[2]
    done = subprocess.run(["bash", "-c", f"{sys.executable} {command}"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Weights only load failed" in done.stderr


def test_a_clip_folder_with_a_pickle_alone_is_refused_with_how_to_convert_it(clip_folder, tmp_path, plain):
    folder = tmp_path / "clip"
    shutil.copytree(clip_folder, folder)
    (folder / WEIGHTS).unlink()
    file = plain(folder / "open_clip_pytorch_model.bin")
    with pytest.raises(UserError) as caught:
        load_clip(str(folder))
    assert str(caught.value).startswith(f"CLIP folder {folder} lacks {WEIGHTS}: {file} is a pickle, which can run code")
    assert f'"{folder / WEIGHTS}"' in str(caught.value)  # where the command writes


def test_of_a_clip_folder_with_both_the_pickle_is_never_opened(clip_folder, clip, pool, tmp_path, plain, zipped):
    folder = tmp_path / "clip"
    shutil.copytree(clip_folder, folder)
    for number, name in enumerate(
        ("open_clip_pytorch_model.bin", "pytorch_model.bin", "model.pt", "open_clip_model.pth")
    ):
        (plain, zipped)[number % 2](folder / name)
    loaded = load_clip(str(folder))
    assert (loaded.embed_images(pool.pixels()[:2]) == clip.embed_images(pool.pixels()[:2])).all()


def test_of_a_diffusion_folder_with_both_the_pickle_is_never_opened(pristine_pipeline, tmp_path, plain, zipped):
    folder = tmp_path / "diffusion"
    pristine_pipeline.save_pretrained(folder)
    for write, part in ((plain, "unet"), (zipped, "vae")):
        write(folder / part / "diffusion_pytorch_model.bin")
    plain(folder / "text_encoder" / "pytorch_model.bin")
    plain(folder / "tokenizer" / "vocab.pkl")
    load_diffusion(str(folder))


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "anything.safetensors"])
@pytest.mark.parametrize("packed", ["plain", "zipped"])
def test_a_diffusion_folder_whose_weights_are_a_pickle_is_refused(pristine_pipeline, tmp_path, request, packed, name):
    folder = tmp_path / "diffusion"
    pristine_pipeline.save_pretrained(folder)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    request.getfixturevalue(packed)(folder / "unet" / name)
    with pytest.raises(
        UserError, match=f"{name},? (is )?a pickle, which can run code when read; .*convert it: python -c"
    ):
        load_diffusion(str(folder))


def test_safetensors_of_another_name_do_not_let_a_pickle_through(pristine_pipeline, tmp_path, plain):
    folder = tmp_path / "diffusion"
    pristine_pipeline.save_pretrained(folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name("other.safetensors"))
    plain(folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded"):
        load_diffusion(str(folder))


@pytest.mark.parametrize("shard", ["shard.bin", "../../elsewhere.safetensors", "/etc/weights.safetensors"])
def test_an_index_of_shards_that_names_something_else_is_refused(pristine_pipeline, tmp_path, plain, shard):
    folder = tmp_path / "diffusion"
    pristine_pipeline.save_pretrained(folder)
    plain(folder / "unet" / "shard.bin")
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"conv_in.weight": shard}}))
    with pytest.raises(UserError, match=f"index.json names {shard}, which is no .safetensors file beside it"):
        load_diffusion(str(folder))


EVIL = "import pathlib; pathlib.Path({sign!r}).write_text('x')\nfrom diffusers import *\nfrom transformers import *\n"


@pytest.fixture
def code(tmp_path) -> Callable[[Path], Path]:
    """Writes a Python file that would leave a sign when it is imported."""
    sign = tmp_path / "imported"

    def write(path: Path) -> Path:
        path.write_text(EVIL.format(sign=str(sign)))
        return path

    yield write
    assert not sign.exists()


@pytest.mark.parametrize("part", ["unet", "scheduler", "safety_checker", "feature_extractor"])
def test_a_diffusion_folder_that_brings_a_module_is_refused(pristine_pipeline, tmp_path, code, part):
    folder = tmp_path / "diffusion"
    pristine_pipeline.save_pretrained(folder)
    (folder / part).mkdir(exist_ok=True)
    code(folder / part / "my_module.py")
    index = folder / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), part: ["my_module", "UNet2DConditionModel"]}))
    with pytest.raises(UserError, match=f"takes its part {part} from my_module, which may be code .* is never run"):
        load_diffusion(str(folder))


def test_a_diffusion_folder_that_brings_a_pipeline_is_refused(pristine_pipeline, tmp_path, code):
    folder = tmp_path / "diffusion"
    pristine_pipeline.save_pretrained(folder)
    for name in ("pipeline.py", "my_pipeline.py"):
        code(folder / name)
    index = folder / "model_index.json"
    declared = json.loads(index.read_text())
    index.write_text(json.dumps({**declared, "_class_name": ["my_pipeline", "StableDiffusionPipeline"]}))
    with pytest.raises(UserError, match="takes its part _class_name from my_pipeline, which may be code"):
        load_diffusion(str(folder))
    index.write_text(json.dumps(declared))
    load_diffusion(str(folder))  # a file that nothing names is not run either


@pytest.mark.parametrize("file", ["tokenizer_config.json", "config.json"])
def test_a_clip_folder_that_maps_to_code_of_its_own_is_refused(clip_folder, tmp_path, code, file):
    folder = tmp_path / "clip"
    shutil.copytree(clip_folder, folder)
    code(folder / "tokenization_mine.py")
    described = json.loads((folder / file).read_text()) if (folder / file).is_file() else {}
    mapped = {"AutoTokenizer": ["tokenization_mine.Mine", None], "AutoModel": "tokenization_mine.Mine"}
    (folder / file).write_text(json.dumps({**described, "auto_map": mapped}))
    with pytest.raises(UserError, match=rf"{file} names code of its own \(auto_map\), which is never run"):
        load_clip(str(folder))


@pytest.mark.parametrize("name", ["somebody/model_with_code", "{folder}", "../clip", "."])
def test_a_text_tower_that_the_configuration_names_is_not_fetched_with_code(
    clip_folder, tmp_path, code, monkeypatch, name
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "clip"
    shutil.copytree(clip_folder, folder)
    code(folder / "modeling_mine.py")
    file = folder / "open_clip_config.json"
    described = json.loads(file.read_text())
    described["model_cfg"]["text_cfg"]["hf_model_name"] = name.format(folder=folder)
    file.write_text(json.dumps(described))
    remote = tmp_path / "config.json"
    remote.write_text(json.dumps({"model_type": "mine", "auto_map": {"AutoModel": "modeling_mine.Mine"}}))
    monkeypatch.setattr("retrieval_vs_diffusion.models.open_clip_parts.fetch_file", lambda *_: remote)
    said = "no repository of the hub" if "somebody" not in name else r"config.json names code of its own \(auto_map\)"
    with pytest.raises(UserError, match=said):
        load_clip(str(folder))


def test_what_was_learned_is_read_from_safetensors_alone(tmp_path, plain):
    dataset = LearnedDataset(filepath=str(tmp_path / "learned"))
    dataset.save(Learned("words", {"words.safetensors": {"<x>": torch.ones(1, 4)}}))
    assert dataset.load().files["words.safetensors"]["<x>"].tolist() == [[1.0] * 4]
    plain(tmp_path / "learned/words.safetensors")
    with pytest.raises(UserError, match=r"personalisation: .*words.safetensors is a pickle, which can run code"):
        dataset.load().files["words.safetensors"]


def test_a_safetensors_file_is_no_pickle_whatever_the_length_of_its_header(tmp_path):
    """It begins with that length: one of 640 bytes begins as a pickle of protocol 2 does."""
    file, lengths = tmp_path / "a.safetensors", set()
    for note in range(1200):
        save_file({"weight": torch.zeros(2)}, file, {"note": "x" * note})
        lengths.add(int.from_bytes(file.read_bytes()[:8], "little"))
        assert not is_pickle(file)
    assert {0x0280, 0x0380, 0x0480} <= lengths
    with pytest.raises(UserError, match="does not fit tiny_convnet"):
        create_network("tiny_convnet", 3, str(file))


# What runs what it reads, by the last names of the call; and settings of calls that switch a protection off.
RUNS = {
    ("eval",), ("exec",), ("compile",), ("__import__",), ("torch", "load"), ("pickle", "load"), ("pickle", "loads"),
    ("pickle", "Unpickler"), ("marshal", "loads"), ("joblib", "load"), ("dill", "loads"), ("cloudpickle", "loads"),
    ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"), ("os", "system"), ("os", "popen"),
    ("pd", "read_pickle"), ("pandas", "read_pickle"), ("subprocess", "getoutput"), ("jit", "load"), ("hub", "load"),
    ("shelve", "open"), ("runpy", "run_path"),
}  # fmt: skip
SWITCHES = {
    ("trust_remote_code", True), ("allow_pickle", True), ("shell", True), ("weights_only", False),
    ("use_safetensors", False), ("autoescape", False), ("verify", False),
}  # fmt: skip
# A worker's error is pickled and read back in one process, to see whether it can be sent. The driver and the actors of
# its own job send each other units and reports through Ray, which itself sends nothing but pickles.
ALLOWED = {
    ("retrieval_vs_diffusion/execution/workers.py", "pickle.loads"),
    ("retrieval_vs_diffusion/executors/ray_executor.py", "pickle.loads"),
    ("retrieval_vs_diffusion/executors/ray_actor.py", "pickle.loads"),
}


def found_in(source: str) -> set[str]:
    """Calls in a source that could run what they read, by name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{each.name}" for each in node.names if (node.module, each.name) in RUNS}
        if not isinstance(node, ast.Call):
            continue
        names = tuple(ast.unparse(node.func).split("."))
        if names[-2:] in RUNS or (len(names) == 1 and names in RUNS):
            found.add(".".join(names))
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if (keyword.arg, value) in SWITCHES:
                found.add(f"{keyword.arg}={value}")
    return found


def test_no_source_runs_what_it_reads():
    found = {
        (file.relative_to(SRC).as_posix(), name) for file in SRC.rglob("*.py") for name in found_in(file.read_text())
    }
    assert found == ALLOWED
    assert len(list(SRC.rglob("*.py"))) > 200


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)", "torch.load(p)", "import torch\ntorch.load(p, weights_only=True)", "from torch import load",
        "yaml.load(f)", "np.load(p, allow_pickle=True)", "subprocess.run(x, shell=True)", "torch.jit.load(p)",
        "AutoModel.from_pretrained(n, trust_remote_code=True)", "pickle.Unpickler(f)", "from pickle import loads",
    ],
)  # fmt: skip
def test_the_scan_sees_what_it_should(source):
    assert found_in(source)
    assert not found_in("yaml.safe_load(f); model.eval(); re.compile(x); np.load(p, allow_pickle=False)")
