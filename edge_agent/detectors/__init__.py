"""Detectors of plates and vehicles behind the ports of `edge_agent.ports`."""
