"""The composition root: settings and ports become an app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from query_api import openapi, problems
from query_api.access import key_required
from query_api.context import Context
from query_api.middleware import Envelope
from query_api.ports import Ports
from query_api.routes import alerts, events, ingest, operations, overview, search, silences, visits
from query_api.settings import ApiSettings


def create_app(settings: ApiSettings, ports: Ports) -> FastAPI:
    """The API.

    Args:
        settings: how it behaves.
        ports: what it stands on; opened when the app starts and closed when it stops.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        context: Context = app.state.context
        async with context.ports.opened():
            yield

    app = FastAPIOffline(  # the pages of /docs come from this process, not from a CDN
        redoc_url=None,
        static_url="/assets",
        title="ALPR events",
        summary="Licence plate sightings and alerts",
        description=openapi.DESCRIPTION,
        version=operations.VERSION,
        lifespan=lifespan,
    )
    app.state.context = Context.of(settings, ports)
    problems.install(app, settings.retry_after_s)
    openapi.install(app)
    app.include_router(operations.open_router)
    guarded = [Depends(key_required(settings.key))]
    for module in (events, search, alerts, silences, visits, ingest, overview):
        app.include_router(module.router, dependencies=guarded, responses=openapi.COMMON)
    app.include_router(operations.router, dependencies=guarded, responses={401: openapi.COMMON[401]})
    app.add_middleware(Envelope, hosts=settings.hosts, max_body_bytes=settings.max_body_bytes)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["X-API-Key", "Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
            max_age=600,
        )
    return app
