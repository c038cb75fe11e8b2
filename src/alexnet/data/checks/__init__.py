"""What is wrong with a source: broken files, duplicates, leaks between splits, exclusions."""
