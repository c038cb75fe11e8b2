"""Machine code for what runs most often: compiled by numba, or by Triton on a GPU.

Arrays and plain numbers in, arrays out; no layer, image or recipe is known here. Each kernel is
verified against a reference before it is used, and each has a twin in plain operators elsewhere.
"""
