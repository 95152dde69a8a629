"""Stores that events are kept in, behind one port (`agents.sinks.port.Sink`).

Only `agents.sinks.delivery` knows what a run is; the stores know no Faust.
"""
