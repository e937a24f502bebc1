"""What a world's parameters ask for: its strategies, repetitions and numbers, checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.images.target import SubsetDraw
from retrieval_vs_diffusion.parameters import Parameters, Purpose, Repetitions
from retrieval_vs_diffusion.parts import build_part, describe
from retrieval_vs_diffusion.remote.address import is_remote
from retrieval_vs_diffusion.remote.remote_path import as_path
from retrieval_vs_diffusion.seeds import derive_seed
from retrieval_vs_diffusion.strategies.class_table import ClassTable, read_class_table
from retrieval_vs_diffusion.strategies.composition import Strategy, parse_strategy
from retrieval_vs_diffusion.strategies.personalisation import Personalisation
from retrieval_vs_diffusion.world_parts import has_pool, left_out_of

READERS = "retrieval_vs_diffusion.images.readers"
SHARED = "shared"  # the draw of what no repetition draws anew
EVERY_STRATEGY = "all"  # `only: all` on the command line, where null cannot be given


@dataclass(frozen=True)
class Study:
    """Checked parameters, with the strategies and personalisations built.

    Args:
        parameters: of the world.
        strategies: those that the world has all for, by name.
        personalisations: by name.
        class_table: what is said of the classes.
        left_out: why strategies are left out, by name: the world has no pool, no diffusion model, or holds no
            images back.
    """

    parameters: Parameters
    strategies: Mapping[str, Strategy]
    personalisations: Mapping[str, Personalisation]
    class_table: ClassTable
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def chosen(self) -> list[str]:
        """Names of the strategies that a plain run makes, in their order in the YAML."""
        only = self.parameters.only
        if only is None:
            return list(self.strategies)
        if only == EVERY_STRATEGY:
            return list(self.strategies)
        names = [name.strip() for name in only.split("+")]
        for name in names:
            if name not in {*self.strategies, *self.left_out}:
                raise UserError(f'only: there is no strategy "{name}"; {did_you_mean(name, self.strategies)}')
        chosen = [name for name in self.strategies if name in names]
        if not chosen:
            raise UserError(f"only: {names[0]} cannot be run here, {self.left_out[names[0]]}")
        return chosen

    @property
    def missing(self) -> dict[str, str]:
        """Why strategies that were asked for are left out, by name."""
        only = self.parameters.only
        asked = None if only in {None, EVERY_STRATEGY} else {name.strip() for name in str(only).split("+")}
        return {name: reason for name, reason in self.left_out.items() if asked is None or name in asked}

    @property
    def has_pool(self) -> bool:
        """Whether there is a pool to retrieve from."""
        return has_pool(self.parameters)

    @property
    def repetitions(self) -> range:
        """The repetitions' numbers."""
        return range(self.parameters.repetitions.number)

    def draw(self, purpose: Purpose, repetition: int) -> str:
        """Which draw a repetition uses for a purpose: its own, or the one that all share."""
        return f"repetition_{repetition}" if purpose in self.parameters.repetitions.redraw else SHARED

    def draws(self, purpose: Purpose) -> list[str]:
        """All draws made for a purpose."""
        return list(dict.fromkeys(self.draw(purpose, repetition) for repetition in self.repetitions))

    def subset_of(self, draw: str) -> SubsetDraw:
        """The target subset that a draw of personalisation, images or classifier starts from."""
        own = draw if "target_subset" in self.parameters.repetitions.redraw else SHARED
        return SubsetDraw(derive_seed(self.parameters.world, "target subset", own))

    def added_per_original(self, strategy: Strategy) -> float:
        """How many images a strategy adds for each original."""
        return strategy.added_per_original or self.parameters.added_per_original


def check_parameters(parameters: Mapping[str, Any]) -> Parameters:
    """A world's parameters, each by itself.

    Raises:
        UserError: one line that names the key, what was found and what would do.
    """
    try:
        return Parameters.model_validate(dict(parameters))
    except ValidationError as error:
        raise UserError(describe(error, "parameters", Parameters)) from error


def read_study(parameters: Mapping[str, Any], root: Path | None = None) -> Study:
    """Check a world's parameters and build what they describe.

    Args:
        parameters: everything under ``parameters``.
        root: the project's folder, from which paths count; None for the current folder.

    Raises:
        UserError: one line that names the key, what was found and what would do.
    """
    checked = check_parameters(parameters)
    table = checked.classes.path
    return build_study(checked, read_class_table(_from(root, table)) if table else ClassTable())


def _from(root: Path | None, written: str) -> Path:
    """A path that counts from the project's folder; an address in a store stands alone."""
    return as_path(written) if is_remote(written) else (root or Path()) / written


def build_study(checked: Parameters, class_table: ClassTable) -> Study:
    """Build what checked parameters describe.

    Raises:
        UserError: as ``read_study`` does.
    """
    personalisations = {
        name: build_part("retrieval_vs_diffusion.strategies.personalise", entry, f"personalisations.{name}")
        for name, entry in checked.personalisations.items()
    }
    strategies = {name: parse_strategy(name, entry, personalisations) for name, entry in checked.strategies.items()}
    for kind, names in (("strategies", strategies), ("personalisations", personalisations)):
        for name in names:
            if not re.fullmatch(r"\w+", name):
                raise UserError(f'{kind}: found the name "{name}"; letters, digits and underscores will do')
    taken = _RESERVED & strategies.keys()
    if taken:
        raise UserError(f"strategies: {sorted(taken)[0]} is the name of a pipeline; call the strategy otherwise")
    _check_redraw(checked.repetitions)
    _check_paths(checked)
    left_out = left_out_of(strategies, personalisations, class_table, checked)
    possible = {name: strategy for name, strategy in strategies.items() if name not in left_out}
    study = Study(checked, possible, personalisations, class_table, left_out)
    _ = study.chosen
    return study


_RESERVED = frozenset(
    {
        "data_ingest",
        "index_build",
        "synthesize",
        "retrieve",
        "train",
        "evaluate",
        "pretrain",
        "target",
        "pool",
        "comparison",
        "tune",
        "export",
        "classify",
        "plan",
        "personalise",
        "size_curve",
        "leak_comparison",
        "added_images",
        "__default__",
        EVERY_STRATEGY,
    }
)


def _check_paths(checked: Parameters) -> None:
    """What a world leaves open must be given, and what is given must be of use."""
    for place, section in (("target", checked.target), ("pool", checked.pool)):
        if section.path is not None and "path" not in section.reader:
            raise UserError(f"{place}.path: {section.reader.get('type')}, the reader of this world, takes none")
    if "path" in checked.target.reader and checked.target.reader["path"] is None:
        raise UserError(
            "target.path: is missing; name your labelled images, e.g. "
            "`--params target.path=/my/photographs,pool.path=/my/pool`"
        )


def _check_redraw(repetitions: Repetitions) -> None:
    redraw = repetitions.redraw
    if repetitions.number > 1 and not redraw:
        raise UserError(
            "repetitions.redraw: found nothing, so all repetitions would be the same; name what is drawn anew"
        )
    # What is made from a draw must be made for each draw: else images made from one repetition's
    # training images would be added to another's, which holds them back.
    for earlier, later in (
        ("target_subset", "personalisation"),
        ("target_subset", "added_images"),
        ("personalisation", "added_images"),
    ):
        if earlier in redraw and later not in redraw:
            raise UserError(f"repetitions.redraw: {later} is made from {earlier}; add {later}, or take {earlier} out")
