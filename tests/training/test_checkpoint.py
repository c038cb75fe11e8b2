"""Checkpoints: round trip, others can read them, every damaged byte is noticed; when due."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from alexnet.errors import RecipeError, RunError
from alexnet.training.checkpoint import (
    Checkpoint,
    SaveEvery,
    read_checkpoint,
    read_state,
    write_checkpoint,
)


def make(value: float = 7) -> Checkpoint:
    tensors = {
        "w": torch.full((2, 3, 4, 4), value).to(memory_format=torch.channels_last),
        "count": torch.tensor(3),
        "half": torch.tensor([1.5, -2.0, 3.0], dtype=torch.bfloat16),
        "flags": torch.tensor([True, False, True]),
        "none": torch.zeros(0, 5),
    }
    return Checkpoint(tensors, {"step": int(value), "third": 1 / 3, "zeros": "0" * 64})


def test_round_trip_is_bit_exact(tmp_path):
    made = make()
    write_checkpoint(tmp_path / "c", made)
    found = read_checkpoint(tmp_path / "c")
    assert found.state == made.state == read_state(tmp_path / "c")
    assert found.tensors.keys() == made.tensors.keys()
    for name, tensor in made.tensors.items():
        assert torch.equal(found.tensors[name], tensor)
        assert found.tensors[name].dtype == tensor.dtype


def test_others_read_it_as_safetensors(tmp_path):
    write_checkpoint(tmp_path / "c", make())
    found = load_file(tmp_path / "c")
    assert torch.equal(found["w"], torch.full((2, 3, 4, 4), 7.0))
    assert found["half"].tolist() == [1.5, -2.0, 3.0]


def test_the_same_state_gives_the_same_bytes(tmp_path):
    write_checkpoint(tmp_path / "a", make())
    shuffled = make()
    shuffled.tensors = dict(reversed(shuffled.tensors.items()))
    write_checkpoint(tmp_path / "b", shuffled)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tensors_may_change_as_soon_as_they_were_written(tmp_path):
    made, seen = make(), {}
    write_checkpoint(tmp_path / "a", make())

    def change(places):
        for name, place in places.items():
            seen[name] = (place.dtype, place.shape, b"".join(place.portions()))
            made.tensors[name].zero_()

    write_checkpoint(tmp_path / "b", made, written=change)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    for name, tensor in make().tensors.items():
        rows = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        assert seen[name] == (tensor.dtype, tensor.shape, rows)


def test_what_is_wrong_after_the_tensors_were_written_leaves_the_old_file(tmp_path):
    write_checkpoint(tmp_path / "c", make(1))

    def full(places):
        raise RunError("the disk is full")

    with pytest.raises(RunError, match="the disk is full"):
        write_checkpoint(tmp_path / "c", make(2), written=full)
    assert read_checkpoint(tmp_path / "c").state["step"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["c"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "c"
    write_checkpoint(path, make())
    return path.read_bytes()


@given(data=st.data())
@settings(max_examples=60, deadline=None, database=None)
def test_any_damage_is_noticed(whole, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged"
    place = data.draw(st.integers(0, len(whole) - 1), label="place")
    kind = data.draw(st.sampled_from(["flip", "cut", "zeros", "longer"]), label="kind")
    content = bytearray(whole)
    if kind == "flip":
        content[place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    elif kind == "cut":
        del content[place:]
    elif kind == "zeros":
        content[place:] = bytes(len(whole) - place)
    else:
        content += b"\0"
    path.write_bytes(content)
    if bytes(content) == whole:
        assert read_checkpoint(path).state["step"] == 7
        return
    with pytest.raises(RunError, match="damaged is damaged: its checksum does not fit"):
        read_checkpoint(path)
    read_state(path)  # never raises


def test_what_is_no_checkpoint_is_a_sentence(tmp_path):
    save_file({"w": torch.zeros(1)}, tmp_path / "plain")
    for path in (tmp_path / "plain", tmp_path / "text"):
        (tmp_path / "text").write_text(json.dumps({"a": 1}))
        with pytest.raises(RunError, match="is damaged"):
            read_checkpoint(path)
        assert read_state(path) == {}
    with pytest.raises(RunError, match="cannot be read: No such file"):
        read_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("text", "every"),
    [
        (10.0, SaveEvery(minutes=10)),
        (1, SaveEvery(minutes=1)),
        ("0.5", SaveEvery(minutes=0.5)),
        ("10m", SaveEvery(minutes=10)),
        ("3 minutes", SaveEvery(minutes=3)),
        ("500 steps", SaveEvery(steps=500)),
        ("1step", SaveEvery(steps=1)),
    ],
)
def test_save_every_reads_minutes_and_steps(text, every):
    assert SaveEvery.parse(text) == every


@pytest.mark.parametrize(
    "text", [0, -1, "nan", "inf", "500s", "2.5 steps", "0 steps", "often", "", "1e", True]
)
def test_any_other_save_every_is_a_sentence(text):
    with pytest.raises(RecipeError, match=r"save_every must be minutes above 0, such as 10 .* got"):
        SaveEvery.parse(text)


def test_when_a_checkpoint_is_due():
    assert SaveEvery(minutes=2).is_due(1, 120)
    assert not SaveEvery(minutes=2).is_due(1, 119)
    assert [step for step in range(1, 10) if SaveEvery(steps=3).is_due(step, 1e9)] == [3, 6, 9]
