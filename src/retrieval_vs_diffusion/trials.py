"""The study's strategies with the settings that are tried out, each trial a strategy of its own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retrieval_vs_diffusion.errors import UserError, did_you_mean
from retrieval_vs_diffusion.execution.digest import digest
from retrieval_vs_diffusion.parameters import Parameters
from retrieval_vs_diffusion.study import Study, build_study

_PERSONALISE = "personalise."


@dataclass(frozen=True)
class Trial:
    """One try: a strategy with some of its settings changed.

    Args:
        strategy: the row of the leaderboard.
        name: the strategy that the trial runs as.
        settings: what is changed, by dotted place in the strategy's YAML entry; ``personalise.<key>``
            is a place in the entry of the personalisation that it names.
    """

    strategy: str
    name: str
    settings: Mapping[str, Any]


def trials_of(study: Study) -> tuple[Study, list[Trial]]:
    """A study that has a strategy for each trial of the chosen strategies, and the trials.

    Raises:
        UserError: if a strategy or a place does not exist, strategies have unlike numbers of trials, or none of
            the chosen strategies has any.
    """
    parameters = study.parameters
    if parameters.tune is None:
        raise UserError(
            "tune: this world names no trials; write them under tune.trials (conf/base/parameters_tune.yml)"
        )
    listed = parameters.tune.trials
    for name in listed:
        if name not in {*study.strategies, *study.left_out}:
            raise UserError(f'tune.trials: there is no strategy "{name}"; {did_you_mean(name, study.strategies)}')
    numbers = {name: len(settings) for name, settings in listed.items()}
    if len(set(numbers.values())) > 1:
        few, many = min(numbers, key=numbers.__getitem__), max(numbers, key=numbers.__getitem__)
        raise UserError(
            f"tune.trials: {few} has {numbers[few]} trials and {many} {numbers[many]}; "
            "every strategy gets as many, or the comparison is not fair"
        )
    trials: list[Trial] = []
    strategies: dict[str, dict[str, Any] | None] = {}
    personalisations: dict[str, dict[str, Any]] = {}
    for name in listed:
        if name not in study.chosen:
            continue
        for number, settings in enumerate(listed[name]):
            trial = Trial(name, f"{name}__trial_{number}", settings)
            entry, learned = _changed(parameters, trial)
            trials.append(trial)
            strategies[trial.name] = entry
            personalisations |= learned
    if not trials:
        raise UserError(f"tune.trials: none is for {' or '.join(study.chosen)}; there are some for {', '.join(listed)}")
    changed = {
        "strategies": strategies,
        "personalisations": personalisations,
        "only": None,
        "repetitions": parameters.repetitions.model_copy(update={"number": parameters.tune.repetitions}),
    }
    return build_study(parameters.model_copy(update=changed), study.class_table), trials


def _changed(parameters: Parameters, trial: Trial) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The strategy's entry as the trial has it, and the entry of its personalisation under a name of its own.

    Trials that change nothing about the personalisation, or the same, share what it learns.
    """
    entry = copy.deepcopy(dict(parameters.strategies[trial.strategy] or {}))
    personalisation = trial.settings.get("personalise", entry.get("personalise"))
    if personalisation and personalisation not in parameters.personalisations:
        raise UserError(
            f'tune.trials.{trial.strategy}: there is no personalisation "{personalisation}"; '
            f"{did_you_mean(str(personalisation), parameters.personalisations)}"
        )
    learned = copy.deepcopy(dict(parameters.personalisations[personalisation])) if personalisation else {}
    for place, value in trial.settings.items():
        where = f"tune.trials.{trial.strategy}: {place}"
        if place.startswith(_PERSONALISE):
            if not personalisation:
                raise UserError(f"{where}: the strategy names no personalisation")
            _put(learned, place.removeprefix(_PERSONALISE), value, where)
        else:
            _put(entry, place, value, where)
    if not personalisation:
        return entry, {}
    name = f"{personalisation}__{digest(learned)[:6]}"
    return {**entry, "personalise": name}, {name: learned}


def _put(tree: Any, place: str, value: Any, where: str) -> None:
    """Set a value at a dotted place; numbers are positions in lists."""
    *above, last = place.split(".")
    for step in above:
        tree = tree[_position(tree, step, where)] if isinstance(tree, list) else tree.setdefault(step, {})
        if not isinstance(tree, dict | list):
            raise UserError(f"{where}: {step} is a value, nothing is below it")
    tree[_position(tree, last, where) if isinstance(tree, list) else last] = copy.deepcopy(value)


def _position(listed: list[Any], step: str, where: str) -> int:
    if not step.isdigit() or int(step) >= len(listed):
        raise UserError(f"{where}: there is no {step} in a list of {len(listed)}")
    return int(step)
