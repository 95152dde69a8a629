"""Tests of schemas/ that need no server."""
