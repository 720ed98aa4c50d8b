"""What a person sees: data on stdout, words and progress bars on stderr, an error as one sentence.

Rich and everything heavier are imported when something is shown, so that ``--help`` answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from armillary.errors import ArmillaryError

#: Exit status of a command that could not use what it was given.
BAD_INPUT = 2

#: Exit status of a command stopped by Ctrl-C (128 + SIGINT).
INTERRUPTED = 130

#: Exit status of a command whose reader has gone, as of ``| head -1`` (128 + SIGPIPE).
CLOSED_PIPE = 141

#: Base of the errors that Typer raises while it parses a command line, wherever this version of it keeps them.
UsageError: type[Any] = typer.BadParameter.__mro__[1]


class Commands(TyperGroup):
    """The root command: every expected failure of any command leaves as one sentence and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and say in one sentence why it could not be done."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted; run the same command again to go on")
            raise typer.Exit(INTERRUPTED) from None
        except ArmillaryError as error:
            say(str(error))
            raise typer.Exit(BAD_INPUT) from error
        except MemoryError as error:
            say(f"not enough memory ({str(error) or 'no more is left'}); use fewer galaxies, a coarser mask or a larger machine")
            raise typer.Exit(BAD_INPUT) from error
        except BrokenPipeError:
            _leave_closed_pipe()
            raise typer.Exit(CLOSED_PIPE) from None
        except OSError as error:
            say(_refusal(error))
            raise typer.Exit(BAD_INPUT) from error

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, complete_var: str | None = None,
        standalone_mode: bool = True, windows_expand_args: bool = True, **extra: Any,
    ) -> Any:
        """Parse and run; a mistake on the command line is one sentence as well."""
        try:
            status = super().main(
                args, prog_name, complete_var, standalone_mode=False, windows_expand_args=windows_expand_args, **extra
            )
        except UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
            else:
                path = error.ctx.command_path if error.ctx is not None else "armillary"
                say(f"{error.format_message().rstrip('.')} (see {path} --help)")
            status = BAD_INPUT
        except typer.Abort:
            status = 1
        if standalone_mode:
            sys.exit(status if isinstance(status, int) else 0)
        return status


def say(sentence: str) -> None:
    """One line for a person, on stderr."""
    typer.echo(_line(sentence), err=True)


def show_json(value: Any) -> None:
    """One JSON document on stdout; NaN becomes null."""
    from armillary.services.provenance import to_json

    typer.echo(to_json(value))


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout: the first column left-aligned, the others right-aligned."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no edge to fold at
    console.print(table)


@contextmanager
def watching(bars_shown: bool | None) -> Iterator[tuple[Callable[[str, float], None], Callable[[str], None]]]:
    """A ``progress(stage, fraction)`` that draws a bar per stage on stderr, and a ``say`` that does not break them.

    Parameters
    ----------
    bars_shown : True or False, or None for only when stderr is a terminal.
    """
    terminal = sys.stderr is not None and sys.stderr.isatty()  # None: the caller closed it
    if not (terminal if bars_shown is None else bars_shown):
        yield lambda stage, fraction: None, say
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr)
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=32), TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(), console=console, redirect_stdout=False, redirect_stderr=False,
    )
    tasks: dict[str, TaskID] = {}

    def progress(stage: str, fraction: float) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=1.0)
        bars.update(tasks[stage], completed=fraction)

    def say_above(sentence: str) -> None:
        console.print(_line(sentence), markup=False, highlight=False, soft_wrap=True)

    with bars:
        yield progress, say_above


def show_fields(fields: Mapping[str, object]) -> None:
    """``name: value`` lines on stdout."""
    for name, value in fields.items():
        typer.echo(f"{name}: {_cell(value)}")


def _refusal(error: OSError) -> str:
    """What the operating system would not do, and what to do about it; an error that names no file is a bug of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot write: {error.strerror}; make room and run the same command again"
    if error.filename is None:
        raise error
    return f"cannot use {os.fsdecode(error.filename)}: {error.strerror}; check the path and its permissions"


def _leave_closed_pipe() -> None:
    """Let the interpreter flush what is left into nothing, and not complain of it at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def _line(sentence: str) -> str:
    """The sentence on one line; what a terminal would obey, as in a hostile file name, is shown instead."""
    words = " ".join(sentence.split())
    return "armillary: " + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
