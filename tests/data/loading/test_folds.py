"""Folds: stratified, groups whole, every class to be learned from whichever fold is held out."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data import stratified_group_folds
from alexnet.errors import RecipeError, SourceError


@st.composite
def grouped_images(draw):
    """Groups of one class each, at least two images a class."""
    sizes = draw(
        st.lists(st.lists(st.integers(1, 6), min_size=2, max_size=9), min_size=2, max_size=5)
    )
    labels, groups = [], []
    for label, own in enumerate(sizes):
        for size in own:
            labels += [label] * size
            groups += [max(groups, default=-1) + 1] * size
    order = np.random.default_rng(draw(st.integers(0, 9))).permutation(len(labels))
    return np.array(labels)[order], np.array(groups)[order]


@given(grouped_images(), st.integers(2, 6), st.integers(0, 99))
def test_groups_stay_whole_and_every_class_is_learned_from(images, folds, seed):
    labels, groups = images
    found = stratified_group_folds(labels, groups, folds, seed)
    assert set(found.tolist()) <= set(range(folds))
    for group in np.unique(groups):
        assert len(set(found[groups == group].tolist())) == 1
    for fold in range(folds):
        assert set(labels[found != fold].tolist()) == set(labels.tolist())
    np.testing.assert_array_equal(found, stratified_group_folds(labels, groups, folds, seed))


@given(grouped_images(), st.integers(2, 6), st.integers(0, 99))
def test_no_fold_has_more_of_a_class_than_another_by_more_than_its_largest_group(
    images, folds, seed
):
    labels, groups = images
    found = stratified_group_folds(labels, groups, folds, seed)
    for label in np.unique(labels):
        counts = np.bincount(found[labels == label], minlength=folds)
        largest = np.bincount(groups[labels == label]).max()
        assert np.ptp(counts) <= largest


@given(st.integers(0, 999))
def test_groups_of_several_classes_stay_whole_too(seed):
    draw = np.random.default_rng(seed)
    labels, groups = np.arange(60) % 3, draw.integers(0, 25, 60)
    found = stratified_group_folds(labels, groups, 4, seed)
    for fold in range(4):
        assert len(set(labels[found != fold].tolist())) == 3
        assert not set(groups[found == fold]) & set(groups[found != fold])


def test_images_that_are_alone_are_stratified_as_scikit_learn_does():
    selection = pytest.importorskip("sklearn.model_selection")
    labels = np.repeat([0, 1, 2], [33, 20, 7])
    found = stratified_group_folds(labels, np.arange(60), 5, 1)
    theirs = np.zeros(60, dtype=int)
    for fold, (_, held_out) in enumerate(selection.StratifiedKFold(5).split(labels, labels)):
        theirs[held_out] = fold
    for label in range(3):
        counts = [
            np.sort(np.bincount(each[labels == label], minlength=5)) for each in (found, theirs)
        ]
        np.testing.assert_array_equal(*counts)
    assert np.ptp(np.bincount(found)) <= np.ptp(np.bincount(theirs)) + 1


@pytest.mark.parametrize("seed", range(8))
def test_classes_are_spread_no_worse_than_by_scikit_learns_group_folds(seed):
    selection = pytest.importorskip("sklearn.model_selection")
    draw = np.random.default_rng(seed)
    groups = np.sort(draw.integers(0, 60, 240))
    labels = groups % 4
    splitter = selection.StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    theirs = np.zeros(240, dtype=int)
    for fold, (_, held_out) in enumerate(splitter.split(labels, labels, groups)):
        theirs[held_out] = fold

    def unevenness(folds):
        counts = [np.bincount(folds[labels == label], minlength=5) for label in range(4)]
        return float(np.std(counts, axis=1).sum())

    assert unevenness(stratified_group_folds(labels, groups, 5, seed)) <= unevenness(theirs) + 1


def test_the_seed_draws_other_folds():
    labels = np.arange(40) % 2
    one, other = (stratified_group_folds(labels, np.arange(40), 4, seed) for seed in (0, 1))
    assert (one != other).any()


def test_a_class_of_one_group_is_divided_and_that_is_said(caplog):
    labels = np.repeat([0, 1], [6, 8])
    groups = np.concatenate([np.zeros(6, int), np.arange(1, 9)])
    with caplog.at_level(logging.WARNING):
        found = stratified_group_folds(labels, groups, 3, 0)
    assert "The images of 1 class are all of one group" in caplog.text
    assert sorted(np.bincount(found[:6]).tolist()) == [2, 2, 2]


def test_fewer_groups_than_folds_leave_some_folds_without_the_class():
    labels, groups = np.repeat([0, 1], [4, 10]), np.array([0, 0, 1, 1, *range(2, 12)])
    found = stratified_group_folds(labels, groups, 5, 0)
    assert len(set(found[labels == 0].tolist())) == 2
    assert len(set(found[labels == 1].tolist())) == 5


def test_what_cannot_be_divided_is_a_sentence():
    with pytest.raises(SourceError, match="1 class has a single image, which cannot be trained on"):
        stratified_group_folds(np.array([0, 0, 1]), np.arange(3), 2, 0)
    with pytest.raises(RecipeError, match="at least 2 folds; got 1"):
        stratified_group_folds(np.array([0, 0, 1, 1]), np.arange(4), 1, 0)
