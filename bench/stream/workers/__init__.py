"""The job as each Python engine would have it written. Each module is run as a process of its own."""
