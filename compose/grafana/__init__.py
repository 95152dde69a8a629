"""Grafana: dashboards as code, their JSON, and the provisioning that loads them."""
