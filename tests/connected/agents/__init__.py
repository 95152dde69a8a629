"""Tests of the agents on real servers."""
