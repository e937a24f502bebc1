"""What the runs say: accuracies, label agreement, the leaderboard and the report."""
