"""Adapters of the ports to the real servers: TimescaleDB or PostgreSQL, OpenSearch, S3 and Kafka."""
