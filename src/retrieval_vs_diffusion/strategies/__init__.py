"""Ways of adding images: a composition of parts, written in YAML; knows models and images."""
