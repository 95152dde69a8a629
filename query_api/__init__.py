"""The query API: HTTP ingest for any camera, search over sightings and alerts, statistics, health and metrics.

FastAPI on top of four ports (`query_api.ports`): a database, a search index, an image store and a publisher. The routes
know the ports alone; `query_api.wiring` puts the real servers behind them.
"""
