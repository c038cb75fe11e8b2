"""The verbs, a module each: the Python functions, without console or argument parser."""
