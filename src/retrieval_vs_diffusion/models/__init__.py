"""CLIP, diffusion and classifier models: load, run, save; knows neither pipelines nor strategies."""
