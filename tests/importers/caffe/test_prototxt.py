"""Prototxt as a tree: what is there is found, what is not right is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.errors import WeightsError
from alexnet.importers.caffe.prototxt import read_prototxt


@pytest.fixture
def read(tmp_path):
    def read(text: str | bytes):
        path = tmp_path / "net.prototxt"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_prototxt(path)

    return read


def test_every_spelling_of_the_text_form_is_read(read):
    top = read(
        """\ufeff# a comment { : }
        name: 'it''s' "\\x41\\102\\n" # adjacent texts are one
        input_dim: 1, input_dim: 0x3; input_dim:[32, 32]
        layer { a: -1e-3 b: .5f flag: true word: MAX }
        layer: < inner { c: 2. } >
        """
    )
    assert top.text("name") == "itsAB\n"
    assert top.wholes("input_dim") == [1, 3, 32, 32]
    first, second = top.messages("layer")
    assert (first.number("a", 0), first.number("b", 0)) == (-0.001, 0.5)
    assert first.flag("flag", False)
    assert first.word("word", ("MAX", "AVE"), "AVE") == "MAX"
    assert second.message("inner").number("c", 0) == 2
    assert second.line == 5


def as_plain(message):
    """Field by field what protobuf's own parser holds, as lists."""
    found: dict[str, list] = {}
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        found[field.name] = [as_plain(v) if hasattr(v, "ListFields") else v for v in values]
    return found


@pytest.fixture(scope="module")
def protobuf():
    """protobuf's own reader of a message that holds itself and one field of each kind."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto2")
    message = file.message_type.add(name="M")
    for number, (name, kind) in enumerate(
        {"text": 9, "whole": 3, "number": 2, "flag": 8, "inner": 11}.items(), 1
    ):
        message.field.add(
            name=name, number=number, label=3, type=kind, type_name=".t.M" if kind == 11 else None
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.M"))

    def parse(text: str):
        try:
            return as_plain(text_format.Parse(text, kind()))
        except text_format.ParseError:
            return None

    return parse


def as_ours(message):
    found = {}
    for name in message.fields:
        if name == "inner":
            found[name] = [as_ours(each) for each in message.messages(name)]
        elif name == "flag":
            found[name] = [
                message.__class__(message.place, 1, {"flag": [each]}).flag("flag", False)
                for each in message.fields[name]
            ]
        else:
            ask = {"text": message.texts, "number": message.numbers}
            found[name] = ask[name](name) if name in ask else message.wholes(name, -(2**31))
    return {name: values for name, values in found.items() if values}


GRAMMAR = [
    "whole: 1 whole: -2 whole: 0x1F whole: 017 whole: -0x10",
    "whole: 1, whole: 2; whole: 3",
    "whole: [1, 2, 3] whole: [] whole: [4]",
    "whole [1]",
    "number: 1 number: -1.5 number: .5 number: 2. number: 1e3 number: -25E-2 number: 1.5f",
    "number: [1, 2.5] number: 3F",
    "number: 017",
    "number: 0x10",
    "whole: 089",
    "whole: 1.5",
    "whole: [1 2]",
    "whole: [1, ]",
    "whole: [, 1]",
    "whole: [1",
    "flag: true flag: false flag: t flag: f flag: True flag: False flag: 1 flag: 0",
    "text: 'a' \"b\" 'c' text: \"it's\"",
    'text: ["a", \'b\' "c"]',
    r"text: '\\n\\t\\x41\\101\\303\\251\\\\\\'' text: '\\u00e9'",
    "text: 'a' # 'not this'\n 'b'",
    "inner {} inner { whole: 1 } inner < whole: 2 > inner: { whole: 3 } inner: < >",
    "inner [{ whole: 1 }, < whole: 2 >] inner: [{}] inner []",
    "inner [{ inner [{ whole: 1 }, { }] }]",
    "inner { whole: 1 >",
    "inner < whole: 1 }",
    "inner [{ whole: 1 }",
    "inner [{ whole: 1 }, ]",
    "inner { whole: 1 }; inner { }, whole: 4",
    "# only a comment",
    "",
    "whole 1",
    "whole: ",
    "inner",
    "1: 2",
    "text: 'open",
    "}",
    "whole: 1 }",
]


@pytest.mark.parametrize("text", GRAMMAR)
def test_what_protobuf_reads_is_read_alike(read, protobuf, text):
    wanted = protobuf(text)
    try:
        found = as_ours(read(text))
    except WeightsError:
        found = None
    assert found == wanted


def test_a_sign_may_stand_by_itself(read):
    """protobuf's grammar and its reader in C++ allow it; the one in Python does not."""
    top = read("whole: - 5 number: - # why not\n 1.5")
    assert (top.whole("whole", low=-9), top.number("number", 0)) == (-5, -1.5)


def test_what_is_not_there_has_a_default(read):
    top = read("name: 'x'")
    assert (top.whole("a", 3), top.number("b", 0.5), top.flag("c", True)) == (3, 0.5, True)
    assert (top.text("d"), top.word("e", ("X",), "X"), top.message("f").fields) == ("", "X", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layer {\n name: 'a'\n", "line 1: what opens here is never closed"),
        ("a: 1\n}", "line 2: a field's name was expected, and '}' is there"),
        ("a 1", 'line 1: ":" or "{" was expected after "a", and \'1\' is there'),
        ("a:\n:", "line 2: a value of \"a\" was expected, and ':' is there"),
        ("a:", 'a value of "a" was expected, and the end of the file is there'),
        ("a: [1, 2", "the end of the file is there"),
        ('a: "never closed', "is no part of a prototxt"),
        ("a: 1 \x00", "is no part of a prototxt"),
        ("a {" * 30, "more than 20 braces within each other"),
        (b"\x0a\x04\xff\xfe", "is no text. A .prototxt describes a network in words"),
        (" " * (5 << 20), "more than 4 MiB"),
    ],
)
def test_what_is_no_prototxt_is_told(read, text, said):
    with pytest.raises(WeightsError) as caught:
        read(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda top: top.whole("word"), "line 2: word must be a whole number of at least 0; got x"),
        (lambda top: top.whole("minus"), "line 3: minus must be a whole number of at least 0"),
        (lambda top: top.whole("huge"), "huge must be a whole number"),
        (lambda top: top.whole("absent"), "line 1: absent is missing"),
        (lambda top: top.whole("twice"), 'line 5: "twice" is given twice'),
        (lambda top: top.number("word", 0), "word must be a number; got x"),
        (lambda top: top.number("far", 0), "far must be a number"),
        (lambda top: top.flag("word", True), "word must be true or false; got x"),
        (lambda top: top.word("word", ("A", "B"), "A"), "word must be A or B here; got x"),
        (lambda top: top.messages("word"), '"word" should hold fields in braces'),
        (lambda top: top.texts("inner"), '"inner" should be a plain value'),
        (lambda top: top.message("inner"), '"inner" is given twice'),
    ],
)
def test_a_wrong_value_is_told_with_its_line(read, ask, said):
    top = read(
        "\nword: x\nminus: -1\nhuge: 99999999999\ntwice: 1 twice: 2\ninner {} inner {} far: 1e999"
    )
    with pytest.raises(WeightsError) as caught:
        ask(top)
    assert said in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(WeightsError, match=r"Could not read .*no\.prototxt: No such file"):
        read_prototxt(tmp_path / "no.prototxt")


@settings(deadline=None, max_examples=100)
@given(st.text(st.sampled_from("ab:{}<>[],;\"'\\#\n 1-.e"), max_size=60))
def test_any_text_is_a_tree_or_a_sentence(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.prototxt"
    Path(path).write_text(text, "utf-8")
    try:
        read_prototxt(path)
    except WeightsError as error:
        assert str(path) in str(error)
