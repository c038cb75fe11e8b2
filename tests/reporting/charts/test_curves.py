import itertools
import re

import pytest

from alexnet.reporting.charts.curves import TrainingCharts, lr_drops, spans_decades


def drawn(epochs, recipe=None, classes=10) -> str:
    return "".join(map("".join, TrainingCharts(epochs, recipe or {}, classes).svgs()))


def test_a_lower_rate_is_a_drop_only_where_the_schedule_drops(epoch_of):
    rates = (0.01, 0.01, 0.001, 0.001, 0.0001)
    epochs = [epoch_of(e, lr=rate) for e, rate in enumerate(rates, 1)]
    assert lr_drops(epochs, {"schedule": "plateau"}) == [3, 5]
    assert lr_drops(epochs, {"schedule": "steps"}) == [3, 5]
    assert lr_drops(epochs, {"schedule": "cosine"}) == []
    assert lr_drops(epochs, {}) == []


def test_charts_tell_their_ends_and_the_best_epoch(epoch_of):
    epochs = [
        epoch_of(e, val_error=v, best=b)
        for e, v, b in ((1, 0.4, True), (2, 0.1, True), (3, 0.2, False))
    ]
    charts = drawn(epochs)
    assert "Training loss from 2 to 0.6667, validation loss from 2.1 to 0.7." in charts
    assert "best validation error 10.0\u202f% after epoch 2" in charts
    assert "val. top-5" in charts
    assert "val. top-5" not in drawn(epochs, classes=5)


def test_without_validation_the_charts_are_of_training_alone(epoch_of):
    nothing = {"val_loss": None, "val_error": None, "val_top5_error": None}
    charts = drawn([epoch_of(1, **nothing), epoch_of(2, **nothing)])
    assert "validation" not in charts
    assert charts.count("<svg") == 3


def test_figures_that_are_not_finite_leave_a_gap(epoch_of):
    nan = float("nan")
    assert "nan" not in drawn([epoch_of(1), epoch_of(2, train_loss=nan)]).lower()
    lost = [epoch_of(1, train_loss=nan, val_loss=None)]
    title, svg = TrainingCharts(lost, {}, 3).svgs()[0]
    assert (title, svg) == ("Loss, nats", "")


@pytest.mark.parametrize("rates", [[0.1], [0.0], [0.0, 0.0], [5.0, 5.0]])
def test_few_or_equal_values_can_be_drawn(epoch_of, rates):
    charts = drawn([epoch_of(e, lr=lr) for e, lr in enumerate(rates, 1)])
    assert "nan" not in charts
    assert "inf" not in charts


def test_gaps_break_the_line_and_an_isolated_value_is_a_dot(epoch_of):
    values = [1.0, 0.5, None, 0.3, None]
    nothing = {"val_error": None, "val_top5_error": None, "best": False}
    epochs = [epoch_of(e, val_loss=v, **nothing) for e, v in enumerate(values, 1)]
    loss = TrainingCharts(epochs, {}, 3).svgs()[0][1]
    line = re.search(r'<path d="(M[^"]+)"[^>]*rgb\(var\(--correct\)\)', loss)
    assert line
    assert line[1].count("L") == 1
    assert len(re.findall(r"<use [^>]*rgb\(var\(--correct\)\)", loss)) == 1


def test_a_dropping_rate_is_drawn_as_steps(epoch_of):
    epochs = [epoch_of(e, lr=lr) for e, lr in enumerate((0.01, 0.01, 0.001), 1)]
    svg = TrainingCharts(epochs, {"schedule": "plateau"}, 3).svgs()[2][1]
    line = re.search(r'd="M ([^"]+)" style="[^"]*stroke: var\(--ink\)', svg)
    assert line
    points = [tuple(map(float, each.split())) for each in line[1].split(" L ")]
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(points))


def test_losses_that_span_decades_stand_on_a_logarithmic_axis(epoch_of):
    near = [epoch_of(1, train_loss=2.0, val_loss=2.0), epoch_of(2, train_loss=0.5, val_loss=0.6)]
    far = [*near, epoch_of(3, train_loss=0.001, val_loss=0.2)]
    assert not spans_decades(near)
    assert "Loss, nats, logarithmic" in TrainingCharts(far, {}, 3).titles()
    ticks = re.findall(r">([^<>]+)</text>", TrainingCharts(far, {}, 3).svgs()[0][1])
    assert {"0.001", "0.01", "0.1", "1"} <= set(ticks)
    assert not spans_decades([*far, epoch_of(4, train_loss=0.0, val_loss=float("nan"))])


def test_names_at_the_right_end_keep_their_distance(epoch_of):
    epochs = [epoch_of(e, train_error=0.5, val_error=0.501, val_top5_error=0.499) for e in (1, 2)]
    svg = TrainingCharts(epochs, {}, 10).svgs()[1][1]
    names = re.findall(r'<text [^>]* y="([\d.]+)">(train|validation|val. top-5)<', svg)
    spots = sorted(float(y) for y, _ in names)
    assert len(spots) == 3
    assert all(b - a >= 13.9 for a, b in itertools.pairwise(spots))
