"""What agents decide, as pure functions: no I/O, no clock, no Faust. Time and offsets come in as arguments."""
