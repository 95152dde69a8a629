-- As before, without merged sightings.
CREATE OR REPLACE VIEW plate_events_hourly AS
SELECT
    date_trunc('hour', captured_at, 'UTC') AS bucket,
    camera_id,
    site_id,
    count(*)              AS sightings,
    avg(plate_confidence) AS avg_confidence
FROM plate_events
WHERE merged_into IS NULL
GROUP BY 1, 2, 3;
