"""Generators: images made by a diffusion model, one file each."""
