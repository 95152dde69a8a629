"""The process's codec on its real registry: the one place where the kernel's parts are put together."""

from functools import cache

from schemas.codec import EventCodec
from schemas.endpoints import endpoints
from schemas.registry import HttpRegistry


@cache
def registry() -> HttpRegistry:
    """The registry that the ALPR_REGISTRY_* settings name. Nothing is asked before the first use."""
    return HttpRegistry.of(endpoints())


@cache
def codec() -> EventCodec:
    """The codec that all agents, the API and the commands of this process share."""
    return EventCodec(registry())
