"""`alpr demo`: the whole main job on real services, with figures that must add up."""

from cli.demo.command import demo

__all__ = ["demo"]
