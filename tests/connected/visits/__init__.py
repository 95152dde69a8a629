"""Visits on real servers."""
