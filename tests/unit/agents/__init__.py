"""Tests of agents/ that need no server."""
