"""Who makes the units of a step: this process, or the actors of a Ray cluster."""
