-- As for alerts: chunks of 30 days for what does not grow by the second.
SELECT create_hypertable('visits', by_range('started_at', INTERVAL '30 days'),
    create_default_indexes => false, migrate_data => true, if_not_exists => true);
