"""The row that all others are compared with."""

BASELINE = "original_only"
