"""What can go wrong with the local stack, each with what a person can do about it.

This package imports nothing of the platform, so its errors have a root of their own; the command line shows
them as they are (one line, then the mending command) instead of a traceback.
"""


class StackError(Exception):
    """Root of every error of the local stack; the text is complete enough to act on."""


class ToolMissing(StackError):
    """A program that a download or a server needs is absent or too old.

    Attributes:
        tool: name of the program.
        problem: what is wrong with it.
        mend: the exact command that installs it.
    """

    def __init__(self, tool: str, problem: str, mend: str) -> None:
        super().__init__(f"{tool}: {problem}. Mend it with: {mend}")
        self.tool = tool
        self.problem = problem
        self.mend = mend


class FetchFailed(StackError):
    """A registry client ended with an error; the text holds its last lines."""


class PortTaken(StackError):
    """A port that a service must listen on belongs to somebody else."""


class StartFailed(StackError):
    """A server ended or did not become healthy in time; the text holds its last log lines."""


class UnknownService(StackError):
    """A service name that the catalogue does not have."""


class StackBusy(StackError):
    """Another command is starting or stopping the same stack right now."""


class NotReady(StackError):
    """A health check's answer while a server is not (yet) usable; the text is the reason."""
