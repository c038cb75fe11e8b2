"""How each record reads on a screen."""
