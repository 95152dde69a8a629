"""Tests of schemas/ on real servers."""
