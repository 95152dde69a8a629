-- Visits of vehicles to sites, from entry to exit, each at its highest revision.
CREATE TABLE visits (
    visit_id        text             NOT NULL,
    started_at      timestamptz      NOT NULL,
    revision        integer          NOT NULL,
    site_id         text             NOT NULL,
    outcome         text             NOT NULL,
    plate_text      text,
    plate_region    text,
    entered_at      timestamptz,
    entry_event_id  text,
    entry_camera_id text,
    exited_at       timestamptz,
    exit_event_id   text,
    exit_camera_id  text,
    exit_plate_text text,
    ended_at        timestamptz,
    match           text,
    match_score     double precision,
    dwell_s         double precision,
    absent_s        double precision NOT NULL,
    absences        jsonb            NOT NULL,
    occupancy       integer          NOT NULL,
    capacity        integer,
    updated_at      timestamptz      NOT NULL,
    ingested_at     timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (visit_id, started_at)
);
COMMENT ON TABLE visits IS 'Visits of vehicles to sites, from entry to exit';
COMMENT ON COLUMN visits.outcome IS 'open, completed, exit_missed, exit_only, expired or withdrawn (there was no such visit)';
COMMENT ON COLUMN visits.started_at IS 'Entry, or exit where no entry is known';
COMMENT ON COLUMN visits.occupancy IS 'Open visits of the site when this revision was made';
CREATE INDEX visits_time  ON visits (started_at DESC, visit_id DESC);
CREATE INDEX visits_site  ON visits (site_id, started_at DESC, visit_id DESC);
CREATE INDEX visits_open  ON visits (site_id, started_at) WHERE outcome = 'open';
CREATE INDEX visits_news  ON visits (site_id, updated_at DESC);
CREATE INDEX visits_plate ON visits (plate_text text_pattern_ops, started_at DESC);
CREATE INDEX visits_folded
    ON visits (translate(plate_text, 'ODQILZSBG', '000112586') text_pattern_ops, started_at DESC);
