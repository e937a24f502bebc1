"""Personalisations: what is learned from the target before images are made, one file each."""
