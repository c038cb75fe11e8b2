from __future__ import annotations

import pytest

from alexnet.data import assign_splits, load_pack, open_source
from alexnet.data.checks.scan import scan_images
from alexnet.data.checks.training_notes import training_notes
from alexnet.errors import SourceError


@pytest.fixture
def notes(make_folder):
    """What is said of some files, and what opening, packing and dividing them really raises."""

    def notes(files, **options):
        where = make_folder(files)
        source = open_source(where, as_found=True, **options)
        said = training_notes(source, scan_images(source, len(source)))
        try:
            opened = open_source(where, **options)
            pack = load_pack(opened, image_px=8, cache="none")
            assign_splits(pack, val_fraction=0.2, seed=0)
        except SourceError:
            refused = True
        else:
            refused = False
        assert (
            any(note.startswith("train and finetune refuse this source: ") for note in said)
            == refused
        )
        return said

    return notes


@pytest.fixture
def images(make_png):
    def images(*folders, count=4, first=0):
        paths = [f"{folder}/{i}.png" for folder in folders for i in range(count)]
        return {path: make_png(first + number) for number, path in enumerate(paths)}

    return images


def test_a_sound_source_has_no_notes(notes, images):
    assert notes(images("ant", "bee")) == []
    assert (
        notes({**images("train/ant", "train/bee"), **images("val/ant", "val/bee", first=50)}) == []
    )


def test_one_class_is_refused(notes, images):
    (note,) = notes(images("photos"))
    assert 'images of one class only, "photos". A classifier tells at least two apart' in note


def test_a_class_that_train_lacks_is_refused(notes, images):
    files = {**images("train/ant", "train/bee"), **images("val/wasp", first=50)}
    assert any('val has "wasp", and train has no such class' in note for note in notes(files))


def test_nothing_to_train_on_is_refused(notes, images):
    assert any("no images to train on" in note for note in notes(images("test/ant", "test/bee")))


def test_too_many_unreadable_images_are_refused(notes, images):
    files = {**images("ant", "bee"), "ant/torn.jpg": b"\xff\xd8\xff"}
    assert any("1 of 9 images cannot be read, more than 5%" in note for note in notes(files))


def test_nothing_readable_is_refused(notes):
    files = {f"{name}/{i}.png": b"no image" for name in ("ant", "bee") for i in range(3)}
    assert any("not one of its images can be read" in note for note in notes(files))


def test_nothing_to_hold_out_is_refused(notes, images):
    assert any("held out for validation" in note for note in notes(images("ant", "bee", count=1)))


def test_copies_of_one_image_cannot_be_held_out(notes, make_png):
    files = {f"{name}/{i}.png": make_png(k) for k, name in enumerate("ab") for i in range(3)}
    assert any("held out for validation" in note for note in notes(files))


def test_alike_classes_are_said_unless_joined(notes, images):
    (note,) = notes(images("cat", "Cat", "dog"))
    assert 'the classes "Cat", "cat" look alike' in note
    assert "--join-classes" in note
    assert notes(images("cat", "Cat", "dog"), join_classes=True) == []
