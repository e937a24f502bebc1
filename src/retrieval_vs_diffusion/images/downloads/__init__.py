"""Downloading chosen images of a pool that is only links."""
