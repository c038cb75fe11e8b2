"""The loop: it learns, stops, continues bit for bit, and names a loss that is not finite."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from alexnet.devices import Device
from alexnet.errors import Diverged, Interrupted, RunError
from alexnet.recipe import Recipe
from alexnet.training import (
    Checkpoint,
    PaperMomentum,
    Schedule,
    StopRequest,
    Training,
    Validation,
    make_objective,
    train_epochs,
)
from alexnet.training.checkpoint import read_checkpoint, write_checkpoint

DEVICE = Device(kind="cpu", processor="test", precision="fp32", threads=1, reason="test")
STEPS = 5


@dataclass
class Pictures:
    images: torch.Tensor
    labels: torch.Tensor


def batches(epoch, start):
    for step in range(start, STEPS):
        generator = torch.Generator().manual_seed(100 * epoch + step)
        images = torch.randn(6, 3, 4, 4, generator=generator)
        yield Pictures(images, (images.mean(dim=(1, 2, 3)) > 0).long())


def training(**changes):
    torch.manual_seed(3)
    network = nn.Sequential()
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc1", nn.Linear(48, 8))
    network.add_module("relu1", nn.ReLU())
    network.add_module("drop1", nn.Dropout(0.5))
    network.add_module("fc2", nn.Linear(8, 2))
    recipe = Recipe(**{"epochs": 3, "lr": 0.05, "schedule": "constant", **changes})

    def validate():
        network.eval()
        return Validation(loss=0.5, error=0.25, top5_error=0.0)

    return Training(
        network=network,
        objective=make_objective("softmax"),
        optimiser=PaperMomentum(network, recipe),
        schedule=Schedule(recipe, STEPS),
        batches=batches,
        device=DEVICE,
        seed=1,
        validate=validate,
    )


def run(made, *, stop=None, on_step=lambda n, loss: None, save=lambda: None, due=lambda: False):
    stop = StopRequest() if stop is None else stop
    return list(train_epochs(made, save=save, save_due=due, stop=stop, on_step=on_step))


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
    assert made.schedule.plan.finished == "12 epochs are done"


@pytest.mark.parametrize("stop_at", range(1, 15))
def test_stopped_at_any_step_it_continues_to_the_same_bits(tmp_path, stop_at):
    whole = training()
    wanted = run(whole)
    stop, first, seen = StopRequest(), training(), []

    def count(pictures, loss):
        seen.append(pictures)
        if len(seen) == stop_at:
            stop.reason = "test"

    with pytest.raises(Interrupted, match=f"Stopped by test after step {stop_at}"):
        run(
            first,
            stop=stop,
            on_step=count,
            save=lambda: write_checkpoint(tmp_path / "saved", first.checkpoint()),
        )
    second = training()
    second.restore(read_checkpoint(tmp_path / "saved"))
    again = run(second)
    for a, b in zip(
        whole.network.state_dict().values(), second.network.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)
    for a, b in zip(
        whole.optimiser.state().values(), second.optimiser.state().values(), strict=True
    ):
        assert torch.equal(a, b)
    assert [e.train_loss for e in wanted[-len(again) :]] == [e.train_loss for e in again]


def test_a_loss_that_is_not_finite_is_named_with_its_steps():
    made = training(lr=1e30, decay=0.0)
    with pytest.raises(Diverged, match=r"between steps 1 and 5 \(epoch 1, rate 1e\+30"):
        run(made)


def test_saves_when_due_and_leaves_epochs_to_who_takes_them_in():
    made, saved = training(epochs=2), []
    run(made, save=lambda: saved.append(made.state.step), due=lambda: made.state.step == 3)
    assert saved == [3]


def test_asked_in_a_validation_it_stops_there_and_the_epoch_is_ended_by_who_goes_on(tmp_path):
    whole, made, stop = training(), training(), StopRequest()
    wanted = run(whole)
    validate = made.validate

    def asked():
        stop.ask("test")
        raise AssertionError("goes on")

    made.validate = asked
    saved = tmp_path / "saved"
    with pytest.raises(Interrupted, match=f"Stopped by test after step {STEPS}"):
        run(made, stop=stop, save=lambda: write_checkpoint(saved, made.checkpoint()))
    made = training()
    made.restore(read_checkpoint(saved))
    assert (made.state.epoch, made.state.step_in_epoch) == (0, STEPS)
    made.validate = validate
    assert [e.train_loss for e in run(made)] == [e.train_loss for e in wanted]


def test_asked_between_epochs_it_makes_no_further_step():
    made, stop, epochs = training(), StopRequest(), []
    loop = train_epochs(
        made, save=lambda: None, save_due=lambda: False, stop=stop, on_step=lambda n, loss: None
    )
    epochs.append(next(loop))
    stop.ask("test")
    with pytest.raises(Interrupted, match=f"Stopped by test after step {STEPS}"):
        epochs.append(next(loop))
    assert made.state.step == STEPS


def test_the_tensors_of_another_network_are_refused():
    made, other = training(), training()
    other.network.fc2 = nn.Linear(8, 3)
    with pytest.raises(RunError, match="holds other tensors than the network has"):
        other.restore(made.checkpoint())
    checkpoint = made.checkpoint()
    del checkpoint.tensors["velocity.fc1.bias"]
    with pytest.raises(RunError, match="start anew with --anew"):
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
    assert checkpoint.state["schedule"]["finished"]
    assert checkpoint.state["seed"] == 1
