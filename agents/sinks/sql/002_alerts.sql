-- Alerts, what people and channels did with them, and the account of dead letters.

CREATE TABLE alerts (
    alert_id      text             NOT NULL,
    fired_at      timestamptz      NOT NULL,
    captured_at   timestamptz      NOT NULL,
    rule_id       text             NOT NULL,
    rule_name     text             NOT NULL,
    rule_version  text             NOT NULL,
    severity      text             NOT NULL,
    key           text             NOT NULL,
    message       text             NOT NULL,
    camera_id     text,
    site_id       text,
    plate_text    text,
    likelihood    double precision,
    matched_plate text,
    suppressed    integer          NOT NULL,
    event_ids     text[]           NOT NULL,
    proof         jsonb            NOT NULL,
    images        jsonb            NOT NULL,
    actions       jsonb            NOT NULL,
    context       jsonb            NOT NULL,
    ingested_at   timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, fired_at)
);
COMMENT ON TABLE alerts IS 'Alerts with their proof';
CREATE INDEX alerts_time   ON alerts (fired_at DESC, alert_id DESC);
CREATE INDEX alerts_rule   ON alerts (rule_id, fired_at DESC);
CREATE INDEX alerts_camera ON alerts (camera_id, fired_at DESC);
CREATE INDEX alerts_plate  ON alerts (plate_text text_pattern_ops, fired_at DESC);

CREATE TABLE alert_actions (
    action_id   text        NOT NULL,
    acted_at    timestamptz NOT NULL,
    alert_id    text        NOT NULL,
    action      text        NOT NULL,
    actor       text        NOT NULL,
    label       text,
    note        text,
    until       timestamptz,
    ingested_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (action_id, acted_at)
);
COMMENT ON TABLE alert_actions IS 'What people did with alerts: acknowledge, resolve, silence, label';
CREATE INDEX alert_actions_alert ON alert_actions (alert_id, acted_at DESC);

CREATE TABLE notifications (
    notification_id text        NOT NULL,
    captured_at     timestamptz NOT NULL,
    alert_id        text        NOT NULL,
    rule_id         text        NOT NULL,
    channel         text        NOT NULL,
    recipient       text        NOT NULL,
    outcome         text        NOT NULL,
    attempts        integer     NOT NULL,
    detail          text,
    settled_at      timestamptz NOT NULL,
    ingested_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (notification_id, captured_at)
);
COMMENT ON TABLE notifications IS 'The latest receipt of each notification';
CREATE INDEX notifications_alert ON notifications (alert_id);

-- One row a letter: a replay after a crash gives the same letter another failed_at, so that is no part of the key.
CREATE TABLE dead_letters (
    dead_letter_id text        NOT NULL PRIMARY KEY,
    failed_at      timestamptz NOT NULL,
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    "offset"       bigint      NOT NULL,
    agent          text        NOT NULL,
    error_type     text        NOT NULL,
    message        text        NOT NULL,
    retry_count    integer     NOT NULL,
    size_bytes     integer     NOT NULL,
    ingested_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dead_letters IS 'Records that could not be handled, without their bytes (those stand on alpr.dlq)';
CREATE INDEX dead_letters_time ON dead_letters (failed_at DESC);
