"""The loop: it trains, stops, continues bit for bit, and names a loss that is not finite."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from alexnet.devices import Device
from alexnet.errors import Diverged, Interrupted, RunError
from alexnet.nn import FullyConnected, gaussian
from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.training import (
    Checkpoint,
    PaperMomentum,
    Rates,
    SaveDue,
    SaveEvery,
    Schedule,
    StepDone,
    Stepper,
    StopRequest,
    Training,
    Validation,
    make_loss,
    train_epochs,
)
from alexnet.training.checkpoint import read_checkpoint, write_checkpoint

DEVICE = Device(kind="cpu", processor="test", precision="fp32", threads=1, reason="test")
STEPS = 5


@dataclass
class Images:
    images: torch.Tensor
    labels: torch.Tensor
    share: None = None


def batches(epoch, start):
    for step in range(start, STEPS):
        generator = torch.Generator().manual_seed(100 * epoch + step)
        images = torch.randn(6, 3, 4, 4, generator=generator)
        yield Images(images, (images.mean(dim=(1, 2, 3)) > 0).long())


def training(**changes):
    torch.manual_seed(3)
    network = nn.Sequential()
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc1", nn.Linear(48, 8))
    network.add_module("relu1", nn.ReLU())
    network.add_module("drop1", nn.Dropout(0.5))
    network.add_module("fc2", nn.Linear(8, 2))
    recipe = Recipe(**{"epochs": 3, "lr": 0.05, "schedule": "constant", **changes})

    return Training(
        stepper=Stepper(network, make_loss("softmax"), PaperMomentum(network, recipe)),
        schedule=Schedule(recipe, STEPS),
        batches=batches,
        device=DEVICE,
        seed=1,
        validator=Validator(network),
    )


@dataclass
class Validator:
    network: nn.Module

    def validate(self):
        self.network.eval()
        return Validation(loss=0.5, error=0.25, top5_error=0.0)


def run(made, *, stop_at=None, save=None, save_every=SaveEvery()):  # noqa: B008
    """Train to the end; with `stop_at` a stop is asked for after so many steps."""
    stop, epochs, steps = StopRequest(), [], 0
    for event in train_epochs(made, save_every, stop):
        match event:
            case StepDone():
                steps += 1
                if steps == stop_at:
                    stop.reason = "test"
            case SaveDue():
                save()
            case Epoch():
                epochs.append(event)
    return epochs


def test_epochs_are_reported_and_the_loss_falls():
    made = training(epochs=12, lr=0.02)
    made.batches = lambda epoch, start: batches(0, start)
    epochs = run(made)
    assert [each.epoch for each in epochs] == list(range(1, 13))
    assert epochs[-1].step == 12 * STEPS
    assert epochs[-1].train_loss < epochs[0].train_loss
    assert epochs[0].val_error == 0.25
    assert epochs[0].best
    assert not epochs[1].best
    assert made.schedule.plan.stop_reason == "12 epochs are done"


@pytest.mark.parametrize("stop_at", range(1, 15))
def test_stopped_at_any_step_it_continues_to_the_same_bits(tmp_path, stop_at):
    whole = training()
    wanted = run(whole)
    first, second = training(), training()
    with pytest.raises(Interrupted, match=f"Stopped by test after step {stop_at}"):
        run(first, stop_at=stop_at)
    write_checkpoint(tmp_path / "saved", first.checkpoint())
    second.restore(read_checkpoint(tmp_path / "saved"))
    again = run(second)
    for a, b in zip(
        whole.network.state_dict().values(), second.network.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)
    for a, b in zip(
        whole.optimizer.state().values(), second.optimizer.state().values(), strict=True
    ):
        assert torch.equal(a, b)
    assert [e.train_loss for e in wanted[-len(again) :]] == [e.train_loss for e in again]


def test_a_loss_that_is_not_finite_is_named_with_its_steps():
    made = training(lr=1e30, weight_decay=0.0)
    with pytest.raises(Diverged, match=r"between steps 1 and 5 \(epoch 1, rate 1e\+30"):
        run(made)


def test_a_save_is_due_by_steps():
    made, saved = training(epochs=2), []
    run(made, save_every=SaveEvery(steps=3), save=lambda: saved.append(made.state.step))
    assert saved == [3, 6, 9]


def test_a_stop_ends_a_validation_and_the_epoch_is_ended_by_who_goes_on(tmp_path):
    whole, made, stop = training(), training(), StopRequest()
    wanted = run(whole)

    class Stopped:
        def validate(self):
            stop.request("test")
            raise AssertionError("goes on")

    made.validator = Stopped()
    with pytest.raises(Interrupted, match=f"Stopped by test after step {STEPS}"):
        list(train_epochs(made, SaveEvery(), stop))
    write_checkpoint(tmp_path / "saved", made.checkpoint())
    made = training()
    made.restore(read_checkpoint(tmp_path / "saved"))
    assert (made.state.epoch, made.state.step_in_epoch) == (0, STEPS)
    assert [e.train_loss for e in run(made)] == [e.train_loss for e in wanted]


def test_a_stop_between_epochs_makes_no_further_step():
    made, stop = training(), StopRequest()
    events = train_epochs(made, SaveEvery(), stop)
    assert any(isinstance(event, Epoch) for event in events)
    stop.request("test")
    with pytest.raises(Interrupted, match=f"Stopped by test after step {STEPS}"):
        next(events)
    assert made.state.step == STEPS


def test_the_tensors_of_another_network_are_an_error():
    made, other = training(), training()
    other.network.fc2 = nn.Linear(8, 3)
    with pytest.raises(RunError, match="holds other tensors than the network has"):
        other.restore(made.checkpoint())
    checkpoint = made.checkpoint()
    del checkpoint.tensors["velocity.fc1.bias"]
    with pytest.raises(RunError, match="start again with --restart"):
        made.restore(checkpoint)


def test_global_dropout_state_does_not_matter():
    first, second = training(), training()
    run(first)
    torch.manual_seed(999)
    run(second)
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_checkpoint_holds_network_velocity_and_plan():
    made = training()
    run(made)
    checkpoint = made.checkpoint()
    assert isinstance(checkpoint, Checkpoint)
    assert {name.split(".")[0] for name in checkpoint.tensors} == {"network", "velocity"}
    assert checkpoint.state["schedule"]["stop_reason"]
    assert checkpoint.state["seed"] == 1


def test_steps_within_the_backward_pass_give_the_same_bits_and_keep_no_gradient():
    """Rates of zero, frozen layers, biases with rates of their own: as by steps after the pass."""
    recipe = Recipe(lr=0.1, momentum=0.9, weight_decay=0.01)
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(6, 5, generator=generator), torch.arange(6) % 3
    results, most = [], []
    for in_backward in (False, True):
        torch.manual_seed(1)
        network = torch.nn.Sequential(
            torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 8), torch.nn.Linear(8, 3)
        )
        network[2].weight.requires_grad_(False)
        optimizer = PaperMomentum(network, recipe)
        counts = []
        network[0].weight.register_post_accumulate_grad_hook(
            lambda _, own=network, seen=counts: seen.append(
                sum(each.grad is not None for each in own.parameters())
            )
        )
        stepper = Stepper(network, make_loss("softmax"), optimizer, in_backward=in_backward)
        device = Device(kind="cpu", processor="", precision="fp32", threads=1, reason="")
        batch = SimpleNamespace(images=images, labels=labels, share=None)
        losses = [
            stepper(batch, Rates(rate, 2 * rate, epoch=0), 0, device)[0] for rate in (0.1, 0.0, 0.2)
        ]
        results.append([*losses, *network.parameters(), *optimizer.state().values()])
        most.append(max(counts))
        assert all(each.grad is None for each in network.parameters())
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    assert most[1] <= 2 < most[0]


class Order:
    """A stand-in for an event: says when the step asks for it, and how the weights are then."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight, self.asked = weight, []

    def wait(self) -> None:
        self.asked.append(self.weight.detach().clone())


@pytest.mark.parametrize("large", [False, True])
def test_large_layers_change_row_by_row_with_the_same_bits(large, monkeypatch):
    monkeypatch.setattr("alexnet.training.optimizer._LARGE", 1 if large else 1 << 40)
    recipe, results = Recipe(lr=0.1, momentum=0.9, weight_decay=0.01), []
    images = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    batch = SimpleNamespace(images=images, labels=torch.arange(6) % 3, share=None)
    for in_backward in (False, True):
        layers = [FullyConnected(5, 1300), torch.nn.ReLU(), FullyConnected(1300, 3)]
        for seed, layer in enumerate(layers[::2]):
            gaussian(layer, 0.1, 0.5, generator=torch.Generator().manual_seed(seed))
        network = torch.nn.Sequential(*layers)
        optimizer, gradients = PaperMomentum(network, recipe), []
        layers[0].weight.register_post_accumulate_grad_hook(
            lambda parameter, seen=gradients: seen.append(parameter.grad is not None)
        )
        stepper = Stepper(network, make_loss("softmax"), optimizer, in_backward=in_backward)
        device = Device(kind="cpu", processor="", precision="fp32", threads=1, reason="")
        for rate in (0.1, 0.0, 0.2):
            stepper(batch, Rates(rate, 2 * rate, epoch=0), 0, device)
        results.append([*network.parameters(), *optimizer.state().values()])
        assert any(gradients) is not (large and in_backward)  # no whole gradient was made
        assert all(layer.take_rows is None for layer in layers[::2])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_a_step_changes_nothing_until_its_checkpoint_is_written():
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Linear(5, 3))
    optimizer = PaperMomentum(network, Recipe(lr=0.1))
    stepper = Stepper(network, make_loss("softmax"), optimizer, in_backward=True)
    device = Device(kind="cpu", processor="", precision="fp32", threads=1, reason="")
    batch = SimpleNamespace(images=torch.randn(6, 5), labels=torch.arange(6) % 3, share=None)
    before, order = network[0].weight.detach().clone(), Order(network[0].weight)
    stepper.hold(order)
    for _ in range(2):
        stepper(batch, Rates(0.1, 0.1, epoch=0), 0, device)
    assert len(order.asked) == 1  # the second step waits for nothing
    assert torch.equal(order.asked[0], before)
    assert not torch.equal(network[0].weight, before)
    assert stepper.waited_s > 0
