"""What a study would cost: what there is, a pilot of a few images through every stage, and what follows for all."""
