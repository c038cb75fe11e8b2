"""The page of the test vectors: the preprocessing, said exactly enough to be written again."""

from __future__ import annotations

from alexnet.exporters.request import ExportRequest
from alexnet.images import Preprocessing
from alexnet.text import counted
from alexnet.weights import Weights

__all__ = ["page"]

_FITS = {
    "crop": """The central square of the picture, `e = min(H, W)`, from row `(H - e) // 2` and
column `(W - e) // 2` on (whole numbers, rounded down), is resized to {S} x {S}.""",
    "squash": """The whole picture is resized to {S} x {S}; its proportions change.""",
    "pad": """With `L = max(H, W)` the whole picture is resized to `h = max(1, round(H * {S} / L))`
rows and `w = max(1, round(W * {S} / L))` columns (a half is rounded to the even neighbour), and
laid into a square of {S} x {S} whose other numbers are all 128, from row `({S} - h) // 2` and
column `({S} - w) // 2` on.""",
}


def page(weights: Weights, request: ExportRequest, count: int) -> str:
    """Return the page in Markdown.

    Args:
        weights: whose preprocessing it is.
        request: what the answers are.
        count: pictures beside it.
    """
    rule = weights.preprocessing
    names = {"S": rule.image_px, "c": rule.crop_px, "start": rule.centre}
    names["end"] = names["start"] + rule.crop_px
    parts = [
        _HEAD.format(model=weights.model, digest=weights.digest, count=counted(count, "picture")),
        _DECODING.format(**names),
        _SQUARE.format(**names) + _FITS[rule.fit].format(**names) + "\n",
        _RESIZING,
        _CENTRE.format(**names),
        _numbers(rule),
        _ANSWERS[request.gives].format(K=len(weights.classes)),
        _TOLERANCES,
    ]
    return "\n".join(parts)


_HEAD = """# Test vectors of {model}

{count}, what the preprocessing makes of them, and what the network answers. For whoever writes the
preprocessing again: take the steps below one by one, and hold each against the files.

| file | what it is |
| --- | --- |
| `pictures/0.png`, ... | the pictures, decoded and upright: after step 1 |
| `stored/0.png`, ... | after step 2 |
| `numbers.npy` | after step 4: what the network takes |
| `answers.npy` | after step 5 |
| `mean.npy` | the mean image of step 4, where there is one |
| `vectors.json` | the classes in order; of each picture some of the numbers, and all answers |

An `.npy` file is: the bytes `93 4E 55 4D 50 59 01 00`, the length of a header in two bytes (lowest
first), that header as text, with the shape in it, then the numbers, float32, lowest byte first, the
last axis running fastest.

The weights have the digest `{digest}`.
"""

_DECODING = """## 1. Decode

The pixels as 8 bits of red, green and blue, H rows of W pixels. Turned and mirrored as EXIF says;
grey becomes three equal channels; what is transparent is laid over white; 16 bits are divided by
257 and rounded; of an animation the first frame. No colour profile is applied.

A JPEG file whose shorter side is at least twice, four or eight times 2 x {S} pixels may be decoded
at 1/2, 1/4 or 1/8 (libjpeg's scaling); the pictures here are decoded in full.
"""

_SQUARE = """## 2. Make it a square of {S} x {S} pixels

"""

_RESIZING = """Resizing is by a triangle as wide as needed, first along the rows, then along the
columns, each time from `n` numbers to `m`:

    f = n / m                  (real numbers)
    r = max(f, 1)
    for each i from 0 to m - 1:
        centre = f * (i + 0.5)
        first  = max(0, int(centre - r + 0.5))
        last   = min(n, int(centre + r + 0.5))         (not itself taken)
        weight of j = max(0, 1 - abs((j + 0.5 - centre) / r))   for first <= j < last
        result i = sum of weight * number / sum of weights

`int` cuts off the part behind the point. After each direction numbers are rounded to the nearest
whole one and kept within 0..255. Where `n = m` nothing is done. This is what Pillow calls BILINEAR,
and torch `bilinear` with `antialias=True`; OpenCV's INTER_LINEAR and INTER_AREA are something else.
"""

_CENTRE = """## 3. Cut the centre

Rows and columns {start} to {end} (not itself taken): {c} x {c} pixels.
"""

_ANSWERS = {
    "probabilities": """## 5. Ask the network

It gives {K} numbers, one for each class; the answers are their softmax, `exp(x) / sum of exp(x)`,
after the largest was subtracted from all.
""",
    "logits": """## 5. Ask the network

It gives {K} numbers, one for each class; the answers are these, without a softmax.
""",
}

_TOLERANCES = """## How near is near enough

Step 2 within 1 grey level (libraries round weights to 8 or more bits); steps 3 and 4, made of
`stored/`, within 0.0001; step 5, made of `numbers.npy`, within 0.0001 in float32.
"""


def _numbers(rule: Preprocessing) -> str:
    """Say step 4."""
    lines = ["## 4. Numbers", "", "In float32, for each pixel and channel (red, green, blue):", ""]
    lines.append("    x = pixel (0..255)")
    if rule.mean is not None and rule.mean.ndim == 1:
        lines.append(f"    x = x - ({_listed(rule.mean.tolist())})")
    elif rule.mean is not None:
        lines.append("    x = x - mean.npy[row][column][channel]")
    if rule.scale is not None:
        lines.append(f"    x = x / ({_listed(rule.scale.tolist())})")
    order = "red, green, blue" if rule.order == "RGB" else "blue, green, red"
    c = rule.crop_px
    lines += [
        "",
        f"The network takes them as 3 planes of {c} x {c}, in the order {order}.",
        "",
    ]
    return "\n".join(lines)


def _listed(values: list[float]) -> str:
    return ", ".join(f"{each:.9g}" for each in values)
