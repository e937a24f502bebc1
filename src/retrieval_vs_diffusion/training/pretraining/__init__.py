"""Training a world's own CLIP, diffusion model and judge on its pool alone."""
