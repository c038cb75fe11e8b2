"""The step as one graph, driven on a processor by stand-ins for a CUDA graph.

One calls the step again. The other does what a CUDA graph does: it records the operators with their
numbers and repeats them on the same memory, so that whatever Python decides anew would be missed.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from alexnet.devices import Device, choose_device
from alexnet.errors import Diverged, Interrupted
from alexnet.models import build_model
from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.studies.lr_finder import range_test
from alexnet.training import (
    PaperMomentum,
    Rates,
    SaveEvery,
    Schedule,
    StepDone,
    Stepper,
    StopRequest,
    Training,
    Validation,
    capture_for,
    class_weights,
    make_loss,
    train_epochs,
)
from alexnet.training.checkpoint import read_checkpoint, write_checkpoint
from alexnet.training.cuda_graph import cuda_graph

STEPS, BATCH, LAST = 4, 6, 3  # the last batch of an epoch is short
PIXELS = {"cifar_26pct": 16, "alexnet_small": 24}


def device(precision="fp32", kind="cpu"):
    return Device(kind=kind, processor="test", precision=precision, threads=1, reason="test")


@dataclass
class Images:
    images: torch.Tensor
    labels: torch.Tensor
    share: None = None


class Loader:
    """Random images that are a function of epoch and step, channels last."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, epoch, start):
        for step in range(start, STEPS):
            generator = torch.Generator().manual_seed(100 * epoch + step)
            count = LAST if step == STEPS - 1 else BATCH
            images = torch.randn(count, 3, self.side, self.side, generator=generator)
            labels = torch.randint(0, 4, (count,), generator=generator)
            yield Images(images.contiguous(memory_format=torch.channels_last), labels)


class Tape(TorchDispatchMode):
    """Every operator below autograd with what it was given and what it gave."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, found))
        return found


def recorded(function):
    """A CUDA graph's twin: warm up, record, and repeat on the same memory with the same numbers."""
    function()
    with Tape() as tape:
        function()

    @torch.no_grad()
    def replay():
        for func, args, kwargs, found in tape.calls:
            again = func(*args, **kwargs)
            several = isinstance(found, list | tuple)
            for new, old in zip(again, found, strict=True) if several else [(again, found)]:
                if isinstance(old, torch.Tensor) and new.data_ptr() != old.data_ptr():
                    old.copy_(new)

    return replay


def again(function):
    """The simplest graph: warm-up runs, and then the function itself."""
    for _ in range(3):
        function()
    return function


class Counting:
    def __init__(self, capture):
        self.capture, self.count = capture, 0

    def __call__(self, function):
        self.count += 1
        return self.capture(function)


@pytest.fixture
def operators_alone(monkeypatch):
    """Leave out the compiled kernels, which a tape cannot see."""
    monkeypatch.setattr("alexnet.nn.response_norm.norm_kernels", lambda kind: None)
    monkeypatch.setattr("alexnet.nn.pooling.pool_kernels", lambda: None)
    monkeypatch.setattr("alexnet.training.optimizer._fused_momentum", lambda: None)


@pytest.fixture(params=["again", "recorded"])
def twin(request):
    """A capture, and whether rates lie in memory, as on a GPU."""
    if request.param == "recorded":
        request.getfixturevalue("operators_alone")
        return recorded, True
    return again, False


def training(
    capture=None,
    *,
    model="cifar_26pct",
    on_device=False,
    precision="fp32",
    kind="cpu",
    weighted=False,
    **fields,
):
    side = PIXELS[model]
    network = build_model(
        model, classes=4, image_px=side + 4, crop_px=side, initialization="he", seed=1
    )
    place = device(precision, kind)
    place.place(network)
    recipe = Recipe(
        **{"epochs": 2, "lr": 0.02, "schedule": "cosine", "bias_lr_ratio": 2.0, **fields}
    )
    weights = class_weights(np.array([0, 1, 1, 2, 3, 3]), 4) if weighted else None
    optimizer = PaperMomentum(network, recipe, rates_on_device=on_device)
    loss = make_loss("softmax", weights)
    return Training(
        stepper=Stepper(network, loss, optimizer, capture, "not asked for"),
        schedule=Schedule(recipe, STEPS),
        batches=Loader(side),
        device=place,
        seed=5,
        validator=Validator(network),
    )


class Validator:
    """Gives errors that fall and rise again."""

    def __init__(self, network):
        self.network, self.errors = network, iter([0.5, 0.4, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7])

    def validate(self):
        self.network.eval()
        error = next(self.errors)
        return Validation(loss=error, error=error, top5_error=0.0)


def run(made, *, stop_at=None):
    """Train to the end; with `stop_at` a stop is asked for after so many steps."""
    stop, epochs, steps = StopRequest(), [], 0
    for event in train_epochs(made, SaveEvery(), stop):
        if isinstance(event, Epoch):
            epochs.append(event)
        elif isinstance(event, StepDone):
            steps += 1
            if steps == stop_at:
                stop.reason = "test"
    return [(e.epoch, e.step, e.lr, e.train_loss, e.train_error) for e in epochs]


def tensors(made):
    return {**made.network.state_dict(), **made.optimizer.state(), "sums": made.stepper.sums}


def assert_same(one, other):
    for (name, a), b in zip(tensors(one).items(), tensors(other).values(), strict=True):
        assert torch.equal(a, b), name


def assert_trains_alike(twin, *, captures, **options):
    """Train operator by operator and by graphs; every bit has to be the same."""
    capture, on_device = twin
    counting = Counting(capture)
    plain = training(on_device=on_device, **options)
    graphed = training(counting, on_device=on_device, **options)
    assert run(graphed) == run(plain)
    assert_same(graphed, plain)
    assert counting.count == captures
    assert graphed.stepper.form == "the step as one CUDA graph"
    assert plain.stepper.form == "the step operator by operator (not asked for)"


@pytest.mark.parametrize("model", PIXELS)
def test_graphs_train_to_the_same_bits(twin, model):
    assert_trains_alike(twin, captures=1, model=model, epochs=3, warmup_epochs=1)


@pytest.mark.parametrize(
    ("captures", "fields"),
    [
        (1, {"schedule": "plateau", "patience": 1, "max_lr_drops": 2, "epochs": 6}),
        (1, {"schedule": "steps", "milestones": (1, 2), "bias_lr_drops": 1, "epochs": 3}),
        (2, {"layer_lr": ("conv1=0", "conv2@1=0", "conv3@1=0.1"), "epochs": 3}),
        (2, {"layer_lr": ("bn1=0", "bn2@1=0"), "model": "alexnet_small"}),
        (1, {"bias_lr_ratio": 0.0}),
        (1, {"weighted": True, "layer_momentum": ("conv2=0.5",), "bias_weight_decay": False}),
        (1, {"precision": "bf16"}),
    ],
    ids=["plateau", "steps", "frozen", "frozen norms", "biases stay", "weighted", "bf16"],
)
def test_whatever_the_recipe_says_the_bits_are_the_same(twin, captures, fields):
    assert_trains_alike(twin, captures=captures, **fields)


@pytest.mark.parametrize("stop_at", [1, 3, 4, 6])
def test_stopped_and_continued_they_are_the_same_too(twin, tmp_path, stop_at):
    capture, on_device = twin
    whole = training(on_device=on_device, model="alexnet_small")
    wanted = run(whole)
    first = training(capture, on_device=on_device, model="alexnet_small")
    with pytest.raises(Interrupted):
        run(first, stop_at=stop_at)
    write_checkpoint(tmp_path / "saved", first.checkpoint())
    counting = Counting(capture)
    second = training(counting, on_device=on_device, model="alexnet_small")
    second.restore(read_checkpoint(tmp_path / "saved"))
    assert run(second) == wanted[stop_at // STEPS if stop_at % STEPS else stop_at // STEPS - 1 :]
    assert_same(second, whole)
    assert counting.count == (2 if stop_at == 3 else 1), "a short batch first, then a whole one"


def test_a_checkpoint_that_is_read_while_a_graph_is_there_holds_for_it(twin, tmp_path):
    capture, on_device = twin
    made = training(capture, on_device=on_device, epochs=3)
    wanted = run(made)
    write_checkpoint(tmp_path / "begun", training(on_device=on_device, epochs=3).checkpoint())
    counting = made.stepper._graph._capture = Counting(capture)
    made.restore(read_checkpoint(tmp_path / "begun"))
    made.validator = Validator(made.network)
    assert [e[:4] for e in run(made)] == [e[:4] for e in wanted]
    assert counting.count == 0


def one_step(made, number=0):
    made.network.train()
    made.optimizer.prepare(0)
    batch = next(iter(made.batches(0, number)))
    return made.stepper(batch, Rates(0.01, 0.02, 0), 7 + number, made.device)


def test_nothing_is_left_of_warming_up_but_the_step(twin):
    capture, on_device = twin
    plain, graphed = (
        training(each, on_device=on_device, model="alexnet_small") for each in (None, capture)
    )
    places = [each.data_ptr() for each in tensors(graphed).values()]
    for number in range(3):
        answers, streams = [], []
        for made in (plain, graphed):
            answers.append([float(each) for each in one_step(made, number)])
            streams.append(torch.get_rng_state())
        assert answers[0] == answers[1]
        assert torch.equal(*streams)
        assert_same(graphed, plain)
    assert all(each.grad is None for each in graphed.network.parameters())
    assert places == [each.data_ptr() for each in tensors(graphed).values()]


def refuses(function):
    function()
    raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might")


def breaks_off(function):
    class Refusing(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.convolution_backward.default:
                raise RuntimeError("operation not permitted when stream is capturing")
            return func(*args, **(kwargs or {}))

    with Refusing():
        function()


def forgets(function):
    function()
    return lambda: None


def draws_anew(function):
    def replay():
        torch.manual_seed(0)
        function()

    return replay


def makes_nothing_of_it(function):
    def replay():
        function()
        learnt = [each for each in MADE[0].network.parameters() if each.dim() > 1]
        with torch.no_grad():
            learnt[0].fill_(float("nan"))

    return replay


MADE = []


@pytest.mark.parametrize(
    ("capture", "words"),
    [
        (refuses, "capturing it failed: operation not permitted when stream is capturing. Its"),
        (breaks_off, "capturing it failed: operation not permitted"),
        (forgets, "a graph of it gave other results: conv1.weight by 1 of the step"),
        (draws_anew, "a graph of it gave other results: "),
        (makes_nothing_of_it, "a graph of it gave other results: conv1.weight by nan of the step"),
    ],
)
def test_a_graph_that_fails_or_errs_is_given_up_and_training_is_what_it_was(caplog, capture, words):
    plain = training(model="alexnet_small")
    made = training(capture, model="alexnet_small")
    MADE[:] = [made]
    with caplog.at_level(logging.WARNING):
        assert run(made) == run(plain)
    assert_same(made, plain)
    (said,) = caplog.messages
    assert words in said
    assert said.startswith("The training step is not used as one CUDA graph: ")
    assert made.stepper.form.startswith("the step operator by operator (")
    assert all(each.grad is None for each in made.network.parameters())


def test_a_graph_that_errs_leaves_the_random_stream_where_it_was():
    streams = []
    for capture in (None, draws_anew):
        one_step(training(capture, model="alexnet_small"))
        streams.append(torch.get_rng_state())
    assert torch.equal(*streams)


def test_memory_that_is_lacking_for_a_graph_is_no_end(caplog, monkeypatch):
    made, plain = training(again), training()
    lacking = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB.\nProcess")
    monkeypatch.setattr(
        made.stepper._graph, "_copies", lambda: (_ for _ in ()).throw(lacking), raising=True
    )
    assert run(made) == run(plain)
    assert_same(made, plain)
    assert "failed: CUDA out of memory. Tried to allocate 1.00 GiB. Its" in caplog.text


def test_the_twin_would_notice_a_rate_that_was_frozen_into_the_graph(operators_alone):
    plain, made = training(), training(recorded)
    assert run(plain) != run(made)


def test_a_loss_that_is_not_finite_is_left_to_the_loop(caplog):
    made = training(again, lr=1e30, schedule="constant")
    with pytest.raises(Diverged, match="no longer finite"):
        run(made)
    assert not caplog.messages


def test_batches_of_another_layout_are_stepped_operator_by_operator(twin):
    capture, on_device = twin
    counting = Counting(capture)
    plain, graphed = (training(each, on_device=on_device) for each in (None, counting))

    def batches(epoch, start):
        for step, batch in enumerate(Loader(16)(epoch, start)):
            images = batch.images.contiguous() if step == 2 else batch.images
            yield Images(images, batch.labels)

    plain.batches = graphed.batches = batches
    assert run(graphed) == run(plain)
    assert_same(graphed, plain)
    assert counting.count == 1


def test_a_range_test_sees_the_same_losses(twin, monkeypatch):
    # six random images a step: the fall is hidden by what they differ by
    monkeypatch.setattr(sys.modules[range_test.__module__], "_MIN_FALL_NOISE", 0.0)
    capture, on_device = twin
    found = []
    for each in (None, capture):
        made = training(each, on_device=on_device)
        found.append(range_test(SimpleNamespace(training=made, recipe=Recipe(bias_lr_ratio=2.0))))
    assert found[0] == found[1]
    assert len(found[0].losses) > 40


def test_who_gets_graphs_and_who_is_told_why_not():
    assert capture_for(device(), own=True) == (None, "only GPUs have graphs")
    card = device(kind="cuda")
    assert capture_for(card, own=True)[0] is cuda_graph
    assert capture_for(card, own=False) == (
        None,
        "the network is an external model",
    )


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", PIXELS)
def test_on_a_card_a_cuda_graph_trains_as_its_operators_do(model, precision):
    choose_device(precision)
    options = {"model": model, "precision": precision, "kind": "cuda", "on_device": None}
    counting = Counting(cuda_graph)
    plain, graphed = training(**options, epochs=3), training(counting, **options, epochs=3)
    found, wanted = run(graphed), run(plain)
    assert graphed.stepper.form == "the step as one CUDA graph"
    assert counting.count == 1
    assert [each[3] for each in found] == pytest.approx([each[3] for each in wanted], rel=0.02)
    again = training(Counting(cuda_graph), **options, epochs=3)
    assert run(again) == found
    assert_same(again, graphed)
