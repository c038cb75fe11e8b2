"""Machine code for what runs most often: compiled by numba, or by Triton on a GPU.

Arrays and plain numbers in, arrays out; no layer, image or recipe is known here. Each kernel is
tested against a reference, those for a GPU once more on the card at hand (`kernels.verify`), and
each has a twin in torch's or numpy's operators elsewhere.
"""
