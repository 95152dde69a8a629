"""The platform and the run transport while processes, servers and disks fail: `make test-chaos`."""
