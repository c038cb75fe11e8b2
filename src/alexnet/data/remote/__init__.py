"""Packs that lie in an object store or on a web server: fetched, verified, kept in a cache."""
