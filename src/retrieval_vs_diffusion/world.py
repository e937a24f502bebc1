"""The world that the running command works in: its parameters, which give the pipelines their shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.config import AbstractConfigLoader
from kedro.framework.context import KedroContext

from retrieval_vs_diffusion.remote.settings import check_on_a_disk, use
from retrieval_vs_diffusion.study import Study, check_parameters, read_study
from retrieval_vs_diffusion.world_config import WorldConfigLoader

_study: Study | None = None
_run: tuple[str | None, dict[str, Any]] = (None, {})
_loader: AbstractConfigLoader | None = None
_root = Path()


class WorldContext(KedroContext):
    """Kedro's context, which reads the world's parameters before the pipelines are built.

    A hook would do as well but for kedro-viz, which runs none.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        global _study, _run, _loader, _root
        _root = Path(self.project_path)
        parameters = self.config_loader["parameters"]
        checked = check_parameters(parameters)
        check_on_a_disk(str(self.config_loader["globals"].get("data", "")), "data")
        check_on_a_disk(checked.decoded.folder, "decoded.folder")
        use(checked.remote, _root)
        _study = read_study(parameters, _root)
        _run = (self.env, dict(self.config_loader.runtime_params or {}))
        _loader = self.config_loader
        from kedro.framework.project import pipelines

        pipelines.configure("retrieval_vs_diffusion.pipeline_registry")  # drops what another world built


def current_study() -> Study:
    """The study of the current context; of the base world where there is none, as in ``kedro registry list``."""
    return _study if _study is not None else _base_study()


def project_root() -> Path:
    """The folder of the current context's project; the current folder where there is none."""
    return _root


def current_run() -> tuple[str | None, dict[str, Any]]:
    """The environment of the current context, and the parameters that were given on the command line."""
    return _run


def parameters_of_the_world() -> dict[str, Any]:
    """The parameters of the current context as its files have them, whatever the command line says."""
    return _loader.without_runtime_params() if isinstance(_loader, WorldConfigLoader) else {}


def _base_study() -> Study:
    from kedro.framework.project import settings

    root = next(folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "conf" / "base").is_dir())
    arguments = {"base_env": "base", "default_run_env": "local", **settings.CONFIG_LOADER_ARGS}
    return read_study(WorldConfigLoader(conf_source=str(root / "conf"), **arguments)["parameters"], root)
