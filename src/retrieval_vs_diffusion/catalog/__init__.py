"""Kedro datasets for the artifacts of this project."""
