"""Channels: the ways by which an alert reaches people. Each is an adapter behind `channels.port.Channel`."""
