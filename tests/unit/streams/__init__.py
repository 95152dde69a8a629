"""The stream core without servers."""
