"""What runs, and what need not run again because it still holds."""
