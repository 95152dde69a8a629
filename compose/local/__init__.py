"""The platform's servers on this machine without containers: fetched from package registries, started, watched.

`compose.local.stack.Stack` is the way in; `alpr stack` and the connected tests use it.
"""
