"""Stores that events are kept in, behind one port (`agents.sinks.port.Sink`). Nothing here knows Faust."""
