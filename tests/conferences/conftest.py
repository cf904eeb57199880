"""The server that these tests speak to."""

from tests.registry.house import house

__all__ = ["house"]
