from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from alexnet import open_source
from alexnet.data import SPLITS
from alexnet.data.sources.nested import list_files
from alexnet.errors import SourceError


def tar(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def stored(files, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def images(name, count=3):
    return {f"{name}_{i}.JPEG": f"image {i} of {name}".encode() * 9 for i in range(count)}


def contents(files):
    return {path: files.read(i) for i, path in enumerate(files.paths)}


SYNSETS = ("n01440764", "n01443537")
EXPECTED = {f"{name}/{path}": data for name in SYNSETS for path, data in images(name).items()}


@pytest.mark.parametrize("inner", [tar, stored, lambda files: stored(files, zipfile.ZIP_DEFLATED)])
def test_one_archive_for_each_class_is_read_in_every_container(make_files, inner):
    suffix = ".tar" if inner is tar else ".zip"
    where = make_files({f"{name}{suffix}": inner(images(name)) for name in SYNSETS})
    files = list_files(where)
    assert contents(files) == EXPECTED
    assert [files.read_start(i, 8) for i in range(2)] == [b"image 0 ", b"image 1 "]
    source = open_source(where)
    assert source.classes == SYNSETS
    assert [source.read(i) for i in range(len(source))] == list(EXPECTED.values())


def test_archives_of_archives_are_splits_of_classes(make_files):
    splits = {"train": 3, "val": 1}
    outer = {
        f"{split}.tar": tar({f"{name}.tar": tar(images(name, n)) for name in SYNSETS})
        for split, n in splits.items()
    }
    source = open_source(make_files(outer))
    assert source.classes == SYNSETS
    counted = [SPLITS[code] for code in source.splits.tolist()]
    assert {split: counted.count(split) // 2 for split in splits} == splits
    assert source.read(0) == images(SYNSETS[0])[f"{SYNSETS[0]}_0.JPEG"]


def test_an_archive_with_a_folder_of_its_own_name_and_one_alone(make_files):
    files = {"ant.zip": stored({"ant/1.png": b"1"}), "bee.zip": stored({"bee/2.png": b"2"})}
    assert open_source(make_files(files)).classes == ("ant", "bee")
    photos = stored({"ant/1.png": b"1", "bee/2.png": b"2"})
    assert open_source(make_files({"photos.zip": photos})).classes == ("ant", "bee")


def test_a_change_of_an_inner_archive_is_noticed(make_folder):
    where = make_folder({f"{name}.tar": tar(images(name)) for name in SYNSETS})
    before = open_source(where)
    (where / f"{SYNSETS[0]}.tar").write_bytes(
        tar({k: v[::-1] for k, v in images(SYNSETS[0]).items()})
    )
    after = open_source(where)
    assert before.signature == after.signature
    assert before.stat_signature != after.stat_signature


def test_archives_beside_images_are_sidecars(make_files):
    files = {"ant/1.png": b"1", "bee/1.png": b"2", "bee/old.zip": stored({"x.png": b"3"})}
    assert list(open_source(make_files(files)).paths) == ["ant/1.png", "bee/1.png"]


def test_compressed_ones_are_read_in_a_folder_and_else_said(make_files):
    where = make_files({f"{name}.tar.gz": tar(images(name), "w:gz") for name in SYNSETS})
    if where.is_dir():
        assert contents(list_files(where)) == EXPECTED
    else:
        words = r"n01440764\.tar\.gz has the name of an archive .* compressed as a whole\. Unpack"
        with pytest.raises(SourceError, match=words):
            list_files(where)


def test_what_only_has_the_name_of_an_archive_is_said(make_files):
    with pytest.raises(
        SourceError, match=r"a\.zip has the name of .* neither a tar nor a zip\. Unp"
    ):
        list_files(make_files({"a.zip": b"<html>", "b.zip": stored(images("b"))}))


def test_a_damaged_one_is_named(make_files):
    with pytest.raises(SourceError, match=r"The archive .*b\.tar is damaged"):
        list_files(make_files({"a.tar": tar(images("a")), "b.tar": tar(images("b", 30))[:7000]}))


def test_a_thousand_archives_in_a_folder_are_read_with_few_open_files(tmp_path):
    resource = pytest.importorskip("resource")
    for i in range(300):
        (tmp_path / f"{i:03}.tar").write_bytes(tar({f"{i}.png": b"%d" % i}))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        files = list_files(tmp_path)
        assert [files.read(i) for i in range(300)] == [b"%d" % i for i in range(300)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_other_things_are_no_files_to_list(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\n")
    assert list_files(tmp_path / "t.csv") is None
