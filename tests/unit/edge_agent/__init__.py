"""Unit tests of the edge agent."""
