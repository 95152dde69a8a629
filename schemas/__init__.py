"""Shared kernel: event contracts, topic catalogue, plate identity, keys, codec, endpoints and the error tree.

Every other room may import this one; it imports none of them, and no Faust.
"""
