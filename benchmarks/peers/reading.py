"""One reader of ONNX files, in whatever Python has it: what it makes of each file of a folder.

    PYTHON benchmarks/peers/reading.py READER FOLDER NAME...     (serves benchmarks/readers.py)

For each NAME the folder holds NAME.onnx and NAME.npz, whose arrays are the inputs of several calls,
"0/x0", "0/x1", "1/x0". Writes NAME.READER.npy, the outputs one after the other, and a line on
standard output for each: a JSON object with the name and, where the reader refused, its reason. The
first line names the reader's version.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Inputs = dict[str, np.ndarray]
Run = Callable[[Inputs], np.ndarray]


def main() -> None:
    reader, folder, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    package, opens = READERS[reader]
    print(json.dumps({"version": importlib.metadata.version(package)}), flush=True)
    for name in names:
        print(json.dumps({"starts": name}), flush=True)
        reason = None
        try:
            calls = inputs_of(folder / f"{name}.npz")
            run = opens(folder / f"{name}.onnx", calls[0])
            np.save(folder / f"{name}.{reader}.npy", np.stack([run(call) for call in calls]))
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print(json.dumps({"name": name, "reason": reason}), flush=True)


def inputs_of(path: Path) -> list[Inputs]:
    """Return the inputs of each call by their names."""
    calls: dict[str, Inputs] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            number, _, name = key.partition("/")
            calls.setdefault(number, {})[name] = arrays[key]
    return [calls[number] for number in sorted(calls)]


def onnx_runtime(path: Path, example: Inputs) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def openvino_cpu(path: Path, example: Inputs) -> Run:
    import openvino

    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(openvino.Core().read_model(path), "CPU", exact)
    return lambda inputs: np.array(compiled(inputs)[0])


def opencv(path: Path, example: Inputs) -> Run:
    import cv2

    net = cv2.dnn.readNetFromONNX(str(path))

    def run(inputs: Inputs) -> np.ndarray:
        for name, array in inputs.items():
            net.setInput(array, name)
        return net.forward().copy()

    return run


def mnn(path: Path, example: Inputs) -> Run:
    import MNN

    converted = path.with_suffix(".mnn")
    # The converter itself: its script `mnnconvert` would report each call to its makers.
    script = "import sys, _tools; _tools.mnnconvert(sys.argv)"
    files = ["--modelFile", path, "--MNNModel", converted]
    checked([sys.executable, "-c", script, "-f", "ONNX", *files, "--bizCode", "none"], converted)
    net = MNN.nn.load_module_from_file(str(converted), list(example), ["output"])

    def run(inputs: Inputs) -> np.ndarray:
        values = [
            MNN.expr.const(array, list(array.shape), MNN.expr.NCHW, dtype_of(array))
            for array in inputs.values()
        ]
        (output,) = net.forward(values)
        if output.data_format == MNN.expr.NC4HW4:
            output = MNN.expr.convert(output, MNN.expr.NCHW)
        return output.read().copy()

    def dtype_of(array: np.ndarray) -> Any:
        return MNN.expr.uint8 if array.dtype == np.uint8 else MNN.expr.float

    return run


def ncnn_by_pnnx(path: Path, example: Inputs) -> Run:
    import ncnn

    # The converter itself: its script `pnnx` wants torch.
    tool = next(
        Path(folder, "pnnx/pnnx") for folder in sys.path if Path(folder, "pnnx/pnnx").is_file()
    )
    shapes = ",".join(
        str(list(array.shape)).replace(" ", "") + ("u8" if array.dtype == np.uint8 else "")
        for array in example.values()
    )
    made = path.with_suffix(".ncnn.param")
    checked([tool, path.name, f"inputshape={shapes}", "fp16=0"], made, folder=path.parent)
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    if net.load_param(str(made)) or net.load_model(str(path.with_suffix(".ncnn.bin"))):
        raise RuntimeError("ncnn cannot load what pnnx made")

    def run(inputs: Inputs) -> np.ndarray:
        with net.create_extractor() as extractor:
            for i, array in enumerate(inputs.values()):
                extractor.input(f"in{i}", ncnn.Mat(np.ascontiguousarray(array[0])).clone())
            code, output = extractor.extract("out0")
            if code:
                raise RuntimeError(f"ncnn ends with {code}")
            return np.array(output)[None]

    return run


def tinygrad_runner(path: Path, example: Inputs) -> Run:
    # Its own interpreter where there is no compiler: slow.
    os.environ.setdefault("DEV", "CPU" if shutil.which("clang") else "PYTHON")
    from tinygrad import Tensor
    from tinygrad.nn.onnx import OnnxRunner

    runner = OnnxRunner(path)

    def run(inputs: Inputs) -> np.ndarray:
        (output,) = runner({name: Tensor(array) for name, array in inputs.items()}).values()
        return output.numpy()

    return run


def checked(command: list[Any], made: Path, *, folder: Path | None = None) -> None:
    """Run a converter; its last line is the reason where it made nothing."""
    said = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    if said.returncode or not made.is_file():
        lines = (said.stdout + said.stderr).strip().splitlines() or ["nothing said"]
        raise RuntimeError(f"{Path(command[0]).name} ends with {said.returncode}: {lines[-1]}")


READERS: dict[str, tuple[str, Callable[[Path, Inputs], Run]]] = {
    "ONNX Runtime": ("onnxruntime", onnx_runtime),
    "OpenVINO": ("openvino", openvino_cpu),
    "OpenCV 4": ("opencv-python-headless", opencv),
    "OpenCV 5": ("opencv-python-headless", opencv),
    "MNN": ("MNN", mnn),
    "ncnn": ("ncnn", ncnn_by_pnnx),
    "tinygrad": ("tinygrad", tinygrad_runner),
}
"""Each reader: the package whose version is named, and how a file is opened."""


if __name__ == "__main__":
    main()
