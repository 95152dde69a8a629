"""Composition root of the worker: one Faust app a role; the first selected one leads, the others start beside it."""

from functools import cache
from importlib import import_module

import click
from pydantic import ValidationError

from schemas.endpoints import endpoints
from schemas.errors import AlprError, ConfigError
from schemas.kafka_security import kafka_security
from streams.role import ROLES
from streams.role_app import RoleApp
from streams.settings import stream_settings
from streams.web import add_pages


@cache
def role_app(name: str) -> RoleApp:
    """The app of a role, one per process, for its agent modules to bind to.

    Raises:
        ConfigError: there is no such role.
    """
    if name not in ROLES:
        raise ConfigError(f"no role {name!r}; known: {', '.join(ROLES)}")
    settings = stream_settings()
    return RoleApp(
        ROLES[name], settings, endpoints().kafka_bootstrap, kafka_security(), primary=name == settings.roles[0]
    )


@cache
def worker_app() -> RoleApp:
    """What ``faust -A streams`` runs: the first of ``ALPR_ROLES``, with the others as its companions.

    Raises:
        click.ClickException: settings are wrong; the command ends with the message alone.
        Exception: whatever an agent module raises at import, as it is: a broken module must be seen.
    """
    try:
        roles = stream_settings().roles
        apps = [role_app(name) for name in roles]
        for name in roles:
            for module in ROLES[name].modules:
                import_module(module)
    except ValidationError as error:
        wrong = [f"ALPR_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors()]
        raise click.ClickException("\n".join(wrong)) from error
    except AlprError as error:  # a broken rule file, say: its place is all that anybody needs
        raise click.ClickException(str(error)) from error
    return lead(apps)


def lead(apps: list[RoleApp]) -> RoleApp:
    """Make the first app the leader of the others."""
    primary, *companions = apps
    primary.companions = companions
    add_pages(primary, apps)
    import_module("streams.commands")  # takes the place of Faust's `agents`, `tables`
    return primary
