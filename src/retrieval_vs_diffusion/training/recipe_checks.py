"""What a recipe names outside itself, a timm model and a checkpoint, checked without loading torch.

A plain run brings images for an hour before it trains: a name that is wrong is to be told before that.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.models.pickles import refuse_pickle
from retrieval_vs_diffusion.remote.remote_path import as_path
from retrieval_vs_diffusion.training.recipe import SCRATCH


def check_model(model: str, where: str) -> None:
    """Refuse a name that timm does not know.

    Args:
        model: the name, with or without the tag of pretrained weights.
        where: the place in the parameters that it stands under, for the message.

    Raises:
        UserError: with the name that may have been meant.
    """
    if _is_defined(model.split(".")[0]):
        return
    import timm  # takes seconds, and torch with it: only for what no source defines under this very name

    from retrieval_vs_diffusion.models import small_convnet  # noqa: F401  (registers the base world's models)

    if not timm.is_model(model):
        raise UserError(f'{where}.model: timm has no "{model}"; {did_you_mean(model, timm.list_models())}')


@functools.cache
def _is_defined(model: str) -> bool:
    """Whether timm's sources, or this project's networks, define a function of this name."""
    timm = importlib.util.find_spec("timm")  # finds the package without importing it
    folders = timm.submodule_search_locations if timm is not None else None
    sources = [Path(__file__).parents[1] / "models" / "small_convnet.py"]
    sources += [source for folder in folders or () for source in Path(folder, "models").glob("*.py")]
    return any(f"\ndef {model}(" in source.read_text(encoding="utf-8") for source in sources)


def init_file(init: str, where: str) -> Path | None:
    """The file that training starts from; None for ``scratch``.

    Args:
        init: ``scratch``, or the file's path.
        where: the place in the parameters that it stands under, for the message.

    Raises:
        UserError: if there is no such file, or it is of another kind.
    """
    if init == SCRATCH:
        return None
    path = as_path(init)
    refuse_pickle(path, f"{where}.init")
    if path.suffix != ".safetensors":
        raise UserError(f'{where}.init: found "{init}"; "{SCRATCH}" or a .safetensors file will do')
    if not path.is_file():
        raise UserError(f'{where}.init: there is no file {init}; "{SCRATCH}" or a .safetensors file will do')
    return path
