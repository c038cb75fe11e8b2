from __future__ import annotations

import logging
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from alexnet.data import ImageFiles, Pack, Source, load_pack, open_source
from alexnet.data.packs.plan import PackableSource
from alexnet.data.packs.writer import write_pack
from alexnet.errors import SourceError

CLASSES = ("ant", "bee")
FILES = {
    f"wrap/{split}/{name}/{i}.png": f"{split} {name} {i}".encode()
    for split, count in (("train", 3), ("val", 1), ("test", 2))
    for name in CLASSES
    for i in range(count)
}
WORDS = {
    "wrap/classes.tsv": b"ant\ta small worker\n",
    "wrap/README": b"",
    "wrap/train/.DS_Store": b"",
}


def test_every_kind_of_source_is_the_same(make_files):
    source = open_source(make_files({**FILES, **WORDS}))
    assert isinstance(source, Source)
    assert list(source.paths) == list(FILES)
    assert source.classes == CLASSES
    assert source.class_words == {"ant": "a small worker"}
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1]
    assert source.splits.tolist() == [1] * 6 + [2] * 2 + [3] * 4
    assert source.sizes.tolist() == [len(data) for data in FILES.values()]
    assert [source.read(i) for i in range(len(source))] == list(FILES.values())
    assert (source.labels.dtype, source.splits.dtype) == (np.int64, np.uint8)


def test_a_source_is_what_others_need(make_folder):
    source = open_source(make_folder(FILES))
    packable: PackableSource = source
    readable: ImageFiles = source
    assert packable.where == source.where
    assert readable.read(0)


def test_signatures_do_not_depend_on_kind_and_order(make_files, make_folder):
    source = open_source(make_files({**FILES, **WORDS}))
    other = open_source(make_folder(dict(reversed(FILES.items()))))
    assert source.signature == other.signature
    assert len(source.signature) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda files: {**files, "wrap/val/ant/9.png": b"new"},
        lambda files: {**files, "wrap/val/ant/0.png": b"another size"},
        lambda files: {path.replace("bee", "cat"): data for path, data in files.items()},
        lambda files: {path.replace("test", "val"): data for path, data in files.items()},
    ],
)
def test_signatures_change_with_paths_labels_splits_and_sizes(make_folder, change):
    before, after = open_source(make_folder(FILES)), open_source(make_folder(change(FILES)))
    assert before.signature != after.signature
    assert before.stat_signature != after.stat_signature


def test_stat_signature_changes_with_a_files_time_alone(make_folder):
    where = make_folder(FILES)
    before = open_source(where)
    assert open_source(where).stat_signature == before.stat_signature
    os.utime(where / "wrap/val/ant/0.png", ns=(1, 1))
    after = open_source(where)
    assert after.signature == before.signature
    assert after.stat_signature != before.stat_signature


def test_an_archive_that_was_touched_is_noticed_where_nothing_else_tells(make_files):
    where = make_files(FILES)
    if where.is_dir():
        pytest.skip("a folder has a time for each file")
    before = open_source(where)
    os.utime(where, ns=(1, 1))
    same = open_source(where).stat_signature == before.stat_signature
    assert same == zipfile.is_zipfile(where)  # a zip has the checksum of each member


def test_a_table_is_a_source_with_words(make_folder):
    where = make_folder({**FILES, "classes.tsv": b"10\tten\n"})
    paths = list(FILES)[:3]
    (where / "t.csv").write_text(
        "path,label\n" + "".join(f"{p},{10 - i}\n" for i, p in enumerate(paths))
    )
    source = open_source(where / "t.csv")
    assert list(source.paths) == paths
    assert source.classes == ("8", "9", "10")
    assert source.labels.tolist() == [2, 1, 0]
    assert source.class_words == {"10": "ten"}
    assert source.read(2) == FILES[paths[2]]


def test_a_table_of_other_rows_has_another_signature(make_folder):
    where = make_folder(FILES)
    signatures = set()
    first, second, *_ = FILES
    for label in "abc":
        text = f"path,label\n{first},{label}\n{second},d\n"
        (where / "t.csv").write_text(text)
        signatures.add(open_source(where / "t.csv").signature)
    assert len(signatures) == 3


def test_a_pack_is_opened_and_an_unfinished_one_refused(tiny_source, tmp_path):
    write_pack(tiny_source(4), tmp_path / "pack", image_px=8, workers=1)
    assert isinstance(open_source(tmp_path / "pack"), Pack)
    (tmp_path / "pack" / "pack.json").rename(tmp_path / "pack" / "packing.journal")
    with pytest.raises(SourceError, match=r"is not a pack: it has no pack\.json\. Make one with"):
        open_source(tmp_path / "pack")


def test_names_in_two_unicode_forms_are_one_class_and_their_files_are_read(make_files):
    files = {f"{name}/1.png": name.encode() for name in ("\u00e9", "e\u0301", "日本")}
    source = open_source(make_files(files))
    assert source.classes == ("\u00e9", "日本")
    assert {path: source.read(i) for i, path in enumerate(source.paths)} == files


ALIKE = {
    f"{name}/{i}.png": b"x" for name, n in (("cat", 3), ("Cat", 1), ("dog", 2)) for i in range(n)
}


def test_classes_that_look_alike_are_said_and_joined(make_files, caplog):
    where = make_files(ALIKE)
    with caplog.at_level(logging.WARNING):
        assert open_source(where).classes == ("Cat", "cat", "dog")
    assert 'the classes "Cat", "cat" look alike. If they are one, join them: --join' in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        joined = open_source(where, join_classes=True)
    assert caplog.text == ""
    assert joined.classes == ("cat", "dog")  # the name that has more images
    assert dict(zip(joined.paths, joined.labels.tolist(), strict=True)) == {
        path: int(path.startswith("dog")) for path in ALIKE
    }


def test_labels_of_a_table_are_joined_as_folders_are(make_folder, caplog):
    where = make_folder({f"{i}.png": b"x" for i in range(5)})
    text = "path,label\n0.png,1\n1.png,1.0\n2.png,1\n3.png,x\n4.png,01\n"
    (where / "t.csv").write_text(text)
    with caplog.at_level(logging.WARNING):
        assert len(open_source(where / "t.csv").classes) > 2
    assert "look alike" in caplog.text
    joined = open_source(where / "t.csv", join_classes=True)
    assert joined.classes == ("1", "x")
    assert joined.labels.tolist() == [0, 0, 0, 1, 0]


def test_joining_makes_another_source_and_nothing_where_nothing_is_alike(make_folder):
    where, plain = make_folder(ALIKE), make_folder(FILES)
    assert open_source(where).signature != open_source(where, join_classes=True).signature
    assert open_source(plain).signature == open_source(plain, join_classes=True).signature


def test_a_class_of_val_that_looks_like_one_of_train_is_joined_by_the_flag(make_files):
    where = make_files({"train/ant/1": b"", "train/bee/1": b"", "val/Ant /1": b""})
    with pytest.raises(SourceError, match='val has "Ant ".* If that is "ant", join them: --join'):
        open_source(where)
    assert open_source(where, join_classes=True).classes == ("ant", "bee")


def test_the_classes_of_a_pack_are_said_and_joined(tiny_source, tmp_path, caplog):
    source = tiny_source(6)
    source.classes = ("ant", "Ant")
    write_pack(source, tmp_path / "pack", image_px=8, workers=1)
    with caplog.at_level(logging.WARNING):
        apart = open_source(tmp_path / "pack")
    assert 'the classes "ant", "Ant" look alike' in caplog.text
    joined = open_source(tmp_path / "pack", join_classes=True)
    assert (joined.classes, joined.labels.tolist()) == (("ant",), [0] * 6)
    assert joined.fingerprint != apart.fingerprint
    assert (joined.read(np.arange(6)) == apart.read(np.arange(6))).all()


def test_the_level_of_the_classes_may_be_said(make_files):
    paths = [f"wrap/{year}/{name}/1.png" for year in (2019, 2020) for name in ("ant", "bee")]
    where = make_files(dict.fromkeys(paths, b"x"))
    with pytest.raises(SourceError, match=r'classes are "ant", "bee".* --class-depth 2.*2020": --'):
        open_source(where)
    assert open_source(where, class_depth=1).classes == ("2019", "2020")
    assert open_source(where, class_depth=2).classes == ("ant", "bee")
    with pytest.raises(SourceError, match="class_depth must be between 1 .* got 0"):
        open_source(where, class_depth=0)


LOOSE = {f"{i}.png": f"image {i}".encode() for i in range(6)}
ROWS = b"path,label\n" + b"".join(b"%d.png,%s\n" % (i, [b"ant", b"bee"][i % 2]) for i in range(6))


@pytest.mark.parametrize("folder", ["", "images/", "train_images/"])
def test_a_table_among_loose_images_is_read(make_files, folder, caplog):
    files = {folder + path: data for path, data in LOOSE.items()}
    with caplog.at_level(logging.INFO):
        source = open_source(make_files({**files, "labels.csv": ROWS}))
    assert 'the labels of 6 images are from "labels.csv".' in caplog.text
    assert source.classes == ("ant", "bee")
    assert source.labels.tolist() == [0, 1] * 3
    assert [source.read(i) for i in range(6)] == list(LOOSE.values())


def test_images_that_no_table_names_are_counted_and_a_submission_is_not_read(make_files, caplog):
    files = {f"train_images/{path}": data for path, data in LOOSE.items()}
    files |= {"test_images/9.png": b"x", "train.csv": ROWS.replace(b".png", b"")}
    files |= {"test.csv": b"path\n9\n", "sample_submission.csv": ROWS}
    with caplog.at_level(logging.INFO):
        source = open_source(make_files(files))
    assert (source.classes, len(source)) == (("ant", "bee"), 6)
    assert set(source.splits.tolist()) <= {0, 1}
    assert "1 image that it does not name left out" in caplog.text


def test_folders_that_are_classes_come_before_a_table_that_says_otherwise(make_files, caplog):
    files = {**ALIKE, "labels.csv": b"path,label\ncat/0.png,x\ndog/0.png,y\n"}
    with caplog.at_level(logging.WARNING):
        assert "dog" in open_source(make_files(files)).classes
    assert "labels.csv, which has labels of its own, is not read." in caplog.text


def test_a_table_that_cannot_be_used_says_why_and_what_to_do(make_files):
    where = make_files({**LOOSE, "meta.csv": b"height,width\n1,2\n"})
    what = "Name" if where.is_dir() else "Unpack the archive, and name"
    with pytest.raises(SourceError, match=rf"no folders that are classes, and its .* {what} a tab"):
        open_source(where)


def test_sidecars_in_class_folders_are_no_images(make_files, make_png, caplog):
    files = {f"{name}/{i}.png": make_png(i) for name in CLASSES for i in range(3)}
    odd = {"ant/photo": make_png(7), "bee/photo.dat": make_png(8), "bee/lost.jpg": b"<html>"}
    suffixes = (".json", ".xml", ".npy", ".mp4", ".pts", ".h5", "")
    beside = {f"ant/beside{suffix}": b"{not an image}" for suffix in suffixes}
    with caplog.at_level(logging.INFO):
        source = open_source(make_files({**files, **odd, **beside}))
    assert {*source.paths} == {*files, *odd}
    assert "passed over beside the images, for they are none" in caplog.text
    assert "1 no suffix" in caplog.text


class TestRefusals:
    def test_a_path_that_leads_nowhere_names_the_nearest(self, make_folder):
        where = make_folder(FILES)
        wrong = where.with_name(where.name[:-2] + "x")
        with pytest.raises(
            SourceError, match=rf'no file or folder .*x\. Did you mean "{where.name}"'
        ):
            open_source(wrong)

    def test_a_path_lost_further_up_says_where(self, tmp_path):
        (tmp_path / "data").mkdir()
        words = r'no file or folder .*dat.cats.1: .* holds no dat\. Did you mean "data"\?'
        with pytest.raises(SourceError, match=words):
            open_source(tmp_path / "dat" / "cats" / "1")

    def test_a_relative_path_is_looked_for_here(self, tmp_path, monkeypatch):
        (tmp_path / "images").mkdir()
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SourceError, match=r'no file or folder image\. Did you mean "images"'):
            open_source(Path("image"))

    def test_an_empty_folder_says_what_is_accepted(self, make_files):
        words = (
            r"is empty \(hidden files are not counted\)\. A source is a folder with one folder for "
            r"each class .*\.zip, \.tar or \.tar\.gz, a table"
        )
        with pytest.raises(SourceError, match=words):
            open_source(make_files({}))

    def test_what_was_seen_is_said_and_what_can_be_done(self, make_files):
        files = {"1.jpg": b"", "2.JPG": b"", "3.png": b"", "labels.csv": b"", "docs/x.txt": b""}
        where = make_files(files)
        what = "name that file as the source" if where.is_dir() else "unpack the archive and name"
        words = (
            r'holds 5 files \(2 \.jpg, 1 \.png, 1 \.txt, 1 \.csv\) and 1 folder \("docs"\)\. A so'
            rf".* To take the labels from labels\.csv, {what}"
        )
        with pytest.raises(SourceError, match=words):
            open_source(where)

    def test_one_class_is_too_few_to_learn_and_enough_to_measure(self, make_files):
        where = make_files({"ant/1.png": b"", "ant/deep/2.png": b""})
        with pytest.raises(SourceError, match='images of one class only, "ant".* at least two'):
            open_source(where)
        assert open_source(where, fewest_classes=1).classes == ("ant",)

    def test_a_class_that_train_lacks_is_named(self, make_files):
        files = {"train/ant/1": b"", "train/bee/1": b"", "val/ants/1": b""}
        words = 'val has "ants", and train has no such class. Did you mean "ant".* Rename the class'
        with pytest.raises(SourceError, match=words):
            open_source(make_files(files))

    def test_a_class_that_train_lacks_in_a_table_is_named(self, make_folder):
        where = make_folder({f"{i}.png": b"" for i in range(3)})
        text = "path,label,split\n0.png,a,train\n1.png,b,train\n2.png,c,test\n"
        (where / "t.csv").write_text(text)
        with pytest.raises(SourceError, match=r't\.csv: test has "c", and train has no such class'):
            open_source(where / "t.csv")

    def test_a_class_that_val_lacks_is_said(self, make_folder, caplog):
        with caplog.at_level(logging.WARNING):
            open_source(make_folder({"train/a/1": b"", "train/b/1": b"", "val/a/1": b""}))
        assert 'val has no images of "b".' in caplog.text

    def test_a_test_set_alone_needs_no_train(self, make_folder):
        source = open_source(make_folder({"test/a/1": b"", "test/b/1": b""}))
        assert source.splits.tolist() == [3, 3]

    @pytest.mark.parametrize(
        ("name", "data", "words"),
        [
            ("x.bin", b"\x00\x01", r"x\.bin is neither an archive nor a table\. A source is"),
            ("x.csv", b"", r"x\.csv is empty\. A source is"),
            ("x.jpg", b"\xff\xd8\xff\xe0", r"looks like a single image \(alexnet predict says"),
            ("x.zip", b"<html>no", r'is called "\.zip", and its content is something else'),
            ("x.txt", b"hello\n", r'x\.txt has no column "path"\. Its columns: "hello"'),
        ],
    )
    def test_other_files_are_refused(self, tmp_path, name, data, words):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SourceError, match=words):
            open_source(tmp_path / name)

    @pytest.mark.skipif(os.name == "nt", reason="needs a pipe")
    def test_a_pipe_is_refused(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(SourceError, match="is a device or a pipe"):
            open_source(tmp_path / "pipe")


def test_a_source_is_packed_and_its_pack_found_again(make_files, make_png, monkeypatch):
    files = {f"{name}/{i}.png": make_png(i) for name in CLASSES for i in range(3)}
    source = open_source(make_files(files))
    first = load_pack(source, image_px=8, workers=1)
    again = open_source(source.where)
    monkeypatch.setattr(Source, "read", lambda self, index: 1 / 0)
    assert load_pack(again, image_px=8, workers=1).fingerprint == first.fingerprint
    assert list(first.paths) == list(files)


REAL = [
    ("cifar10.zip", 10, {1: 50_000, 3: 10_000}),
    ("tiny-imagenet-1.zip", 200, {1: 40_000, 2: 10_000}),
    ("hymenoptera.tar", 2, {1: 245, 2: 153}),
]


@pytest.mark.parametrize(("name", "classes", "counts"), REAL)
def test_real_archives_hold_what_is_known_of_them(real_data, name, classes, counts):
    if not (real_data / name).is_file():
        pytest.skip(f"{name} is not there")
    source = open_source(real_data / name)
    assert len(source.classes) == classes
    assert dict(enumerate(np.bincount(source.splits).tolist())).items() >= counts.items()
    assert len(source) == sum(counts.values())
    assert len(source.class_words) == (200 if name.startswith("tiny") else 0)
    for index in (0, len(source) - 1):
        assert len(source.read(index)) == source.sizes[index]


@pytest.mark.parametrize("names", [("images", "annotations"), ("JPEGImages", "SegmentationClass")])
def test_images_and_what_was_drawn_over_them_are_no_classes(make_files, names):
    files = make_files({f"{name}/cat_{i}.png": b"x" for name in names for i in range(2)})
    with pytest.raises(SourceError, match=r"seems, and what was drawn over them, and no classes"):
        open_source(files)
    assert {*open_source(files, class_depth=1).classes} == {*names}


def test_numbered_parts_of_one_set_are_no_classes_beside_a_table(make_files):
    files = {f"x_images_part_{i // 2}/{i}.png": b"x" for i in range(4)}
    table = b"image_id,dx\n" + b"".join(b"%d,%s\n" % (i, (b"nv", b"mel")[i % 2]) for i in range(4))
    assert open_source(make_files({**files, "meta.csv": table})).classes == ("mel", "nv")


def test_splits_of_tables_that_agree_with_the_folders_are_said(make_folder, caplog):
    files = {f"{name}/{i}.png": b"x" for name in CLASSES for i in range(2)}
    lines = [f"ant/{i}.png,0\nbee/{i}.png,1\n".encode() for i in range(2)]
    tables = {"train.csv": b"path,label\n" + lines[0], "test.csv": b"path,label\n" + lines[1]}
    assert open_source(make_folder({**files, **tables})).classes == CLASSES
    assert (
        '"test.csv", "train.csv", which have splits of their own, are not read. To use them, jo'
        in (caplog.text)
    )
