"""Agents: thin files that take a run, get state, decide and act; with their decisions, sinks and channels."""
