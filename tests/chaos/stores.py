"""What stands in the stores of the platform: event ids with their revisions, repeats included."""

import httpx
import psycopg

PAGE = 5_000


def timescale_events(dsn: str, cameras: str) -> list[tuple[str, int]]:
    """(event_id, revision) of the sightings of cameras whose name begins so; none while there is no table yet."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        try:
            rows = connection.execute(
                "SELECT event_id, revision FROM plate_events WHERE starts_with(camera_id, %s)", (cameras,)
            )
            return [(str(event_id), int(revision)) for event_id, revision in rows.fetchall()]
        except psycopg.errors.UndefinedTable:
            return []


def opensearch_events(url: str, cameras: str) -> list[tuple[str, int]]:
    """(event_id, revision) of the sightings of cameras whose name begins so."""
    httpx.post(f"{url}/alpr-events/_refresh", timeout=30).raise_for_status()
    found: list[tuple[str, int]] = []
    after: list[object] | None = None
    while True:
        body = {
            "size": PAGE,
            "query": {"prefix": {"camera_id": cameras}},
            "sort": [{"event_id": "asc"}, {"captured_at": "asc"}],
            "_source": ["event_id", "revision"],
            **({"search_after": after} if after else {}),
        }
        answer = httpx.post(f"{url}/alpr-events/_search", json=body, timeout=30)
        answer.raise_for_status()
        hits = answer.json()["hits"]["hits"]
        found += [(hit["_source"]["event_id"], hit["_source"]["revision"]) for hit in hits]
        if not hits:
            return found
        after = hits[-1]["sort"]
