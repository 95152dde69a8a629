-- The same view without TimescaleDB: computed on reading.
CREATE OR REPLACE VIEW plate_events_hourly AS
SELECT
    date_trunc('hour', captured_at, 'UTC') AS bucket,
    camera_id,
    site_id,
    count(*)              AS sightings,
    avg(plate_confidence) AS avg_confidence
FROM plate_events
GROUP BY 1, 2, 3;
