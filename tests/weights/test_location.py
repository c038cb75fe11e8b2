"""Where weights lie: files, run folders, names of bundled weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from alexnet.errors import WeightsError
from alexnet.weights import RUN_WEIGHTS, bundled_file, load_weights, weights_file


def test_a_run_folder_stands_for_its_best_weights(tmp_path):
    with pytest.raises(WeightsError, match=r"holds no weights\.safetensors. Name a weights file"):
        weights_file(tmp_path)
    (tmp_path / RUN_WEIGHTS).touch()
    assert weights_file(tmp_path) == tmp_path / RUN_WEIGHTS
    assert weights_file(tmp_path / RUN_WEIGHTS) == tmp_path / RUN_WEIGHTS


def test_a_name_stands_for_bundled_weights_unless_a_file_is_called_so(
    bundled, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert weights_file(Path("small-200")) == bundled
    (tmp_path / "small-200").touch()
    assert weights_file(tmp_path / "small-200") == tmp_path / "small-200"


def test_the_bundled_weights_know_how_sure_they_are():
    """Their page quotes these figures of their own validation images."""
    results = load_weights(Path("small-200")).results
    assert results is not None
    assert (results["images"], results["top1"], results["top5"]) == (10_000, 0.5195, 0.7724)
    page = Path(__file__).parents[2] / "docs" / "bundled" / "small-200.md"
    row = f"| {results['loss']:.3f} |", f"| {100 * results['calibration_error']:.1f} % |"
    assert all(figure in page.read_text("utf-8") for figure in row)
    assert results["calibration_error"] < 0.02


def test_other_names_are_none_that_is_bundled(tmp_path):
    assert bundled_file("large-1000") is None
    with pytest.raises(WeightsError, match="There is no weights file or run folder .*large-1000"):
        weights_file(tmp_path / "large-1000")
