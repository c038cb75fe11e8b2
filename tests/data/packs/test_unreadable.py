from __future__ import annotations

import pytest

from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.errors import RecipeError, SourceError


def test_skipping_goes_on_up_to_5_percent(tiny_source):
    source = tiny_source(100)
    policy = UnreadablePolicy("skip")
    policy.handle(source, [(3, "it is a text file")])
    policy.check_share(source, [(i, "why") for i in range(5)])
    words = (
        r"images: 6 of 100 images cannot be read, more than 5%: ant/0000\.png \(why\); "
        r"bee/0001\.png \(why\);.*; \.\.\.\. Mend or remove them, or copy them aside and go on "
        r"with --quarantine FOLDER\."
    )
    with pytest.raises(SourceError, match=words):
        policy.check_share(source, [(i, "why") for i in range(6)])


def test_failing_names_the_first_and_the_way_out(tiny_source):
    policy = UnreadablePolicy("fail")
    policy.handle(tiny_source(4), [])
    with pytest.raises(SourceError, match=r"bee/0003\.png cannot be read: why\. Mend .* skip"):
        policy.handle(tiny_source(4), [(3, "why"), (1, "why")])


def test_quarantine_copies_and_does_not_move(tiny_source, tmp_path):
    source = tiny_source(4)
    policy = UnreadablePolicy(quarantine=tmp_path / "aside")
    policy.handle(source, [(1, "why"), (2, "why")])
    policy.handle(source, [(1, "why")])  # the same again changes nothing
    assert sorted(p.name for p in tmp_path.rglob("*.png")) == ["0001.png", "0002.png"]
    assert (tmp_path / "aside" / "bee" / "0001.png").read_bytes() == source.files[1]
    policy.check_share(source, [(i, "why") for i in range(4)])  # any number


def test_different_files_of_one_name_are_all_kept(tiny_source, tmp_path):
    source = tiny_source(3)
    source.paths = ["ant/x.png"] * 3
    UnreadablePolicy(quarantine=tmp_path).handle(source, [(i, "why") for i in range(3)])
    found = {path.name: path.read_bytes() for path in (tmp_path / "ant").iterdir()}
    expected = dict(zip(["x.png", "x-2.png", "x-3.png"], source.files, strict=True))
    assert found == expected


@pytest.mark.parametrize(
    "path", ["../../x.png", "/etc/x.png", "a/../../x.png", "C:\\x.png", "..\\x.png", "a\nb/x.png"]
)
def test_copies_never_leave_the_quarantine(tiny_source, tmp_path, path):
    source = tiny_source(1)
    source.paths = [path]
    UnreadablePolicy(quarantine=tmp_path / "aside").handle(source, [(0, "why")])
    found = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert len(found) == 1
    assert found[0].is_relative_to(tmp_path / "aside")
    assert not set(':\\\n"') & set(found[0].name)


def test_a_file_that_vanished_leaves_nothing(tiny_source, tmp_path):
    source = tiny_source(2)
    source.files[0] = None
    UnreadablePolicy(quarantine=tmp_path).handle(source, [(0, "gone")])
    assert list(tmp_path.iterdir()) == []


def test_settings_that_cannot_work_are_refused(tmp_path):
    with pytest.raises(RecipeError, match='"skip", "fail" or "quarantine"; got "ignore"'):
        UnreadablePolicy("ignore")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="no folder is named for the copies"):
        UnreadablePolicy("quarantine")
    with pytest.raises(RecipeError, match=r'"fail": nothing goes to a quarantine'):
        UnreadablePolicy("fail", tmp_path)
