-- Sightings, vehicles without plate, camera metrics. Columns carry the flat names of schemas.aliases.

CREATE TABLE plate_events (
    event_id              text             NOT NULL,
    captured_at           timestamptz      NOT NULL,
    revision              integer          NOT NULL,
    camera_id             text             NOT NULL,
    site_id               text,
    track_id              text,
    plate_text            text,
    plate_normalized_text text,
    plate_confidence      double precision,
    plate_region          text,
    resolved_text         text,
    resolved_confidence   double precision,
    previous_text         text,
    match_key             text             NOT NULL,
    vehicle_type          text,
    vehicle_make          text,
    vehicle_model         text,
    vehicle_color         text,
    vehicle_confidence    double precision,
    plate_image_url       text,
    vehicle_image_url     text,
    frame_url             text,
    latitude              double precision,
    longitude             double precision,
    direction             text,
    first_seen_at         timestamptz      NOT NULL,
    last_seen_at          timestamptz      NOT NULL,
    reads                 integer          NOT NULL,
    detections            integer          NOT NULL,
    latency_ms            double precision,
    is_final              boolean          NOT NULL,
    visit_id              text,
    watermark             timestamptz,
    node                  jsonb,
    characters            jsonb,
    extras                jsonb            NOT NULL,
    ingested_at           timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, captured_at)
);
COMMENT ON TABLE plate_events IS 'Sightings: one row per pass of a vehicle at a camera, at its highest revision';
COMMENT ON COLUMN plate_events.plate_text IS 'As the reader gave it; never overwritten by what was concluded';
COMMENT ON COLUMN plate_events.resolved_text IS 'The plate that the reads of the pass add up to';
COMMENT ON COLUMN plate_events.ingested_at IS 'When this revision was written';

-- text_pattern_ops: prefixes and wildcards (LIKE 'AB_1%') whatever the collation
CREATE INDEX plate_events_time       ON plate_events (captured_at DESC, event_id DESC);
CREATE INDEX plate_events_camera     ON plate_events (camera_id, captured_at DESC);
CREATE INDEX plate_events_site       ON plate_events (site_id, captured_at DESC) WHERE site_id IS NOT NULL;
CREATE INDEX plate_events_normalized ON plate_events (plate_normalized_text text_pattern_ops, captured_at DESC);
CREATE INDEX plate_events_resolved   ON plate_events (resolved_text text_pattern_ops, captured_at DESC);
CREATE INDEX plate_events_match_key  ON plate_events (match_key, captured_at DESC);
CREATE INDEX plate_events_visit      ON plate_events (visit_id, captured_at DESC) WHERE visit_id IS NOT NULL;

CREATE TABLE vehicle_events (
    event_id           text             NOT NULL,
    captured_at        timestamptz      NOT NULL,
    revision           integer          NOT NULL,
    camera_id          text             NOT NULL,
    site_id            text,
    track_id           text,
    vehicle_type       text,
    vehicle_make       text,
    vehicle_model      text,
    vehicle_color      text,
    vehicle_confidence double precision,
    vehicle_image_url  text,
    frame_url          text,
    latitude           double precision,
    longitude          double precision,
    direction          text,
    first_seen_at      timestamptz      NOT NULL,
    last_seen_at       timestamptz      NOT NULL,
    reads              integer          NOT NULL,
    latency_ms         double precision,
    is_final           boolean          NOT NULL,
    node               jsonb,
    extras             jsonb            NOT NULL,
    ingested_at        timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, captured_at)
);
COMMENT ON TABLE vehicle_events IS 'Vehicles that were seen without a plate';
COMMENT ON COLUMN vehicle_events.revision IS '1: early message of the edge, 2: final message';
CREATE INDEX vehicle_events_time   ON vehicle_events (captured_at DESC, event_id DESC);
CREATE INDEX vehicle_events_camera ON vehicle_events (camera_id, captured_at DESC);

CREATE TABLE camera_metrics (
    measured_at timestamptz      NOT NULL,
    camera_id   text             NOT NULL DEFAULT '',
    name        text             NOT NULL,
    value       double precision NOT NULL,
    unit        text,
    tags        jsonb            NOT NULL,
    PRIMARY KEY (name, camera_id, measured_at)
);
COMMENT ON TABLE camera_metrics IS 'Measurements by cameras and edge agents (camera_id is empty for a node)';
