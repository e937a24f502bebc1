"""What personalisations learn, as artifacts: one a draw, and the collection of a personalisation's draws."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from retrieval_vs_diffusion.atomic import replacing

if TYPE_CHECKING:
    from retrieval_vs_diffusion.strategies.learned import Learned

_LEARNED = "learned.json"


class LearnedDataset(AbstractDataset["Learned", "Learned"]):
    """What a personalisation learned: a folder of safetensors files as diffusers reads them, and ``learned.json``.

    Args:
        filepath: the folder.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Learned:
        """Read what is said of the tensors and the learning curve; each file is read when it is asked for."""
        from retrieval_vs_diffusion.models.cost_meter import Cost
        from retrieval_vs_diffusion.strategies.learned import Learned
        from retrieval_vs_diffusion.training.learning_curve import LearningCurve

        about = json.loads((self._filepath / _LEARNED).read_text())
        files = _SafetensorsFiles(self._filepath, about["files"])
        curve, cost = LearningCurve(**about["curve"]), Cost.from_dict(about["cost"])
        return Learned(about["name"], files, about["about"], curve, cost)

    def save(self, data: Learned) -> None:
        """Write the files, and the rest as JSON."""
        from dataclasses import asdict

        from safetensors.torch import save_file

        about = {
            "name": data.name,
            "files": sorted(data.files),
            "about": data.about,
            "curve": asdict(data.curve),
            "cost": data.cost.to_dict(),
        }
        with replacing(self._filepath) as folder:
            folder.mkdir()
            for name, tensors in data.files.items():
                whole = {key: value.contiguous() for key, value in tensors.items()}
                save_file(whole, folder / name, metadata={"format": "pt"})
            (folder / _LEARNED).write_text(json.dumps(about, indent=1))

    def _exists(self) -> bool:
        return (self._filepath / _LEARNED).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class LearnedCollectionDataset(AbstractDataset[dict[str, "Learned"], dict[str, "Learned"]]):
    """All draws of a personalisation: a list of the folders beside it, which stay where they are.

    Args:
        filepath: a JSON file beside the draws' folders.
        metadata: for Kedro's plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Learned]:
        """What was learned, by draw."""
        draws = json.loads(self._filepath.read_text())["draws"]
        return {draw: LearnedDataset(filepath=str(self._filepath.parent / draw)).load() for draw in draws}

    def save(self, data: dict[str, Learned]) -> None:
        """Write down which draws there are."""
        with replacing(self._filepath) as partial:
            partial.write_text(json.dumps({"draws": list(data)}, indent=1))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class _SafetensorsFiles(Mapping[str, Mapping[str, Any]]):
    """Tensors by file name, read when they are asked for: a whole denoiser has gigabytes."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self._folder, self._names = folder, names

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        from safetensors.torch import load_file

        from retrieval_vs_diffusion.models.pickles import refuse_pickle

        if name not in self._names:
            raise KeyError(name)
        refuse_pickle(self._folder / name, "personalisation")
        return load_file(self._folder / name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
