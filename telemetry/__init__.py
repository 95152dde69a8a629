"""Logging and metrics set-up for every process. Knows no Faust."""
