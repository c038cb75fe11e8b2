"""How fast the paper's network answers, beside torch as it comes, ONNX Runtime and OpenVINO.

    python benchmarks/inference.py                 batches of 32
    python benchmarks/inference.py --batch-size 1       one image at a time

Contenders, in turns on the same numbers and the same weights: ours in both precisions, with torch's
convolutions, and with fully connected weights in 16 and 8 bits; the network itself, torch's plain
layers, ONNX Runtime in fp32, OpenVINO in both and with its weights in 16 bits. What is not
installed is left out, said on stderr. Each says how far its answers lie from the network's own.
Prints medians and ratios and keeps them in benchmarks/results.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from turns import Contender, arguments, compete, keep, rates, ratio, serve, table

Answer = Callable[[], Any]
_NEEDS = {
    "onnxruntime fp32": ("onnx", "onnxruntime"),
    "openvino fp32": ("onnx", "openvino"),
    "openvino fp32, weights in fp16": ("onnx", "openvino"),
    "openvino bf16": ("onnx", "openvino"),
}


def main() -> None:
    parser = arguments(__doc__, seconds=3.0, rounds=7)
    parser.add_argument("--batch-size", type=int, default=32)
    asked = parser.parse_args()
    if asked.role:
        role(asked.role, asked.batch_size)
        return
    own = ["--batch-size", str(asked.batch_size)]
    contenders = [
        Contender(name, [sys.executable, __file__, "--role", name, *own])
        for name in asked.only or ROLES
        if installed(name)
    ]
    compete(contenders, rounds=asked.rounds, seconds=asked.seconds)
    ours = contenders[0]
    print(table(contenders, ours))
    for other in contenders[1:]:
        print(f"{ours.name} is {ratio(ours, other):.3f} times as fast as {other.name}")
    print(keep(f"inference, batch {asked.batch_size}", rates(contenders)))


def installed(name: str) -> bool:
    """Say whether a contender's packages are there, on stderr where they are not."""
    lacking = [each for each in _NEEDS.get(name, ()) if importlib.util.find_spec(each) is None]
    if lacking:
        print(f"left out: {name} (pip install {' '.join(lacking)})", file=sys.stderr)
    return not lacking


def role(name: str, batch_size: int) -> None:
    """Serve one contender."""
    import torch

    from alexnet.devices import choose_device
    from alexnet.models import build_model

    threads = choose_device("fp32").threads
    network = build_model("alexnet", classes=1000, initialization="he").eval()
    network.to(memory_format=torch.channels_last)
    draw = torch.Generator().manual_seed(0)
    x = 50 * torch.randn(batch_size, 3, network.crop_px, network.crop_px, generator=draw)
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        wanted = network(x).numpy()
    answer = ROLES[name](network, x, threads)
    found = answer()
    numbers = found.float().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    far = float(np.abs(numbers - wanted).max() / np.abs(wanted).max())

    def step() -> int:
        answer()
        return batch_size

    serve(step, note=f"{threads} threads, {far:.1e} from the network's own, of its largest")


def ours(
    network: Any,
    x: Any,
    threads: int,
    *,
    precision: Any = "fp32",
    exact_convolutions: bool = False,
    fully_connected: Any = None,
) -> Answer:
    """Return what `Predictor` and `evaluate` do, convolutions in the form that is faster here."""
    from alexnet.devices import choose_device, convolving
    from alexnet.models import for_inference

    device = choose_device(precision, threads, exact_convolutions=exact_convolutions)
    with convolving(device.convolutions):
        answer = for_inference(network, precision, fully_connected=fully_connected)
    print(f"{precision}: convolutions in the form of {device.convolutions}", file=sys.stderr)
    return lambda: answer(x)


def itself(network: Any, x: Any, threads: int) -> Answer:
    """Return the network as training has it, without a gradient."""
    import torch

    def answer() -> Any:
        with torch.inference_mode():
            return network(x)

    return answer


def plain(network: Any, x: Any, threads: int) -> Answer:
    """Return torch's own layers in torch's own layout, with the same weights."""
    import torch
    from torch.nn import functional

    from alexnet.nn import Convolution, MaxPool, ResponseNorm

    images = x.contiguous()
    copies = {
        name: layer.weight.detach().contiguous()
        for name, layer in network.named_children()
        if isinstance(layer, Convolution)
    }

    def normalized(layer: ResponseNorm, maps: Any) -> Any:
        alpha = layer.scale * layer.size
        parts = [
            functional.local_response_norm(each, layer.size, alpha, layer.beta, layer.k)
            for each in maps.chunk(layer.towers, 1)
        ]
        return torch.cat(parts, 1)

    def answer() -> Any:
        maps = images
        with torch.inference_mode():
            for name, layer in network.named_children():
                if isinstance(layer, Convolution):
                    over = layer.window.overhang(maps.shape[2])
                    maps = functional.conv2d(
                        functional.pad(maps, (0, over, 0, over)),
                        copies[name],
                        layer.bias,
                        layer.stride,
                        layer.padding,
                        groups=layer.groups,
                    )
                elif isinstance(layer, ResponseNorm):
                    maps = normalized(layer, maps)
                elif isinstance(layer, MaxPool):
                    maps = functional.max_pool2d(maps, layer.window.kernel, layer.window.stride)
                else:
                    maps = layer(maps)
        return maps

    return answer


def onnxruntime(network: Any, x: Any, threads: int) -> Answer:
    """Return ONNX Runtime with all of its rewriting."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = runtime.InferenceSession(
        as_onnx(network), options, providers=["CPUExecutionProvider"]
    )
    images = x.contiguous().numpy()
    return lambda: session.run(None, {"images": images})[0]


def openvino(
    network: Any, x: Any, threads: int, *, precision: str, compressed: bool = False
) -> Answer:
    """Return OpenVINO with fixed shapes in a precision; its weights in fp16 where compressed."""
    import openvino as vino

    model = vino.Core().read_model(as_onnx(network))
    if compressed:
        with tempfile.TemporaryDirectory() as scratch:
            vino.save_model(model, Path(scratch, "net.xml"), compress_to_fp16=True)
            whole = Path(scratch, "net.bin").read_bytes()
            model = vino.Core().read_model(Path(scratch, "net.xml").read_bytes(), whole)
    model.reshape(list(x.shape))
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    request = vino.Core().compile_model(model, "CPU", settings).create_infer_request()
    images = vino.Tensor(x.contiguous().numpy(), shared_memory=True)

    def answer() -> Any:
        request.infer({0: images})
        return request.get_output_tensor(0).data

    return answer


def as_onnx(network: Any) -> bytes:
    """Return the paper's network as an ONNX model: each tower with a normalization of its own."""
    import torch
    from onnx import TensorProto, helper, numpy_helper
    from torch import nn

    from alexnet.nn import Convolution, Dropout, MaxPool, ResponseNorm

    nodes: list[Any] = []
    kept: list[Any] = []
    made, side = "images", network.crop_px

    def keep_tensor(name: str, tensor: Any) -> str:
        kept.append(numpy_helper.from_array(tensor.detach().contiguous().numpy(), name))
        return name

    def add(kind: str, name: str, sources: list[str], **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, sources, [name], **attributes))
        return name

    for name, layer in network.named_children():
        if isinstance(layer, Convolution | nn.Linear):
            sources = [made, keep_tensor(f"{name}.w", layer.weight)]
            sources.append(keep_tensor(f"{name}.b", layer.bias))
        if isinstance(layer, Convolution):
            before, after = layer.window.padding, layer.window.padding + layer.window.overhang(side)
            pads = [before, before, after, after]
            shapes = {"kernel_shape": list(layer.kernel_size), "strides": list(layer.stride)}
            made = add("Conv", name, sources, group=layer.groups, pads=pads, **shapes)
            side = layer.window.outputs(side)
        elif isinstance(layer, nn.Linear):
            made = add("Gemm", name, sources, transB=1)
        elif isinstance(layer, nn.ReLU):
            made = add("Relu", name, [made])
        elif isinstance(layer, MaxPool):
            window = {"kernel_shape": [layer.window.kernel] * 2}
            made = add("MaxPool", name, [made], strides=[layer.window.stride] * 2, **window)
            side = layer.window.outputs(side)
        elif isinstance(layer, ResponseNorm):
            towers = [f"{name}.{n}" for n in range(layer.towers)]
            nodes.append(
                helper.make_node("Split", [made], towers, axis=1, num_outputs=layer.towers)
            )
            sums = {"size": layer.size, "alpha": layer.scale * layer.size}
            done = [
                add("LRN", f"{each}.y", [each], beta=layer.beta, bias=layer.k, **sums)
                for each in towers
            ]
            made = add("Concat", name, done, axis=1)
        elif isinstance(layer, Dropout):
            share = keep_tensor(f"{name}.kept", torch.tensor(1 - layer.p))
            made = add("Mul", name, [made, share])
        else:
            made = add("Flatten", name, [made], axis=1)
    px = network.crop_px
    graph = helper.make_graph(
        nodes,
        "alexnet",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, px, px])],
        [helper.make_tensor_value_info(made, TensorProto.FLOAT, ["n", network.classes])],
        kept,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


ROLES: dict[str, Callable[..., Answer]] = {
    "ours fp32": ours,
    "ours fp32, torch's convolutions": lambda *rest: ours(*rest, exact_convolutions=True),
    "ours fp32, fully connected in fp16": lambda *rest: ours(*rest, fully_connected="fp16"),
    "ours fp32, fully connected in int8": lambda *rest: ours(*rest, fully_connected="int8"),
    "ours bf16": lambda *rest: ours(*rest, precision="bf16"),
    "the network itself": itself,
    "plain torch": plain,
    "onnxruntime fp32": onnxruntime,
    "openvino fp32": lambda *rest: openvino(*rest, precision="f32"),
    "openvino fp32, weights in fp16": lambda *rest: openvino(
        *rest, precision="f32", compressed=True
    ),
    "openvino bf16": lambda *rest: openvino(*rest, precision="bf16"),
}

if __name__ == "__main__":
    main()
