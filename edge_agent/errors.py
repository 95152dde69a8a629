"""Errors of the edge agent, all under the platform's tree."""

from schemas.errors import AlprError, ConfigError, Unavailable


class EdgeError(AlprError):
    """Root of the edge agent's own errors."""


class ModelError(EdgeError):
    """A model cannot be used: missing, altered or of an unknown shape."""


class ModelMissing(ModelError):
    """Weights are not on this machine; the message holds the command that fetches them."""


class ModelAltered(ModelError):
    """A file does not have the SHA-256 that the catalogue pins."""


class HostileCheckpoint(ModelError):
    """A checkpoint names something that no detector needs, or a tensor outside of its bytes."""


class UnsupportedModel(ModelError):
    """A network is well-formed but not of a kind that an adapter can read."""


class ExtraMissing(EdgeError):
    """An adapter needs an optional package; the message holds the install command."""


class UnreadableImage(EdgeError):
    """A file is no image, is damaged, or is larger than an image may be."""


class CameraLost(EdgeError):
    """A source does not open or has stopped delivering frames."""


class SpoolCorrupt(EdgeError):
    """A record of the spool does not match its checksum."""


class SpoolFull(EdgeError):
    """The spool has reached its size; the event is not kept."""


class BrokerUnavailable(Unavailable):
    """Kafka does not take records now; they wait in the spool."""


class CameraConfigError(ConfigError):
    """A camera file or command line is wrong; the message says where and what to change."""
