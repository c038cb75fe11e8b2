"""A program of `test_compiling.py`: compiles the kernels for cards that need not be there.

Triton's compiler and NVIDIA's assembler come with the package and ask no driver. What an argument
of a kernel is, is told here as a call on a card would tell it. Prints for each kernel and card the
instructions that matter, as JSON.
"""

from __future__ import annotations

import json
import sys
import warnings

from triton import compile as compiled
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from alexnet.kernels import triton_crops, triton_norm

CARDS = {"Ampere": 80, "Hopper": 90}
NUMBERS = {"total": "i64", "scale": "fp32", "k": "fp32", "beta": "fp32"}
NORM = {"WIDTH": 48, "SIZE": 5, "RELU": True, "THREE_QUARTERS": True, "BLOCK": 1024}
CROP = {"IMAGE_PX": 256, "CROP_PX": 224, "WHOLE_IMAGES": True, "BGR": False, "BLOCK": 1024}
CROP |= {"MEAN_COLOR": False, "CENTER_MEAN": False, "MEAN_AT_CROP": True}
CROP |= {"SHIFT": True, "DIVIDE": True}
POINTERS = {"pixels": "*u8", "places": "*i64", **dict.fromkeys(("mean", "shift"), "*fp32")}
POINTERS |= {"divisor": "*fp32", "numbers": "*fp32", "n": "i32"}


def count(kernel, kinds, constants, card, *, fusion):
    names = [each.name for each in kernel.params]
    source = ASTSource(
        fn=kernel,
        signature={name: kinds.get(name, "constexpr") for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
    )
    target = GPUTarget("cuda", CARDS[card], 32)
    found = compiled(source, target=target, options={"enable_fp_fusion": fusion})
    assert found.asm["cubin"]
    text = found.asm["ptx"]
    return {
        "reads": text.count("ld.global"),
        "exact divisions": text.count("div.rn"),
        "other divisions": text.count("div.f") + text.count("div.approx"),
        "multiplied and added": text.count("fma.rn"),
        "atomic": text.count("atom.") + text.count("red."),
    }


def main() -> None:
    warnings.simplefilter("error")
    maps = dict.fromkeys(("x", "y", "g", "dx"), "*bf16") | NUMBERS
    general = NORM | {"THREE_QUARTERS": False, "SIZE": 4, "RELU": False}
    forward, backward = triton_norm._forward, triton_norm._backward
    found = {
        "forward": count(forward, maps, NORM, "Ampere", fusion=True),
        "backward": count(backward, maps, NORM, "Ampere", fusion=True),
        "backward, in general": count(backward, maps, general, "Hopper", fusion=True),
        "crops": count(triton_crops._crop_and_normalize, POINTERS, CROP, "Hopper", fusion=False),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
