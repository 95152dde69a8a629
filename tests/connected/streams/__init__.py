"""The run transport against a real Kafka, with real worker processes that are hurt on purpose."""
