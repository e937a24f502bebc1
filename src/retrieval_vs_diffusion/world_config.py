"""How the configuration of a world is read: overrides of the base world, and a catalog that may name parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf


class WorldConfigLoader(OmegaConfigLoader):
    """Kedro's loader with two rules more.

    ``${parameter:clip.checkpoint}`` in the catalog is a parameter's value, so that a model is named in one place
    and ``--params clip.checkpoint=...`` reaches it. ``${path_or_name:clip.model}`` is the same; where it is a path
    from the project's folder, it is made absolute, as Kedro makes those that stand under ``filepath``.

    Parameters of a world are laid over those of ``base`` key by key; but a section that names another ``type``
    is another thing, and nothing of the base's carries over: a reader of photographs has no use for the
    settings of a reader of digits.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._parameters: dict[str, Any] | None = None
        self._read: dict[str, dict[str, Any]] = {}
        self._answer()

    def __getitem__(self, key: str) -> dict[str, Any]:
        self._answer()
        if key != "parameters" or key in self:
            return super().__getitem__(key)
        # A command asks four times, and reading takes a tenth of a second; with other parameters given it is another.
        given = repr(self.runtime_params)
        if given not in self._read:
            self._read[given] = super().__getitem__(key)
        return copy.deepcopy(self._read[given])

    def without_runtime_params(self) -> dict[str, Any]:
        """The parameters as the files have them."""
        given, self.runtime_params = self.runtime_params, {}
        try:
            return self["parameters"]
        finally:
            self.runtime_params = given

    def _answer(self) -> None:
        """Resolvers are global: the loader that was asked last is the one that answers."""
        OmegaConf.register_resolver("parameter", self._parameter, replace=True)
        OmegaConf.register_resolver("path_or_name", self._path_or_name, replace=True)

    def _parameter(self, place: str) -> Any:
        if self._parameters is None:
            self._parameters = self["parameters"]
        value: Any = self._parameters
        for step in place.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        return value

    def _path_or_name(self, place: str) -> Any:
        value = self._parameter(place)
        path = Path(self.conf_source).parent / str(value)
        return str(path.absolute()) if value is not None and path.exists() else value

    def _soft_merge(self, config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None) -> Any:  # type: ignore[override]
        del env_path
        return _laid_over(config, env_config)


def _laid_over(base: Mapping[str, Any], world: Mapping[str, Any]) -> dict[str, Any]:
    """The base's entries with the world's over them; a section of another ``type`` stands alone."""
    merged = dict(base)
    for key, value in world.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping) and not _another_type(below, value):
            merged[key] = _laid_over(below, value)
        else:
            merged[key] = value
    return merged


def _another_type(base: Mapping[str, Any], world: Mapping[str, Any]) -> bool:
    return "type" in base and "type" in world and base["type"] != world["type"]
