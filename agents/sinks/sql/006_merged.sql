-- Two passes that a late read has bridged are one: the younger row stays, says which one it went into, and is no pass.
ALTER TABLE plate_events ADD COLUMN merged_into text;
COMMENT ON COLUMN plate_events.merged_into IS 'The sighting that this one turned out to be a part of; not counted then';
