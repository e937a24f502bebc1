"""Training of classifiers and, for worlds that make their own models, of CLIP and the generator."""
