"""Where labeled images come from: folders, archives, tables."""
