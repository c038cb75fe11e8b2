from __future__ import annotations

import pytest

from alexnet.data import open_source
from alexnet.data.sources.table_json import json_lines_as_csv
from alexnet.errors import SourceError

LINES = b'{"file_name": "0.png", "label": "ant"}\n\n{"label": "bee", "file_name": "1.png"}\n'
IMAGES = {"0.png": b"0", "1.png": b"1"}


def test_keys_are_the_columns():
    assert json_lines_as_csv("t", LINES) == b"file_name,label\n0.png,ant\n1.png,bee\n"
    assert json_lines_as_csv("t", b'{"a": null}\n{"b": "x,y"}\n') == b'a,b\n,\n,"x,y"\n'
    assert json_lines_as_csv("t", b'{"a": ["x"]}\n{"a": ["x", 1]}\n') == b'a\nx\n"[""x"", 1]"\n'


def test_lines_among_images_and_as_the_source_give_the_labels(make_folder, make_files):
    for source in (
        make_files({**IMAGES, "metadata.jsonl": LINES}),
        make_folder({**IMAGES, "metadata.jsonl": LINES}) / "metadata.jsonl",
    ):
        opened = open_source(source)
        assert opened.classes == ("ant", "bee")
        assert [opened.read(i) for i in range(2)] == [b"0", b"1"]


@pytest.mark.parametrize("line", [b"[1]", b'{"a": ', b"x", b"[" * 100_000])
def test_a_line_that_is_no_object_is_named(line):
    with pytest.raises(SourceError, match=r"^t, line 2: that is no object of JSON\. Write one"):
        json_lines_as_csv("t", b'{"path": "0.png"}\n' + line)
