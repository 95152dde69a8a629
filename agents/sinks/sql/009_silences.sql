-- A silence can name alerts by a matcher, begin later, and be ended.
ALTER TABLE alert_actions ADD COLUMN starts_at timestamptz;
ALTER TABLE alert_actions ADD COLUMN matcher jsonb;
ALTER TABLE alert_actions ADD COLUMN silence_id text;
COMMENT ON COLUMN alert_actions.matcher IS 'With silence: which alerts (lists of globs); NULL: the alert of alert_id alone';
COMMENT ON COLUMN alert_actions.silence_id IS 'With unsilence: the action_id of the silence that ends';
CREATE INDEX alert_actions_silences ON alert_actions (until) WHERE action = 'silence';
CREATE INDEX alert_actions_ended ON alert_actions (silence_id) WHERE action = 'unsilence';
