"""Measurements: each stage beside its peer (`make benchmark`), and the scripts behind figures in the documentation."""
