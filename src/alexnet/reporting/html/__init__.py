"""How a page is made of a template, and how values are written on it."""
