"""What published weights need beside their own file: description, mean and names of the classes.

Hashes are of the bytes at the commit that an address names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from alexnet.weights.catalogue import COMPRESSED, SQUEEZENET

__all__ = ["COMPANIONS", "Companion"]

_CAFFE = "https://raw.githubusercontent.com/BVLC/caffe/9b891540183ddc834a02b2bd81b31afae71b2153"
_PLACES = (
    "https://raw.githubusercontent.com/CSAILVision/places365/"
    "06218620d593de09ac4f9f39b72ea0d175990a24"
)
_MEAN = "97eefba7e046ee097121ad18564329636d2f9c153b748c7313653cae8594a149"


@dataclass(frozen=True)
class Companion:
    """Small files that a model needs beside its own, and what no file says.

    Args:
        files: address and SHA-256 of each.
        classes: "imagenet": the list in this package; "places": a file among `files`; "": numbers.
        mean: as `alexnet import` takes it; "": what the files say.
    """

    files: tuple[tuple[str, str], ...] = field(default=())
    classes: str = "imagenet"
    mean: str = ""


def _of_caffe(name: str, description: str, classes: str = "imagenet") -> Companion:
    files = (
        (f"{_CAFFE}/models/{name}/deploy.prototxt", description),
        (f"{_CAFFE}/python/caffe/imagenet/ilsvrc_2012_mean.npy", _MEAN),
    )
    return Companion(files, classes)


_COLOR = "104,117,123"  # blue, green, red: of SqueezeNet's train_val.prototxt

COMPANIONS = {
    "bvlc_alexnet": _of_caffe(
        "bvlc_alexnet", "b564ba76416b4ac1e062c6621cbd80d9c19304ba152d9d791c75870f3182c4fa"
    ),
    "bvlc_reference_caffenet": _of_caffe(
        "bvlc_reference_caffenet",
        "922248a4d2f6aac1cc8e7e5dbd996cc2ecd3356480d67c198f6cf96b12311a04",
    ),
    "bvlc_reference_rcnn_ilsvrc13": _of_caffe(
        "bvlc_reference_rcnn_ilsvrc13",
        "64beca73e61443ed475c27e9ddbd445ee193cba9ace01a96cfc2f30679d91a40",
        "",
    ),
    "bvlc_googlenet": Companion(
        (
            (
                f"{_CAFFE}/models/bvlc_googlenet/deploy.prototxt",
                "fa36cd4112a3240a29600a5aa35333f31bec33daa1a6085b0af308a9f50f0c50",
            ),
        ),
        mean=_COLOR,
    ),
    "squeezenet_v1.0": Companion(
        (
            (
                f"{SQUEEZENET}/SqueezeNet_v1.0/deploy.prototxt",
                "6e4ecef2a27347e226a5ef8be31d6d1b9d19f5a40afa1986ec259fd5fa3bd91c",
            ),
        ),
        mean=_COLOR,
    ),
    "squeezenet_v1.1": Companion(
        (
            (
                f"{SQUEEZENET}/SqueezeNet_v1.1/deploy.prototxt",
                "d041bfb2ab4b32fda4ff6c6966684132f2924e329916aa5bfe9285c6b23e3d1c",
            ),
        ),
        mean=_COLOR,
    ),
    "squeezenet_compressed": Companion(
        (
            (
                f"{COMPRESSED}/SqueezeNet_deploy.prototxt",
                "3bcb0e792e2b50ddeb955b178ba6742e28d8950956915348eba355652040674c",
            ),
        ),
        mean=_COLOR,
    ),
    "places365-alexnet": Companion(
        (
            (
                f"{_PLACES}/deploy_alexnet_places365.prototxt",
                "55e81deff3ec786e91e81e23001c18685ee919d392873670e501b484b88d0d04",
            ),
            (
                f"{_PLACES}/places365CNN_mean.binaryproto",
                "b14536a69d62eb63c11f175205060b1cbb601b64bc5c6730222554b2e28f6fd7",
            ),
            (
                f"{_PLACES}/categories_places365.txt",
                "2affba635eb657e7ca95f4e6cc69bd9fac29ef4c32aeb83cafdfcd06ec6a1ea6",
            ),
        ),
        classes="places",
    ),
}
"""What is fetched beside a model; names that are not here need nothing."""
