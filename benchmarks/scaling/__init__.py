"""How the work grows beyond one machine: what Ray costs, how it grows over nodes, and what large studies would take."""
