"""The stream metrics of one role: the labels of `telemetry.metrics` bound once, off the hot path."""

from prometheus_client import Counter

from telemetry import metrics


class RoleMetrics:
    """What a role's transport counts.

    Args:
        role: label value.
    """

    def __init__(self, role: str) -> None:
        self.role = role
        self.run_records = metrics.STREAM_RUN_RECORDS.labels(role)
        self.checkpoint_seconds = metrics.STREAM_CHECKPOINT_SECONDS.labels(role)
        self.staged_keys = metrics.STREAM_STAGED_KEYS.labels(role)
        self.unacknowledged = metrics.STREAM_UNACKNOWLEDGED.labels(role)
        self.rebalances = metrics.STREAM_REBALANCES.labels(role)
        self.ready = metrics.STREAM_READY.labels(role)
        self._records: dict[str, Counter] = {}
        self._lag_labels: set[tuple[str, int]] = set()

    def finished(self, topic: str, records: int) -> None:
        """An agent finished records of a topic."""
        counter = self._records.get(topic)
        if counter is None:
            counter = self._records[topic] = metrics.STREAM_RECORDS.labels(self.role, topic)
        counter.inc(records)

    def lag(self, records: dict[tuple[str, int], int]) -> None:
        """Show the lag of the partitions that are assigned now, and no others."""
        for topic, partition in self._lag_labels - records.keys():
            metrics.STREAM_LAG.remove(self.role, topic, str(partition))
        for (topic, partition), lag in records.items():
            metrics.STREAM_LAG.labels(self.role, topic, str(partition)).set(lag)
        self._lag_labels = set(records)
