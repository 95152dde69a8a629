"""The routes, by subject. Each reads its parameters, asks a port and presents the answer."""
