"""Retrievers: images taken from the pool, one file each."""
