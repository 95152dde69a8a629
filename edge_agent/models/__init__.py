"""Where weights come from: catalogue, fetch at set-up time, conversion, cache."""
