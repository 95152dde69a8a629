"""What the routes get from the app: settings, ports, presenter and kept answers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Self, cast

from fastapi import Depends, Request

from query_api.memo import Memo
from query_api.models import Cameras, Statistics
from query_api.ports import Ports
from query_api.presenter import Presenter
from query_api.settings import ApiSettings


@dataclass(frozen=True, slots=True)
class Context:
    """One for each app."""

    settings: ApiSettings
    ports: Ports
    present: Presenter
    statistics: Memo[Statistics]
    cameras: Memo[Cameras]

    @classmethod
    def of(cls, settings: ApiSettings, ports: Ports) -> Self:
        """A context with nothing kept yet."""
        return cls(
            settings=settings,
            ports=ports,
            present=Presenter(ports.images),
            statistics=Memo(settings.stats_cache_s),
            cameras=Memo(settings.stats_cache_s),
        )

    @property
    def now(self) -> datetime:
        """Wall clock, UTC."""
        return datetime.now(UTC)


def _context(request: Request) -> Context:
    return cast(Context, request.app.state.context)


Api = Annotated[Context, Depends(_context)]
