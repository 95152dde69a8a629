"""Edge agent against real servers."""
