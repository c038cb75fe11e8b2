import json
import os
import pickle
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from alexnet.errors import RunError, WeightsError
from alexnet.images import Preprocessing
from alexnet.models import build_model
from alexnet.weights import Weights, load_weights, save_weights


def make_weights(classes: tuple[str, ...] = ("ant", "bee", "crab"), seed: int = 0) -> Weights:
    network = build_model("cifar_26pct", classes=len(classes), seed=seed)
    mean = np.random.default_rng(seed).random((32, 32, 3), dtype=np.float32) * 255
    return Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=classes,
        preprocessing=Preprocessing(
            image_px=32,
            crop_px=32,
            resize_mode="crop",
            order="RGB",
            mean=mean,
            mean_at="crop",
            std=None,
        ),
        class_words={"ant": "a small worker"},
        recipe={"lr": 0.001, "model": "cifar_26pct"},
        results={"top1": 0.5},
    )


@pytest.fixture(scope="module")
def weights() -> Weights:
    return make_weights()


@pytest.fixture
def file(tmp_path: Path, weights: Weights) -> Path:
    save_weights(tmp_path / "w.safetensors", weights)
    return tmp_path / "w.safetensors"


def changed_header(file: Path, **changes: object) -> Path:
    """Write the file again with other values in alexnet's header, tensors as they are."""
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    values = json.loads(header["__metadata__"]["alexnet"]) | changes
    header["__metadata__"]["alexnet"] = json.dumps(values)
    return with_header(file, json.dumps(header).encode(), data[8 + size :])


def with_header(file: Path, header: bytes, rest: bytes) -> Path:
    header += b" " * (-len(header) % 8)
    file.write_bytes(struct.pack("<Q", len(header)) + header + rest)
    return file


def test_round_trip_is_bit_exact(file: Path, weights: Weights) -> None:
    found = load_weights(file)
    assert found.state.keys() == weights.state.keys()
    for name, tensor in weights.state.items():
        assert torch.equal(found.state[name], tensor)
        assert found.state[name].dtype == tensor.dtype
    assert replace(found, state={}) == replace(weights, state={})


def test_weights_in_memory_are_independent_of_the_file(file: Path, weights: Weights) -> None:
    found = load_weights(file)
    file.write_bytes(b"")
    assert all(torch.equal(found.state[name], tensor) for name, tensor in weights.state.items())


def test_same_weights_give_the_same_bytes(tmp_path: Path, file: Path) -> None:
    save_weights(tmp_path / "again", load_weights(file))
    assert (tmp_path / "again").read_bytes() == file.read_bytes()


def test_channels_last_weights_are_written_as_any_others(
    tmp_path: Path, file: Path, weights: Weights
) -> None:
    state = {
        name: each.contiguous(memory_format=torch.channels_last) if each.ndim == 4 else each
        for name, each in weights.state.items()
    }
    save_weights(tmp_path / "again", replace(weights, state=state))
    assert (tmp_path / "again").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_storage_rounds_once_and_reads_as_float32(
    tmp_path: Path, file: Path, weights: Weights, dtype: str
) -> None:
    half = tmp_path / "half.safetensors"
    save_weights(half, weights, dtype=dtype)
    assert half.stat().st_size < 0.7 * file.stat().st_size
    found = load_weights(half)
    for name, tensor in weights.state.items():
        assert found.state[name].dtype == torch.float32
        rounded = tensor.to(getattr(torch, dtype)).float()
        assert torch.equal(found.state[name], rounded if tensor.ndim > 1 else tensor)
    assert found.preprocessing == weights.preprocessing  # the mean image is kept in full
    save_weights(tmp_path / "again", found, dtype=dtype)
    assert (tmp_path / "again").read_bytes() == half.read_bytes()


def test_overflow_of_float16_is_an_error(tmp_path: Path, weights: Weights) -> None:
    state = dict(weights.state)
    state["conv1.bias"] = torch.full_like(state["conv1.bias"], 1e6)  # of one axis: kept in full
    state["conv1.weight"] = torch.full_like(state["conv1.weight"], 1e6)
    with pytest.raises(WeightsError, match=r'"conv1.weight" reaches 1e\+06, which float16 cannot'):
        save_weights(tmp_path / "w", replace(weights, state=state), dtype="float16")
    assert not (tmp_path / "w").exists()


def test_integers_stay_integers(tmp_path: Path, weights: Weights) -> None:
    state = weights.state | {"count": torch.tensor(2**40)}
    save_weights(tmp_path / "w", replace(weights, state=state), dtype="float16")
    assert load_weights(tmp_path / "w").state["count"].equal(torch.tensor(2**40))


def test_weights_without_mean_and_with_odd_names(tmp_path: Path, weights: Weights) -> None:
    plain = replace(
        weights,
        preprocessing=replace(weights.preprocessing, mean=None),
        classes=("größe", "鳥", "bad\udcff"),
        class_words={},
        recipe=None,
        results=None,
    )
    save_weights(tmp_path / "w", plain)
    assert replace(load_weights(tmp_path / "w"), state={}) == replace(plain, state={})


def test_a_run_folder_stands_for_its_best_weights(tmp_path: Path, file: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(WeightsError, match=r"run holds no weights\.safetensors"):
        load_weights(run)
    file.rename(run / "weights.safetensors")
    assert load_weights(run).classes == ("ant", "bee", "crab")


def test_a_missing_file_names_its_neighbors(tmp_path: Path, file: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights file.*Did you mean .w\.safetensors"):
        load_weights(tmp_path / "w.safetensor")
    with pytest.raises(WeightsError, match="no weights file or run folder"):
        load_weights(tmp_path / "no" / "where")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.999])
def test_a_cut_file_is_an_error(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_weights(file)


@pytest.mark.parametrize("length", [0x10080, 0x10480, 0x20580])
def test_a_header_whose_length_looks_like_a_pickle_is_none(file: Path, length: int) -> None:
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    with_header(file, data[8 : 8 + size].ljust(length), data[8 + size :])
    assert file.read_bytes()[0] == pickle.PROTO[0]
    assert load_weights(file).classes == ("ant", "bee", "crab")


def test_a_changed_bit_is_an_error(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    with pytest.raises(WeightsError, match="do not match their checksum"):
        load_weights(file)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, ("touch sprung",))


def test_pickles_are_an_error_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in range(2, 6):
        Path("p").write_bytes(pickle.dumps(Trap(), protocol=protocol))
        with pytest.raises(WeightsError, match="is a pickle, which could run code"):
            load_weights(Path("p"))
    torch.save({"conv1.weight": torch.ones(1)}, "net.pth")
    with pytest.raises(WeightsError, match=r"zip archive, as torch\.save writes, which could run"):
        load_weights(Path("net.pth"))
    torch.save(Trap(), "old.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match="is a pickle"):
        load_weights(Path("old.pth"))
    Path("text").write_bytes(pickle.dumps(Trap(), protocol=0))
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_weights(Path("text"))
    assert not Path("sprung").exists()


def test_other_archives_are_an_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(WeightsError, match="zip archive"):
        load_weights(tmp_path / "a.zip")


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_an_error_with_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.mktemp("bytes") / "w"
    file.write_bytes(data)
    with pytest.raises(WeightsError, match="w"):
        load_weights(file)


def test_a_header_that_lies_about_its_length_is_an_error(file: Path) -> None:
    data = file.read_bytes()
    for size in (0, 7, len(data), 2**40, 2**64 - 1):
        file.write_bytes(struct.pack("<Q", size) + data[8:])
        with pytest.raises(WeightsError, match="not a whole safetensors file"):
            load_weights(file)


def test_absurd_depth_is_an_error(file: Path) -> None:
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    deep = "[" * 100_000 + "]" * 100_000
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["alexnet"] = deep
    with_header(file, json.dumps(header).encode(), data[8 + size :])
    with pytest.raises(WeightsError, match="not whole JSON"):
        load_weights(file)
    with_header(file, b'{"__metadata__":' + deep.encode() + b"}", b"")
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_weights(file)


def test_a_safetensors_file_of_others_is_an_error(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="without alexnet's header"):
        load_weights(tmp_path / "a.safetensors")


def test_preprocessing_that_makes_no_sense_is_an_error(file: Path) -> None:
    changed_header(file, preprocessing={"image_px": "large"})
    with pytest.raises(WeightsError, match="preprocessing in the header of .* cannot be used"):
        load_weights(file)


def test_a_folder_that_cannot_be_written_is_a_run_error(tmp_path: Path, weights: Weights) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(RunError, match="Could not write"):
        save_weights(tmp_path / "taken" / "w.safetensors", weights)


def test_values_that_are_not_json_are_an_error(tmp_path: Path, weights: Weights) -> None:
    for recipe in ({"lr": object()}, {"lr": float("nan")}):
        with pytest.raises(WeightsError, match="holds plain JSON values"):
            save_weights(tmp_path / "w", replace(weights, recipe=recipe))


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["ant", "bee", "\ud800"]},
        {"class_words": {"ant": "half a letter \udbff"}},
        {"class_words": {"\ud800": "a word"}},
    ],
)
def test_lone_surrogates_in_names_are_an_error(file: Path, changes) -> None:
    with pytest.raises(
        WeightsError, match=r"as a name, which is not valid Unicode\. Restore the file"
    ):
        load_weights(changed_header(file, **changes))


def test_names_of_files_that_are_no_unicode_are_kept(file: Path) -> None:
    names = ["ant", "bee", os.fsdecode(b"\xff")]
    assert load_weights(changed_header(file, classes=names)).classes == tuple(names)


@pytest.mark.parametrize("std", [[10**400] * 3, [[]], ["x"], [None] * 3, {}, [1e39] * 3])
def test_a_std_that_is_no_number_is_an_error(file: Path, std) -> None:
    rule = load_weights(file).preprocessing.to_json() | {"std": std}
    with pytest.raises(WeightsError, match="The preprocessing in the header of"):
        load_weights(changed_header(file, preprocessing=rule))


def test_weights_have_a_limit_of_bytes_and_tensors(tmp_path, monkeypatch):
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"t{i}": entry for i in range(2000)}).encode()
    path = tmp_path / "many.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    monkeypatch.setattr("alexnet.weights.file.MAX_TENSORS", 1999)
    with pytest.raises(WeightsError, match="holds 2,000 tensors, and the limit is 1,999"):
        load_weights(path)
    with path.open("r+b") as file:
        file.truncate(17 << 30)
    with pytest.raises(WeightsError, match="has 18.3 GB, and the limit is 17.2 GB"):
        load_weights(path)
