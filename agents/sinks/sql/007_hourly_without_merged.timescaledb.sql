-- Sightings per hour as before, without merged ones. Kept up to date by TimescaleDB; the hours that are not yet
-- materialised are computed on reading.
DROP MATERIALIZED VIEW IF EXISTS plate_events_hourly;
CREATE MATERIALIZED VIEW plate_events_hourly
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT
    time_bucket(INTERVAL '1 hour', captured_at) AS bucket,
    camera_id,
    site_id,
    count(*)              AS sightings,
    avg(plate_confidence) AS avg_confidence
FROM plate_events
WHERE merged_into IS NULL
GROUP BY 1, 2, 3
WITH NO DATA;
