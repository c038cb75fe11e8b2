"""The estimators pass scikit-learn's checks and predict what the verbs predict."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.errors import RecipeError, SourceError, WeightsError

pytest.importorskip("sklearn", reason="the estimators need scikit-learn")

from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

from alexnet import AlexNetClassifier, AlexNetFeatures, features, load_weights
from alexnet.transfer.head_search import HeadCandidate


class OfRows(AlexNetFeatures):
    """For checks, which speak of rows of numbers: each row as an image of gray stripes.

    They compare outputs to the last digits, and those of a convolution depend on the batch size:
    so one image at a time.
    """

    def __init__(self, weights="small-200", *, layer=None, crops=1, batch_size=1, precision="fp32"):
        super().__init__(
            weights, layer=layer, crops=crops, batch_size=batch_size, precision=precision
        )

    def fit(self, X, y=None):
        X = validate_data(self, X)
        return super().fit(self.as_images(X))

    def transform(self, X):
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return super().transform(self.as_images(X))

    def as_images(self, X):
        gray = np.clip(128 + 20 * X, 0, 255).astype(np.uint8)
        return np.repeat(np.repeat(gray[:, None, :], 20, axis=1), 20, axis=2)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


@pytest.fixture(autouse=True)
def small(bundled):
    """All tests use weights in place of the bundled ones."""
    return bundled


@parametrize_with_checks([AlexNetClassifier(), OfRows()])
def test_the_checks_of_scikit_learn(estimator, check):
    """Every check that scikit-learn has for such an estimator; none is left out."""
    check(estimator)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Dark and bright images, their files and arrays and labels."""
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    arrays, paths, labels = [], [], []
    for i in range(24):
        name = ("dark", "bright")[i % 2]
        arrays.append(draw.integers(100 * (i % 2), 100 * (i % 2) + 90, (30, 36, 3), dtype=np.uint8))
        paths.append(folder / name / f"{i}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(arrays[-1]).save(paths[-1])
        labels.append(name)
    return folder, paths, np.array(arrays), np.array(labels)


def test_features_are_those_of_the_verb(photos, small, tmp_path):
    folder, paths, arrays, _ = photos
    features(small, folder, out=tmp_path / "f.npz", crops=5)
    with np.load(tmp_path / "f.npz") as file:
        wanted = dict(zip(file["paths"].tolist(), file["features"], strict=True))
    transformer = AlexNetFeatures(crops=5, batch_size=7).fit(paths)
    names = [path.relative_to(folder).as_posix() for path in paths]
    for given in (paths, [str(path) for path in paths], np.array(paths, dtype=object), arrays):
        found = transformer.transform(given)
        np.testing.assert_allclose(found, [wanted[name] for name in names], rtol=1e-4, atol=1e-5)
    assert transformer.get_feature_names_out()[[0, -1]].tolist() == ["relu6_0", "relu6_511"]
    assert AlexNetFeatures(layer="pool5").fit(paths).transform(paths[:1]).shape == (1, 256)


def test_gray_images_and_images_of_several_sizes(photos):
    _, _, arrays, _ = photos
    gray = arrays[..., 0]
    transformer = AlexNetFeatures().fit(gray)
    rgb = np.repeat(gray[..., None], 3, axis=3)
    wanted = transformer.transform(rgb)
    np.testing.assert_array_equal(transformer.transform(gray), wanted)
    np.testing.assert_array_equal(transformer.transform(gray[..., None]), wanted)
    sizes = transformer.transform([gray[0], rgb[1], np.zeros((50, 41, 3), np.uint8)])
    np.testing.assert_allclose(sizes[:2], wanted[:2], rtol=1e-4, atol=1e-5)


def test_a_column_of_a_table_names_files(photos):
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    _, paths, _, labels = photos
    table = pandas.DataFrame({"path": list(map(str, paths)), "label": labels})
    transformer = AlexNetFeatures().fit(table["path"])
    wanted = transformer.transform(paths)
    np.testing.assert_array_equal(transformer.transform(table["path"]), wanted)
    np.testing.assert_array_equal(transformer.transform(table[["path"]]), wanted)
    assert AlexNetClassifier(head="tree").fit(table["path"], table["label"]).score(paths, labels)


@pytest.mark.parametrize("head", ["logistic", "svm", "knn", "tree"])
def test_the_classifier_learns_from_files_arrays_and_features(photos, head):
    _, paths, arrays, labels = photos
    fitted = AlexNetClassifier(head=head, batch_size=5).fit(paths[:16], labels[:16])
    assert fitted.classes_.tolist() == ["bright", "dark"]
    assert isinstance(fitted.candidates_[0], HeadCandidate)
    assert fitted.score(paths[16:], labels[16:]) == 1
    found = fitted.predict_proba(paths[16:])
    assert (found.dtype, found.shape) == (np.float64, (8, 2))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(arrays[16:]), found, atol=1e-6)
    rows = AlexNetFeatures().fit_transform(paths)
    by_rows = AlexNetClassifier(head=head).fit(rows[:16], labels[:16])
    np.testing.assert_allclose(by_rows.predict_proba(rows[16:]), found, atol=1e-4)
    assert (fitted.predict(paths[16:]) == by_rows.predict(rows[16:])).all()
    with pytest.raises(ValueError, match="fitted on features, not on images"):
        by_rows.predict(paths)


def test_the_classifier_says_what_the_stored_head_says(photos, small, tmp_path):
    from alexnet import predict

    _, paths, _, labels = photos
    out = tmp_path / "head.safetensors"
    (tmp_path / "all").mkdir()
    for path in paths:
        target = tmp_path / "all" / "train" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        val = tmp_path / "all" / "val" / path.parent.name / path.name
        val.parent.mkdir(parents=True, exist_ok=True)
        val.write_bytes(path.read_bytes())
    features(small, tmp_path / "all", head="logistic", out=out, cache="none")
    # In the order of the pack, which decides the folds that the temperature is measured on.
    order = sorted(range(len(paths)), key=lambda i: (labels[i], paths[i].name))
    fitted = AlexNetClassifier(crops=10).fit([paths[i] for i in order], labels[order])
    assert fitted.best_params_ == load_weights(out).arguments["head"]["chosen"]
    rows = predict(out, *paths[:6], crops=10, top=2).predictions
    wanted = [dict(zip(row.classes, row.probabilities, strict=True)) for row in rows]
    found = fitted.predict_proba(paths[:6])
    for row, said in zip(found, wanted, strict=True):
        # The temperature of the stored head is of folds that keep copies together.
        assert dict(zip(fitted.classes_, row, strict=True)) == pytest.approx(said, abs=1e-3)


def test_pipelines_and_grids(photos):
    _, paths, arrays, labels = photos
    pipe = make_pipeline(AlexNetFeatures(), LogisticRegression())
    assert cross_val_score(pipe, paths, labels, cv=3).mean() == 1
    grid = GridSearchCV(pipe, {"alexnetfeatures__layer": ["fc6", "relu6"]}, cv=2)
    assert grid.fit(arrays, labels).best_score_ == 1
    heads = GridSearchCV(AlexNetClassifier(), {"head": ["knn", "tree"]}, cv=2)
    assert heads.fit(np.array(list(map(str, paths))), labels).score(paths, labels) == 1
    both = make_pipeline(AlexNetFeatures(), AlexNetClassifier(head="tree"))
    assert both.fit(paths, labels).score(paths, labels) == 1


def test_estimators_travel_without_the_network(photos):
    _, paths, _, labels = photos
    fitted = AlexNetClassifier(head="tree").fit(paths, labels)
    data = pickle.dumps(fitted)
    assert len(data) < 100_000
    again = pickle.loads(data)
    np.testing.assert_array_equal(again.predict_proba(paths), fitted.predict_proba(paths))
    assert clone(fitted).get_params() == fitted.get_params()


def test_weights_that_change_are_read_again(photos, small, tmp_path):
    from alexnet.weights import save_weights

    _, paths, _, _ = photos
    weights = load_weights(small)
    save_weights(tmp_path / "w.safetensors", weights)
    transformer = AlexNetFeatures(tmp_path / "w.safetensors").fit(paths)
    before = transformer.transform(paths[:2])
    weights.state["fc6.bias"] += 1
    save_weights(tmp_path / "w.safetensors", weights)
    assert not np.array_equal(transformer.transform(paths[:2]), before)


def test_mistakes_are_sentences(photos, tmp_path):
    _, paths, arrays, labels = photos
    with pytest.raises(ValueError, match=r"takes images: names of files, .* the shape \(3, 4\)"):
        AlexNetFeatures().fit(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"An image is an array of uint8 .* got float64 of"):
        AlexNetFeatures().fit(paths).transform(arrays / 255)
    with pytest.raises(SourceError, match=r"gone\.png cannot be read: no such file or directory"):
        AlexNetFeatures().fit(paths).transform([paths[0], tmp_path / "gone.png"])
    with pytest.raises(RecipeError, match='no layer "fc9"'):
        AlexNetFeatures(layer="fc9").fit(paths)
    with pytest.raises(RecipeError, match="crops must be 1"):
        AlexNetFeatures(crops=3).fit(paths).transform(paths)
    with pytest.raises(WeightsError, match="no weights file or run folder"):
        AlexNetFeatures(tmp_path / "nothing").fit(paths)
    with pytest.raises(ValueError, match="batch_size must be at least 1 image; got 0"):
        AlexNetFeatures(batch_size=0).fit(paths).transform(paths)
    with pytest.raises(ValueError, match="24 images and 23 labels"):
        AlexNetClassifier().fit(paths, labels[1:])
    with pytest.raises(ValueError, match="holds one class"):
        AlexNetClassifier().fit(paths[::2], labels[::2])
    with pytest.raises(ValueError, match="at least two training images of each"):
        AlexNetClassifier().fit(paths[:3], labels[:3])
    with pytest.raises(RecipeError, match="head must be one of"):
        AlexNetClassifier(head="forest").fit(paths, labels)


def test_gradients_and_modes_of_the_network_stay_out(photos):
    _, paths, _, labels = photos
    fitted = AlexNetClassifier(head="logistic").fit(paths, labels)
    assert not any(each.requires_grad for each in fitted.head_.buffers())
    assert isinstance(fitted.predict_proba(paths), np.ndarray)
    assert torch.is_grad_enabled()
