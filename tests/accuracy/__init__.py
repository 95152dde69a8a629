"""Scores plate reads against labelled photographs: `python -m tests.accuracy`."""
