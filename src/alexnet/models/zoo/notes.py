"""How each model differs from the paper's network, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping

from alexnet.models.network import Network

__all__ = ["MODEL_LINES", "MODEL_NOTES", "describe_model", "model_notes"]

MODEL_LINES: Mapping[str, str] = {
    "alexnet": "the paper's network as printed",
    "alexnet_program": "configuration 145 of its authors' program",
    "alexnet_caffe": "Caffe's bvlc_alexnet",
    "caffenet": "Caffe's bvlc_reference_caffenet: pooling, then norm",
    "one_column": "torchvision's alexnet: one tower, no norm",
    "one_gpu": "configuration 145-half, the paper's net for one GPU",
    "alexnet_sixth_conv": "configuration 146, a sixth convolution (1 CNN*)",
    "alexnet_bn": "the paper's shapes in one column, batch norm (ours)",
    "cifar_26pct": "CIFAR-10, 26 % error in 80 s of 2011: 3 convolutions",
    "cifar_18pct": "CIFAR-10, 18 %: 3 convolutions, norm inside each map",
    "cifar_13pct": "CIFAR-10, 13 %: 2 convolutions, 2 local layers",
    "cifar_13pct_norm": "cifar_13pct with the norm of cifar_11pct (ours)",
    "cifar_11pct": "CIFAR-10, 11 %: norm over 9 maps, wider local layers",
    "cifar_11pct_no_norm": "cifar_11pct without its norm (ours)",
    "alexnet_small": "5 convolutions for 64-pixel images, batch norm (ours)",
    "alexnet_adaptive": "5 convolutions, any image size, batch norm (ours)",
    "mlp": "the traditional network: fully connected, sigmoid",
}
"""What each model is, in a few words."""

_PROGRAM = """
    relu1 stands behind pool1, so norm1 sees sums of both signs (printed: ReLU first); relu5 behind
    pool5 is the same as in front of it.

    Sums of squares are divided by their window: 1e-4 / 5 acts as an alpha of 2e-5 in the printed
    formula.

    norm2_spatial, a second normalization over 5 x 5 positions of each map, is not in the paper.

    Initial weights have a deviation of 0.03 in conv3 to conv5 (printed: 0.01 everywhere)."""

_CAFFE = """
    Made for crops of 227 pixels, which the windows of conv1 cover exactly: 55 positions as with
    224, but aligned otherwise.

    Normalization runs over all maps, across both groups of conv2, with k = 1 and sums divided by 5
    (printed: k = 2 and the plain sum).

    Dropout scales in training, and fc6 and fc7 start with a deviation of 0.005 (printed: scaling
    when testing, and 0.01)."""

_CIFAR = "A net for CIFAR-10, from the examples of the authors' program: no dropout, no towers."

_PAIRS = """
    cifar_13pct and cifar_11pct differ in normalization, in the width of local3 and in crops;
    {} differs from this model in its normalization alone."""


def _sentences(text: str) -> tuple[str, ...]:
    """Return the paragraphs of a text, each in one line."""
    return tuple(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


MODEL_NOTES: Mapping[str, tuple[str, ...]] = {
    "alexnet": _sentences("""
        As printed. The paper gives no padding; 224 pixels give 55 positions by the program's rule,
        which rounds up.

        Normalization windows stay inside a tower: N in the formula is read as the maps of a GPU.

        The authors' program differs in its initial weights and normalization: see alexnet_program.
    """),
    "alexnet_program": _sentences(f"""
        Configuration 145 of the authors' program: its logged errors are the printed ones. Shapes
        and parameters are the paper's.

        {_PROGRAM}
    """),
    "one_gpu": _sentences(f"""
        Configuration 145-half, the paper's net for one GPU (section 3.2): one tower of half the
        maps; conv5, fc6 and fc7 are not halved.

        {_PROGRAM}
    """),
    "alexnet_sixth_conv": _sentences(f"""
        Configuration 146, the paper's 1 CNN* (section 6): as alexnet_program, with conv6, 3 x 3
        over all 256 maps behind pool5; fc6 is still a fully connected layer.

        {_PROGRAM}
    """),
    "alexnet_caffe": _sentences(f"""
        Caffe's bvlc_alexnet: the paper's shapes and parameters.

        {_CAFFE}

        Initial biases are 0.1 where the paper has 1; with 1 its author saw training stall.
    """),
    "caffenet": _sentences(f"""
        Caffe's bvlc_reference_caffenet: the paper's shapes and parameters.

        Pooling comes before normalization (printed: after).

        {_CAFFE}
    """),
    "one_column": _sentences("""
        torchvision's alexnet, after Krizhevsky's net of 2014: its weights fit at crops of 224.

        One column of 64-192-384-256-256 maps (printed: two towers, 96-256-384-384-256 in all).

        No response normalization (printed: after conv1 and conv2).

        conv1 has a padding of 2, and windows are counted rounding down (the program: rounding up
        without padding); at 224 pixels both come to 55 positions, aligned otherwise.

        Dropout stands before fc6 and fc7, none behind fc7, and scales in training (printed: on the
        outputs of fc6 and fc7, scaling when testing).

        Initial weights and biases are uniform within 1 / sqrt(fan-in) (printed: Gaussian of 0.01,
        biases 0 or 1).

        torchvision averages any image's maps to 6 x 6 before fc6; here fc6 fits the crop.
    """),
    "alexnet_bn": _sentences("""
        Ours, after Ioffe and Szegedy 2015: the paper's shapes in one column, without towers.

        Batch normalization behind each convolution, in place of its biases and of the response
        normalization; He's initial weights; dropout scales in training.
    """),
    "cifar_26pct": _sentences(f"""
        {_CIFAR}

        No normalization; pool2 and pool3 take means (the paper: maxima).
    """),
    "cifar_18pct": _sentences(f"""
        {_CIFAR}

        Normalization lies within each map, 3 x 3 positions, behind pool1 and pool2; pool2 and pool3
        take means (the paper: across maps, before pooling, maxima).
    """),
    "cifar_13pct": _sentences(f"""
        {_CIFAR}

        local3 and local4 share no weights between positions. No normalization.

        {_PAIRS.format("cifar_13pct_norm")}
    """),
    "cifar_13pct_norm": _sentences(f"""
        Ours, for a fair comparison: cifar_13pct with the normalization of cifar_11pct.

        {_PAIRS.format("cifar_13pct")}
    """),
    "cifar_11pct": _sentences(f"""
        {_CIFAR}

        Normalization over 9 maps with k = 1, sums divided by 9, behind pool1 and before pool2;
        local3 and local4 share no weights between positions.

        {_PAIRS.format("cifar_11pct_no_norm")}
    """),
    "cifar_11pct_no_norm": _sentences(f"""
        Ours, for a fair comparison: cifar_11pct without its normalization.

        {_PAIRS.format("cifar_11pct")}
    """),
    "alexnet_small": _sentences("""
        Ours: the paper's plan (five convolutions, three overlapping pools, dropout) with a
        twentieth of its parameters.

        Batch normalization in place of response normalization, no towers, one hidden fully
        connected layer of 512, He's initial weights, dropout that scales in training.
    """),
    "alexnet_adaptive": _sentences("""
        Ours: alexnet_small, wider, with adaptive average pooling to 3 x 3 before fc6, so that the
        same weights take images of 64 to 224 pixels and more.
    """),
    "mlp": _sentences("""
        The traditional network that the paper's ideas are held against: no windows at all.
    """),
}
"""Sentences on each model with its default sizes."""

_TWO_TOWERS = ("alexnet", "alexnet_program", "alexnet_caffe", "caffenet")


def describe_model(network: Network) -> str:
    """Return what a network is, in a few words."""
    if "files" in network.arguments:
        return "layer files of the authors' program"
    return MODEL_LINES.get(network.model, "a torch module of its own")


def model_notes(network: Network, neurons: int) -> list[str]:
    """Return the sentences that hold for a network as built; `neurons`: of all layers."""
    notes = list(MODEL_NOTES.get(network.model, ()))
    if network.model == "alexnet" and network.crop_px == 224:
        notes.append(
            "Figure 2 prints 253,440 neurons for conv1, which are 55 x 48 x 96; it has 55 x 55 x "
            "96 = 290,400. With these all neurons come to 659,272 (for 1,000 classes), the 650,000 "
            "of the abstract."
        )
    if network.model in _TWO_TOWERS and neurons == 659_272:
        notes.append(
            "Section 1 gives each convolution at most 1 % of the parameters; conv3 has 1.45 %, "
            "conv4 1.09 %."
        )
    if network.crop_px not in (224, 227):
        notes.append(
            f"It takes crops of {network.crop_px} pixels out of images of {network.image_px}; "
            "the paper's network 224 of 256."
        )
    activation = network.arguments["activation"]
    if activation not in ("relu", None):
        notes.append(f"Hidden units: {activation}; the paper's are ReLU (section 3.1).")
    return notes
