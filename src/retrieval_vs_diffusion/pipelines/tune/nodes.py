"""Nodes that weigh the trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrieval_vs_diffusion.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def refuse(reason: str) -> None:
    """Say why there is nothing to weigh."""
    raise UserError(reason)


def weigh_trials(
    trials: list[dict[str, Any]], repetitions: list[int], **histories: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The validation accuracy of every trial, and the settings that won for each strategy."""
    from retrieval_vs_diffusion.comparison import tuning

    table = tuning.trial_table(trials, repetitions, histories)
    return table, tuning.chosen_settings(table)
