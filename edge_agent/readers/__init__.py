"""Readers of plate text behind `edge_agent.ports.Reader`."""
