"""Tests of the query API on the real servers."""
