"""Dashboards and alerts against the servers that answer them: a real Prometheus and the real database."""
