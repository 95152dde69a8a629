-- Chunks of a week for what grows by the second, of 30 days for the rest: some GB at most, so that a chunk's indexes
-- stay in memory (TimescaleDB documentation, "Optimize hypertable chunk intervals").
SELECT create_hypertable('plate_events', by_range('captured_at', INTERVAL '7 days'),
    create_default_indexes => false, migrate_data => true, if_not_exists => true);
SELECT create_hypertable('vehicle_events', by_range('captured_at', INTERVAL '7 days'),
    create_default_indexes => false, migrate_data => true, if_not_exists => true);
SELECT create_hypertable('camera_metrics', by_range('measured_at', INTERVAL '7 days'),
    create_default_indexes => true, migrate_data => true, if_not_exists => true);
SELECT create_hypertable('alerts', by_range('fired_at', INTERVAL '30 days'),
    create_default_indexes => false, migrate_data => true, if_not_exists => true);
SELECT create_hypertable('notifications', by_range('captured_at', INTERVAL '30 days'),
    create_default_indexes => true, migrate_data => true, if_not_exists => true);
