"""Optional packages: imported when an adapter is chosen, with an error that says how to get them."""

import importlib
from types import ModuleType

from edge_agent.errors import ExtraMissing


def require(module: str, install: str) -> ModuleType:
    """Imports a package that the default install does not have.

    Args:
        module: Import name.
        install: What to give to pip.

    Raises:
        ExtraMissing: It is not installed; the message holds the command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExtraMissing(f"{module} does not import ({error}); install it: pip install {install}") from error
