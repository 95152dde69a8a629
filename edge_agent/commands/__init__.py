"""The command line: `python -m edge_agent`."""
