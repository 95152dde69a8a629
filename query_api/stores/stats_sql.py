"""SQL for counts: one statement each, so that the numbers of an answer belong together."""

from psycopg.sql import SQL

STATS = SQL(
    """SELECT
        (SELECT count(*) FROM plate_events WHERE merged_into IS NULL) AS events,
        (SELECT count(*) FROM vehicle_events) AS vehicles,
        (SELECT count(*) FROM alerts) AS alerts,
        (SELECT count(*) FROM dead_letters) AS dead_letters,
        (SELECT count(*) FROM plate_events
            WHERE captured_at >= %(since)s AND merged_into IS NULL) AS recent_events,
        (SELECT count(*) FROM vehicle_events WHERE captured_at >= %(since)s) AS recent_vehicles,
        (SELECT count(*) FROM alerts WHERE fired_at >= %(since)s) AS recent_alerts,
        (SELECT count(*) FROM dead_letters WHERE failed_at >= %(since)s) AS recent_dead_letters,
        (SELECT count(DISTINCT coalesce(resolved_text, plate_normalized_text))
            FROM plate_events
            WHERE captured_at >= %(since)s AND merged_into IS NULL) AS recent_plates,
        (SELECT coalesce(jsonb_object_agg(severity, number), '{}')
            FROM (SELECT severity, count(*) AS number FROM alerts GROUP BY severity) x) AS alerts_by_severity,
        (SELECT coalesce(jsonb_object_agg(error_type, number), '{}')
            FROM (SELECT error_type, count(*) AS number FROM dead_letters GROUP BY error_type) x) AS dead_by_error"""
)

CAMERAS = SQL(
    """WITH seen AS (
        SELECT camera_id, site_id, captured_at, latitude, longitude, TRUE AS has_plate,
            coalesce(resolved_confidence, plate_confidence) AS confidence
        FROM plate_events WHERE captured_at >= %(since)s AND merged_into IS NULL
        UNION ALL
        SELECT camera_id, site_id, captured_at, latitude, longitude, FALSE, NULL
        FROM vehicle_events WHERE captured_at >= %(since)s
    ), site AS (
        SELECT DISTINCT ON (camera_id) camera_id, site_id
        FROM seen WHERE site_id IS NOT NULL ORDER BY camera_id, captured_at DESC
    ), place AS (
        SELECT DISTINCT ON (camera_id) camera_id, latitude, longitude
        FROM seen WHERE latitude IS NOT NULL AND longitude IS NOT NULL ORDER BY camera_id, captured_at DESC
    )
    SELECT camera_id, site.site_id, place.latitude, place.longitude,
        count(*) FILTER (WHERE has_plate) AS events, count(*) FILTER (WHERE NOT has_plate) AS vehicles,
        avg(confidence) AS confidence, min(captured_at) AS first_at, max(captured_at) AS last_at
    FROM seen LEFT JOIN site USING (camera_id) LEFT JOIN place USING (camera_id)
    GROUP BY camera_id, site.site_id, place.latitude, place.longitude
    ORDER BY camera_id"""
)
