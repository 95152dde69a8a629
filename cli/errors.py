"""What a command says when it cannot go on."""

import click

from schemas.errors import AlprError


class CommandError(AlprError, click.ClickException):
    """Shown to the user as one message, without a traceback; the command ends with exit code 1."""

    def __init__(self, message: str) -> None:
        click.ClickException.__init__(self, message)
