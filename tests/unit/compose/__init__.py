"""Tests of the local stack's machinery, with toy servers."""
