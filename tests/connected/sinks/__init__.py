"""Tests of the sinks on real servers."""
