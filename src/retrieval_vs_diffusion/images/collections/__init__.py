"""Reading collections of any format: what the formats share."""
