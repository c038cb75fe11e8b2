from __future__ import annotations

import logging
from pathlib import Path

import pytest

from alexnet.data.sources.name_encoding import (
    find_name_encoding,
    name_decoder,
    require_name_encoding,
)
from alexnet.errors import SourceError

WORDS = {
    "gbk": ["猫 狗", "苹果 香蕉 橙子", "汽车 飞机", "正常 异常", "训练 测试", "裂纹 划痕", "好 坏"],
    "cp932": [
        "猫 犬",
        "りんご バナナ",
        "良品 不良品",
        "ネコ イヌ",
        "写真 画像",
        "傷 汚れ",
        "桜 梅 菊",
    ],
    "cp949": ["고양이 개", "사과 바나나", "정상 불량", "자동차 비행기", "장미 튤립", "새 폴더"],
    "big5": ["蘋果 香蕉", "汽車 飛機", "正常 異常", "圖片 照片", "番茄 馬鈴薯", "良品 瑕疵"],
    "cp866": ["кошка собака", "Береза Дуб Клен", "да нет", "годный брак", "Новая папка"],
    "cp1251": ["кошка собака", "Береза Дуб Клен", "яблоко банан", "норма патология"],
    "cp1252": ["käse früh", "café thé", "pão maçã", "Löwe Bär Hund", "España Perú", "blåbær øl"],
    "cp850": ["käse früh", "château église", "pão maçã", "Straße Gebäude", "blåbær jordbær"],
    "cp437": ["käse früh", "gâteau crème", "niño niña", "Löwe Bär Hund", "Zürich Köln"],
    "cp1250": ["jabłko śliwka", "kočka pes", "růže tulipán", "hruška třešeň"],
    "cp852": ["kočka pes", "růže tulipán", "hruška třešeň"],
    "cp1253": ["γάτα σκύλος", "μήλο μπανάνα"],
    "cp737": ["γάτα σκύλος", "μήλο μπανάνα"],
}
CASES = [(encoding, words.split()) for encoding, lists in WORDS.items() for words in lists]


def names_of(encoding, words):
    """Paths of images in class folders, as a program of that code page writes them."""
    return [f"set/{word}/IMG {i:02}.jpg".encode(encoding) for word in words for i in range(4)]


def is_ascii_only(name):
    return name.isascii()


@pytest.mark.parametrize(("encoding", "words"), CASES)
def test_names_of_real_words_are_read_in_their_code_page(encoding, words):
    found = find_name_encoding([n for n in names_of(encoding, words) if not is_ascii_only(n)])
    assert [found.decode(word.encode(encoding)) for word in words] == words


HARD = {
    "cp949": ["빨강 파랑", "소 말 양"],
    "big5": ["鳥 魚"],
    "cp1252": ["âne bœuf", "pêche poire"],
    "cp1254": ["köpek kuş", "ağaç çiçek", "İstanbul Şeker"],
    "gbk": ["番茄 土豆 黄瓜", "鸟 鱼 马 牛"],
}


@pytest.mark.parametrize(
    ("encoding", "words"),
    [*CASES, *((encoding, words.split()) for encoding, each in HARD.items() for words in each)],
)
def test_a_wrong_reading_is_never_taken_for_sure(encoding, words):
    found = find_name_encoding(names_of(encoding, words))
    right = [found.decode(word.encode(encoding)) for word in words] == words
    assert right or not found.is_sure
    assert found.is_sure or found.other is not None


@pytest.mark.parametrize("words", ["ä", "猫", "кошка", "고양이 café"])
def test_utf_8_is_told_by_its_bytes_alone(words):
    found = find_name_encoding([words.encode()])
    assert (found.encoding, found.is_sure) == ("utf-8", True)


def test_one_name_that_is_no_utf_8_tells_of_all():
    names = ["猫".encode("gbk"), "狗".encode("gbk")]
    assert names[0].decode() == "\u00e8"  # by chance
    assert find_name_encoding(names).decode(names[0]) == "猫"


def test_frames_and_currencies_are_no_names():
    cat = ["кот", "пес"]
    assert find_name_encoding(names_of("cp866", cat)).encoding == "cp866"
    assert "│" in b"\xb3".decode("cp437")
    assert find_name_encoding([b"\xb3\xb4\xd9\xda\xbf"]).encoding != "cp437"


def test_numbers_and_suffixes_in_names_count_for_nothing():
    few = find_name_encoding(names_of("cp1252", ["Bär", "Löwe"])[::4])
    many = [f"Bär {i}/Löwe{i}.jpeg".encode("cp1252") for i in range(3000)]
    assert find_name_encoding(many).encoding == few.encoding == "cp1252"


def test_a_sure_reading_is_said_and_a_doubtful_one_warned_of_with_both(caplog):
    with caplog.at_level(logging.INFO):
        decode = name_decoder(Path("a.zip"), names_of("cp1252", ["käse", "früh"]))
    assert decode("käse".encode("cp1252")) == "käse"
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert (
        'a.zip does not say how its names are written; by their letters they are cp1252 ("käse"'
        in (record.getMessage())
    )
    caplog.clear()
    name_decoder(Path("a.zip"), names_of("cp949", ["소", "말", "양"]))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for word in ("encoding of its names is unknown", "cp949", '"소"', "--name-encoding", "unpack"):
        assert word in record.getMessage()


def test_an_encoding_that_is_named_is_used_and_needs_no_word(caplog):
    with caplog.at_level(logging.INFO):
        decode = name_decoder(Path("a.zip"), [b"\x81"], "cp866")
    assert decode(b"\x81") == "Б"
    assert caplog.text == ""


def test_names_too_short_to_tell_keep_their_bytes_where_that_is_wanted(caplog):
    with caplog.at_level(logging.WARNING):
        decode = name_decoder(Path("a.tar"), [b"a/\xff.png"], or_bytes=True)
    assert decode(b"a/\xff.png") == "a/\udcff.png"
    assert "unknown" in caplog.text


@pytest.mark.parametrize("encoding", ["utf9", "", "base64", "rot13", "a\0b"])
def test_what_is_no_encoding_of_names_is_refused(encoding):
    with pytest.raises(SourceError, match="There is no encoding .* Usual ones: cp437, cp850"):
        require_name_encoding(encoding)


@pytest.mark.parametrize("encoding", [None, "gbk", "Shift-JIS", "utf-8", "CP1252"])
def test_others_are_taken(encoding):
    require_name_encoding(encoding)
