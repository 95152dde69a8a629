"""Unit tests of the query API: no server."""
