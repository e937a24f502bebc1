"""What a run of the pipeline ``export`` ends with on the terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

from kedro.io import DataCatalog
from rich import get_console
from rich.markup import escape

from retrieval_vs_diffusion.execution.freshness import Freshness, path_of
from retrieval_vs_diffusion.study import Study


def print_export(catalog: DataCatalog, project: Path) -> None:
    """Say where things are, how to use the classifier, and how the repetitions did on validation."""
    from retrieval_vs_diffusion.world import current_study

    study = current_study()
    name, repetition = study.parameters.strategy, study.parameters.export.repetition
    folder = Path(str(path_of(catalog[f"export.{name}.readme"]))).parent
    shown = _short(folder, project)
    manifest = catalog[f"export.{name}.training_set"].load()
    origins = manifest["origin"].value_counts()
    classifier = shlex.quote(str(shown / "classifier.safetensors"))
    console = get_console()
    console.print()
    for what, where in (
        ("the folder", str(shown)),
        ("its images", f"{origins.get('original', 0)} original, {origins.get('added', 0)} added"),
        ("classify", f"kedro classify {classifier} FOLDER_OF_IMAGES{_clip_option(study, catalog, str(name), project)}"),
    ):
        console.print(f"  {what:<11} [cyan]{escape(where)}[/]", soft_wrap=True, highlight=False)
    console.print(f"\n{escape(_by_repetition(study, catalog, str(name), repetition))}", soft_wrap=True, highlight=False)


def _short(path: Path, project: Path) -> Path:
    return path.relative_to(project) if path.is_relative_to(project) else path


def _clip_option(study: Study, catalog: DataCatalog, name: str, project: Path) -> str:
    """What the command needs besides where the classifier is a linear probe."""
    recipe = study.parameters.classifier.overridden_by(study.strategies[name].classifier)
    if recipe.features != "clip":
        return ""
    return f" --clip {shlex.quote(str(_short(Path(str(path_of(catalog['clip']))), project)))}"


def _by_repetition(study: Study, catalog: DataCatalog, name: str, exported: int) -> str:
    """The repetitions' accuracies on validation, by which one may be chosen; those that are not made are left out."""
    from retrieval_vs_diffusion.pipeline_registry import whole_study

    known = Freshness(whole_study(study), catalog)
    accuracies = {}
    for repetition in study.repetitions:
        history = f"{name}.repetition_{repetition}.history"
        if known.holds(history):
            looks = catalog[history].load()
            accuracies[repetition] = float(looks.loc[looks["kept"], "val_top1"].iloc[-1])
    listed = ", ".join(
        f"{repetition}: {accuracy * 100:.1f} %{' (this one)' if repetition == exported else ''}"
        for repetition, accuracy in accuracies.items()
    )
    missing = len(study.repetitions) - len(accuracies)
    rest = f"; {missing} more are not trained (kedro run --pipeline={name})" if missing else ""
    another = f"Another: --params strategy={name},export.repetition=NUMBER"
    return f"Top-1 on validation by repetition: {listed}{rest}. {another}"
