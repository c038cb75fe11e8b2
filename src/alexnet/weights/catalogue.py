"""What the originals publish: address, hash, license and figures of each, as they print them.

Every entry was read in the publisher's own files; where those say nothing, None or "" stands here.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from alexnet.records import PublishedWeights

__all__ = ["CATALOGUE", "COMPRESSED", "SQUEEZENET", "SUGGESTED", "published_name"]

_TERMS = "trained on ImageNet, which has terms of its own"
SQUEEZENET = (
    "https://raw.githubusercontent.com/forresti/SqueezeNet/51147dc0681638c28aad593b9e923f3500117125"
)
COMPRESSED = (
    "https://raw.githubusercontent.com/songhan/SqueezeNet-Deep-Compression/"
    "fb13faa2cf121ced9999f8a9d538ec6c56084733"
)


_BASE = PublishedWeights(
    name="",
    task="ImageNet 2012: one of 1,000 classes",
    model="graph",
    classes=1000,
    top1=None,
    top5=None,
    crops=1,
    size_mb=0,
    license=f"BSD-3-Clause (torchvision); {_TERMS}",
    source="",
    sha256="",
    format="torchvision",
    input_px=224,
    figures_from="torchvision's models",
)


def _torchvision(
    name: str, file: str, size_mb: float, top1: float, top5: float, sha256: str = ""
) -> PublishedWeights:
    """Return an entry of torchvision, which publishes the first 8 digits in the file's name."""
    start = file.rpartition("-")[2].partition(".")[0]
    return replace(
        _BASE,
        name=f"torchvision-{name}",
        source=f"https://download.pytorch.org/models/{file}",
        size_mb=size_mb,
        top1=top1,
        top5=top5,
        sha256=sha256 or f"sha256-start:{start}",
        model="one_column" if name == "alexnet" else "graph",
    )


def _caffe(name: str, sha1: str, size_mb: float, **changes: object) -> PublishedWeights:
    entry = replace(
        _BASE,
        name=name,
        source=f"http://dl.caffe.berkeleyvision.org/{name}.caffemodel",
        sha256=f"sha1:{sha1}",
        size_mb=size_mb,
        size_known=False,
        license=f"unrestricted (BAIR); {_TERMS}",
        format="caffe",
        input_px=227,
        figures_from=f"Caffe's models/{name}/readme.md",
    )
    return replace(entry, **changes)


def _squeezenet(name: str, source: str, digest: str, **changes: object) -> PublishedWeights:
    entry = replace(
        _BASE,
        name=name,
        source=source,
        sha256=digest,
        license=f"BSD-2-Clause (its authors); {_TERMS}",
        format="caffe",
        input_px=227,
        figures_from="",
    )
    return replace(entry, **changes)


_ENTRIES = (
    _torchvision(
        "alexnet",
        "alexnet-owt-7be5be79.pth",
        233.1,
        0.56522,
        0.79066,
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
    _torchvision("squeezenet1_0", "squeezenet1_0-b66bff10.pth", 4.778, 0.58092, 0.80420),
    _torchvision("squeezenet1_1", "squeezenet1_1-b8a52dc0.pth", 4.729, 0.58178, 0.80624),
    _torchvision("resnet18", "resnet18-f37072fd.pth", 44.661, 0.69758, 0.89078),
    _torchvision("resnet34", "resnet34-b627a593.pth", 83.275, 0.73314, 0.91420),
    _torchvision("resnet50", "resnet50-0676ba61.pth", 97.781, 0.76130, 0.92862),
    _torchvision("vgg16", "vgg16-397923af.pth", 527.796, 0.71592, 0.90382),
    _torchvision("vgg19", "vgg19-dcbb9e9d.pth", 548.051, 0.72376, 0.90876),
    _caffe(
        "bvlc_alexnet",
        "9116a64c0fbe4459d18f4bb6b56d647b63920377",
        233,
        model="alexnet_caffe",
        top1=0.571,
        top5=0.802,
    ),
    _caffe(
        "bvlc_reference_caffenet",
        "4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
        233,
        model="caffenet",
        top1=0.574,
        top5=0.804,
    ),
    _caffe(
        "bvlc_reference_rcnn_ilsvrc13",
        "bdd8abb885819cba5e2fe1eb36235f2319477e64",
        220,
        task="ImageNet detection 2013: one of 200 classes, by the machines of R-CNN",
        classes=200,
        figures_from="",
    ),
    _caffe(
        "bvlc_googlenet",
        "405fc5acd08a3bb12de8ee5e23a96bec22f08204",
        51,
        input_px=224,
        top1=0.687,
        top5=0.889,
    ),
    _squeezenet(
        "squeezenet_v1.0",
        f"{SQUEEZENET}/SqueezeNet_v1.0/squeezenet_v1.0.caffemodel",
        "git:a381d848b43d7048c3b362238ece2386c21d6ff0",
        size_mb=4.8,
        top5=0.803,
        crops=None,
        figures_from='"at least", SqueezeNet_v1.1/README.md',
    ),
    _squeezenet(
        "squeezenet_v1.1",
        f"{SQUEEZENET}/SqueezeNet_v1.1/squeezenet_v1.1.caffemodel",
        "git:9d2fc33abf653a6e8b2ee6cc63ede0e72ec67f44",
        size_mb=4.8,
        top5=0.803,
        crops=None,
        figures_from='"at least", SqueezeNet_v1.1/README.md',
    ),
    _squeezenet(
        "squeezenet_compressed",
        f"{COMPRESSED}/compressed_SqueezeNet.net",
        "git:b28ec20a342c1f0dd7f0c148be60df1192ff8036",
        size_mb=675763 / 2**20,
    ),
    replace(
        _BASE,
        name="places365-alexnet",
        task="Places365: one of 365 kinds of places",
        classes=365,
        source="http://places2.csail.mit.edu/models_places365/alexnet_places365.caffemodel",
        sha256="",
        size_mb=224,
        size_known=False,
        license="CC BY (its authors)",
        format="caffe",
        input_px=227,
        figures_from="",
    ),
    replace(
        _BASE,
        name="places205-alexnet",
        task="Places205: one of 205 kinds of places",
        classes=205,
        source="http://places.csail.mit.edu/model/placesCNN_upgraded.tar.gz",
        sha256="",
        size_mb=220,
        size_known=False,
        license="CC BY (its authors, of their models of Places)",
        format="archive",
        input_px=227,
        figures_from="",
    ),
    replace(
        _BASE,
        name="vgg16-caffe",
        source=(
            "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/"
            "VGG_ILSVRC_16_layers.caffemodel"
        ),
        sha256="",
        size_mb=528,
        size_known=False,
        license=f"see www.robots.ox.ac.uk/~vgg/research/very_deep; {_TERMS}",
        format="caffe alone",
        top5=0.919,
        crops=None,
        figures_from="dense evaluation at 384 pixels, the model's readme.md",
    ),
    replace(
        _BASE,
        name="vgg19-caffe",
        source=(
            "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/"
            "VGG_ILSVRC_19_layers.caffemodel"
        ),
        sha256="",
        size_mb=548,
        size_known=False,
        license=f"CC BY-NC 4.0, non-commercial use only (its authors); {_TERMS}",
        format="caffe alone",
        figures_from="",
    ),
)

CATALOGUE = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""Each by its name."""


SUGGESTED = {
    "squeezenet_compressed": "0.6 MB that learned 1,000 classes of photographs",
    "torchvision-resnet18": "45 MB that learned 1,000 classes of photographs",
}
"""Weights for a folder of photographs, small first, and why."""


def published_name(path: object) -> str | None:
    """Return the name of published weights that `path` is, timm's included; None: it is none."""
    name = str(path).replace("\\", "/")
    return name if name in CATALOGUE or name.startswith("timm/") else None
