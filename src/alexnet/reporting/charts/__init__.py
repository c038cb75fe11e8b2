"""Charts of every page and their twins as PNG."""
