"""The stream core: Faust apps (one a role) on partition runs. ``faust -A streams worker`` starts it.

`app` is made at first use, so importing a module of this room builds nothing and connects nowhere.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.role_app import RoleApp

    app: RoleApp


def __getattr__(name: str) -> Any:
    if name == "app":
        from streams.roles import worker_app  # noqa: PLC0415 - at first use, see above

        return worker_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
