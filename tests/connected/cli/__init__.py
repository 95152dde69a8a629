"""Tests of cli/ on real servers."""
