"""The registry in memory passes the conformance tests."""

import pytest

from schemas.registry import MemoryRegistry
from tests.unit.schemas.registry_conformance import RegistryConformance


class TestMemoryRegistry(RegistryConformance):
    """Of this process alone."""

    @pytest.fixture
    def registry(self) -> MemoryRegistry:
        """An empty one."""
        return MemoryRegistry()
