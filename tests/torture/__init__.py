"""The whole harness of docs/reliability.md: `make torture`."""
