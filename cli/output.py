"""What commands print: lines as they are, and tables that keep their columns whole when they go to a file or a pipe."""

from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 240
_console = Console()
_errors = Console(stderr=True)


def say(line: str) -> None:
    """A line on standard output."""
    _console.print(line, markup=False, highlight=False, soft_wrap=True)


def warn(line: str) -> None:
    """A line on standard error."""
    _errors.print(line, markup=False, highlight=False, soft_wrap=True)


def table(*columns: str) -> Table:
    """An empty table; the last column gives way when the terminal is narrow."""
    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, no_wrap=column != columns[-1])
    return made


def show_table(made: Table) -> None:
    """A table on standard output."""
    console = _console if _console.is_terminal else Console(width=PIPE_WIDTH)
    console.print(made)
