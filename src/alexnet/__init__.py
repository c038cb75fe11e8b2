"""A folder of images in, a measured classifier out: the network of 2012, exact and fast."""

__version__ = "0.1.0"
