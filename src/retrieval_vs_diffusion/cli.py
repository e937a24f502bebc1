"""``kedro run`` as this project wants it: the fresh runner by default, one clear line for what a user can mend."""

from __future__ import annotations

import copy
import re
import signal
import sys
import warnings
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from retrieval_vs_diffusion import classify
from retrieval_vs_diffusion.errors import did_you_mean, find_user_error

_RUNNER = "retrieval_vs_diffusion.execution.fresh_runner.FreshRunner"


class _RunCommand(click.Command):
    """Kedro's own command, with errors of the user's told without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        # Users type --pipeline=train, which goes on working; the new spelling does too.
        warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.secho("Interrupted; the same command goes on from here.", err=True)
            sys.exit(128 + signal.SIGINT)
        except Exception as error:
            line = _one_line(error)
            if line is None:
                raise
            click.secho(f"Error: {line}", fg="red", err=True)
            sys.exit(1)


def _one_line(error: Exception) -> str | None:
    """What a user can mend, in one line; None for what only a developer can."""
    from kedro.config import MissingConfigException
    from kedro.io import DatasetError

    mendable = find_user_error(error)
    if mendable is not None:
        return str(mendable)
    if isinstance(error, ValueError) and (
        unknown := re.match(r"Failed to find the pipeline named '(.*?)'", str(error))
    ):
        from kedro.framework.project import pipelines

        return f'--pipeline: there is no pipeline "{unknown[1]}"; {did_you_mean(unknown[1], pipelines)}'
    if isinstance(error, ValueError) and str(error).startswith("Pipeline does not contain"):
        return f"{error}; what `only` leaves out is found with --pipeline=<strategy> (`kedro registry list` shows all)"
    if isinstance(error, DatasetError | MissingConfigException):
        return " ".join(str(error).split())
    return None


@click.group(name="retrieval_vs_diffusion")
def cli() -> None:
    """Commands of the project."""


def _with_defaults(command: click.Command) -> _RunCommand:
    parameters = [copy.copy(parameter) for parameter in command.params]
    for parameter in parameters:
        if parameter.name == "runner":
            parameter.default = _RUNNER
    return _RunCommand(name="run", callback=command.callback, params=parameters, help=command.help)


cli.add_command(_with_defaults(kedro_run))
cli.add_command(classify.command)
