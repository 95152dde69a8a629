"""The servers that the platform needs: as containers (compose.yaml), and without (local)."""
