"""RocksDB tables with types: what agents remember between runs, by partition.

`tables.state` is the typed layer over the tables of the stream core; the tables of the agents and their state types
stand beside it.
"""
