"""Images that are there already and are used again, one file each."""
