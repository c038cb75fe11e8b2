import re

from alexnet.reporting.charts.curves import cuts_of, draw_curves, epoch_table


def test_a_falling_rate_is_a_cut_only_where_the_schedule_cuts(epoch_of):
    rates = (0.01, 0.01, 0.001, 0.001, 0.0001)
    epochs = [epoch_of(e, lr=rate) for e, rate in enumerate(rates, 1)]
    assert cuts_of(epochs, {"schedule": "plateau"}) == [3, 5]
    assert cuts_of(epochs, {"schedule": "steps"}) == [3, 5]
    assert cuts_of(epochs, {"schedule": "cosine"}) == []
    assert cuts_of(epochs, {}) == []


def test_curves_tell_their_ends_and_the_best_epoch(epoch_of):
    epochs = [
        epoch_of(e, val_error=v, best=b)
        for e, v, b in ((1, 0.4, True), (2, 0.1, True), (3, 0.2, False))
    ]
    drawn = draw_curves(epochs, {}, classes=10)
    assert "Training loss from 2 to 0.6667, validation loss from 2.1 to 0.7." in drawn
    assert "best validation error 10.0\u202f% after epoch 2" in drawn
    assert "val. top-5" in drawn
    assert "Epoch 2<span>the weights that were kept" in drawn
    assert "val. top-5" not in draw_curves(epochs, {}, classes=5)


def test_without_validation_the_curves_are_of_training_alone(epoch_of):
    nothing = {"val_loss": None, "val_error": None, "val_top5_error": None}
    drawn = draw_curves([epoch_of(1, **nothing), epoch_of(2, **nothing)], {}, classes=10)
    assert "validation" not in drawn
    assert drawn.count("<svg") == 3


def test_figures_that_are_not_finite_leave_a_gap(epoch_of):
    nan = float("nan")
    drawn = draw_curves([epoch_of(1), epoch_of(2, train_loss=nan, images_per_s=nan)], {}, classes=3)
    assert "nan" not in drawn.lower()
    assert "–" in drawn


def test_many_epochs_are_thinned_and_the_last_stays(epoch_of):
    table = epoch_table([epoch_of(e, best=False) for e in range(1, 1001)])
    rows = [int(each) for each in re.findall(r'<th scope="row">(\d+)</th>', table)]
    assert len(rows) <= 201
    assert rows[0] == 1
    assert rows[-1] == 1000


def test_losses_that_fall_far_stand_on_powers_of_ten(epoch_of):
    near = [epoch_of(1, train_loss=2.0, val_loss=2.0), epoch_of(2, train_loss=0.5, val_loss=0.6)]
    far = [*near, epoch_of(3, train_loss=0.001, val_loss=0.2)]
    assert "in powers of ten" not in draw_curves(near, {}, classes=3)
    assert "in powers of ten" in draw_curves(far, {}, classes=3)
    nothing = [*far, epoch_of(4, train_loss=0.0, val_loss=float("nan"))]
    assert "in powers of ten" not in draw_curves(nothing, {}, classes=3)
