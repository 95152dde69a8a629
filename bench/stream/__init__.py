"""One stateful job on several stream engines, side by side: ``python -m bench.stream --help``."""
