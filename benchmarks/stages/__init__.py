"""A module for each stage: what we do, what its peer does, and how the results are compared."""
