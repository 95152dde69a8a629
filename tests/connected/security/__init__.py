"""The platform against a Kafka that wants TLS, a login and rights."""
