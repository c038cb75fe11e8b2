"""Convolutions with fewer products, by Winograd's minimal filtering (extra: fast)."""
