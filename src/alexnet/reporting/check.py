"""The page of a check: copies side by side, odd pictures by kind, classes, what to leave out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.data import Source
from alexnet.errors import RunError, SourceError
from alexnet.files import replace_file, write_json
from alexnet.images import decode
from alexnet.records import FLAWS, CheckReport, ClassSize, CopyGroup, FoundPicture
from alexnet.reporting.html.markup import NARROW, Markup, bdi, element, join, list_in_words, percent
from alexnet.reporting.html.page import Section, document
from alexnet.reporting.html.table import sortable_table
from alexnet.reporting.run.examples import as_data_uri, make_album
from alexnet.text import counted

__all__ = ["draw_check", "refuse_other", "shown_pictures", "write_check"]

_GROUPS = 48  # shown as pictures; the others stand in the list below
_IN_A_GROUP = 6  # a row of them
_OF_A_KIND = 24
_ROWS = 2000  # of a list; check.json names all


def shown_pictures(report: CheckReport) -> list[str]:
    """Return the paths of the pictures that the page shows, the most wanted first, each once."""
    groups = chain(report.copies[:_GROUPS], report.near_copies[:_GROUPS])
    in_groups = (each.path for group in groups for each in group.pictures[:_IN_A_GROUP])
    odd = (each.path for found in report.flaws.values() for each in found[:_OF_A_KIND])
    return list(dict.fromkeys(chain(in_groups, odd)))


@dataclass(frozen=True)
class _Album:
    """What the cards show besides the findings."""

    pictures: Mapping[str, bytes]  # encoded, by path
    words: Mapping[str, str]  # what classes mean whose names are codes


def draw_check(report: CheckReport, pictures: Mapping[str, bytes], *, side_px: int) -> str:
    """Draw the whole page.

    Args:
        report: what was found.
        pictures: encoded pictures by path; those that are missing leave a word in their place.
        side_px: the longest side among them.
    """
    words = {each.name: each.words.partition(",")[0] for each in report.classes if each.words}
    album = _Album(pictures, words)
    sections = [
        Section(
            "copies",
            "Copies",
            "Equal pixels, whatever the files are called and however they are packed.",
            _groups(report.copies, album, "No two pictures have equal pixels."),
        ),
        Section(
            "near",
            "Nearly the same",
            (
                "Compressed again, made smaller, lighter or darker; seldom two that only look so. "
                f"At least {report.alike_from:.2f} alike in light and dark, 1 being the same."
            ),
            _groups(report.near_copies, album, "No two pictures are nearly the same."),
        ),
        Section("odd", "Single pictures", "", _odd(report, album)),
        Section("classes", "Classes", "Readable pictures of each.", _classes(report)),
        Section("next", "What to leave out", "A rule, not a judgement: read it.", _next(report)),
    ]
    title = f"{report.source} · alexnet check"
    return document(title, _headline(report), sections, side_px=side_px)


def _headline(report: CheckReport) -> Markup:
    facts = {
        "copies": _counted(report.copies),
        "nearly the same": _counted(report.near_copies),
        "cannot be read": counted(len(report.flaws.get("unreadable", [])), "picture"),
        "formats": ", ".join(f"{n:,} {name}" for name, n in report.formats.items()),
    }
    if report.splits:
        facts["splits"] = ", ".join(f"{n:,} {name}" for name, n in report.splits.items())
    if report.sizes is not None:
        sides = [report.sizes.smallest, report.sizes.median, report.sizes.largest]
        least, middle, most = (f"{width:,} × {height:,}" for width, height in sides)
        facts["pixels"] = middle if least == most else f"{least} to {most}, median {middle}"
        facts["cut away by the centre crop"] = f"{percent(report.sizes.cropped)} on average"
    facts["looked at"] = f"{report.images_per_s:,.0f} images/s"
    rows = [
        element("div", element("dt", name), element("dd", value)) for name, value in facts.items()
    ]
    left_out = len(report.exclude)
    sentence = element(
        "p",
        f"of {counted(report.pictures, 'picture')} are better left out."
        if left_out
        else f"of {counted(report.pictures, 'picture')} has to be left out.",
        element("br"),
        f"{report.readable:,} can be read, {counted(len(report.classes), 'class', 'classes')}.",
    )
    figure = element("p", f"{left_out:,}" if left_out else "none", class_="figure")
    return element(
        "header",
        element("p", "alexnet check", class_="eyebrow"),
        element("h1", bdi(report.source)),
        element("div", figure, sentence, class_="result"),
        element("dl", *rows, class_="facts"),
        *[element("p", note, class_="note") for note in [*_missing(report), *report.notes]],
    )


def _counted(groups: Sequence[CopyGroup]) -> str:
    if not groups:
        return "none"
    parts = [counted(len(groups), "group")]
    splits = sum(group.across_splits for group in groups)
    classes = sum(group.across_classes for group in groups)
    parts += [f"{splits:,} across splits"] if splits else []
    parts += [f"{classes:,} across classes"] if classes else []
    return ", ".join(parts)


def _missing(report: CheckReport) -> list[str]:
    lacking: dict[str, list[str]] = {}
    for each in report.missing:
        lacking.setdefault(each.split, []).append(each.name)
    return [
        f"{split} has no picture of {list_in_words(names[:10])}"
        + (f" and {len(names) - 10:,} more." if len(names) > 10 else ".")
        for split, names in lacking.items()
    ]


def _groups(groups: Sequence[CopyGroup], album: _Album, none: str) -> Markup:
    if not groups:
        return element("p", none, class_="empty")
    rows = [
        (f"{number:,}", each) for number, group in enumerate(groups, 1) for each in group.pictures
    ]
    shown = [element("li", _group(group, album)) for group in groups[:_GROUPS]]
    return join(
        element("ul", *shown, class_="groups", role="list"),
        _list(f"All {counted(len(groups), 'group')}", rows, "group"),
    )


def _group(group: CopyGroup, album: _Album) -> Markup:
    across = [
        name
        for name, so in (("classes", group.across_classes), ("splits", group.across_splits))
        if so
    ]
    more = len(group.pictures) - _IN_A_GROUP
    said = f"across {list_in_words(across)}" if across else "within a split"
    heading = element("p", said + (f", {more:,} more" if more > 0 else ""), class_="across")
    cards = [
        element("li", _card(each, album, wrong=group.across_classes))
        for each in group.pictures[:_IN_A_GROUP]
    ]
    return join(heading, element("ul", *cards, class_="pictures", role="list"))


def _card(found: FoundPicture, album: _Album, *, wrong: bool = False) -> Markup:
    label = element("span", bdi(album.words.get(found.label, found.label)), class_="name")
    name = found.path.rpartition("/")[2]
    split = element("span", found.split, class_="p") if found.split else None
    data = album.pictures.get(found.path)
    image = (
        element("span", "no picture", class_="gone")
        if data is None
        else element("img", src=as_data_uri(data), alt=found.path, decoding="async")
    )
    caption = element(
        "figcaption",
        element("span", label, class_="answer"),
        element("span", element("span", bdi(name), class_="name"), split, class_="truth"),
        element("span", found.detail, class_="as") if found.detail else None,
    )
    kind = "card wrong" if wrong else "card"
    return element("figure", image, caption, class_=kind, title=found.path)


def _odd(report: CheckReport, album: _Album) -> Markup:
    parts = [_kind(kind, found, album) for kind, found in report.flaws.items()]
    fine = [flaw.title for kind, flaw in FLAWS.items() if kind not in report.flaws]
    if fine:
        parts.append(element("p", f"Not found: {'; '.join(fine)}.", class_="empty"))
    return join(*parts)


def _kind(kind: str, found: Sequence[FoundPicture], album: _Album) -> Markup:
    flaw = FLAWS[kind]
    cards = [element("li", _card(each, album)) for each in found[:_OF_A_KIND]]
    rows = [("", each) for each in found]
    return element(
        "div",
        element("h3", flaw.title.capitalize(), element("small", counted(len(found), "picture"))),
        element("p", flaw.advice),
        element("ul", *cards, class_="pictures", role="list"),
        _list(f"All {counted(len(found), 'picture')}", rows, "")
        if len(found) > len(cards)
        else None,
        class_="gallery",
    )


def _list(title: str, rows: Sequence[tuple[str, FoundPicture]], number: str) -> Markup:
    """List pictures by path, folded away; a long list shows its beginning."""
    names = [*([number] if number else []), "path", "class", "split", ""]
    head = [element("th", name, scope="col") for name in names]
    body = [
        element(
            "tr",
            element("th", place, scope="row") if number else None,
            *[element("td", bdi(text)) for text in (each.path, each.label, each.split)],
            element("td", each.detail),
        )
        for place, each in rows[:_ROWS]
    ]
    more = len(rows) - _ROWS
    table = element(
        "table", element("thead", element("tr", *head)), element("tbody", *body), class_="listed"
    )
    return element(
        "details",
        element("summary", title),
        element("div", table, class_="scroll", tabindex=0, role="group", aria_label=title),
        element("p", f"... and {more:,} pictures more in check.json.") if more > 0 else None,
    )


def _classes(report: CheckReport) -> Markup:
    splits = [*report.splits] if report.splits else []
    most = max((each.pictures for each in report.classes), default=0) or 1
    ordered = sorted(report.classes, key=lambda each: each.pictures)
    return sortable_table(
        ("class", "", *splits, "pictures"),
        [_class_row(each, splits, most) for each in ordered],
        kind="classes",
        label="Classes",
        unnamed="share of the largest class",
    )


def _class_row(each: ClassSize, splits: Iterable[str], most: int) -> Markup:
    code = element("small", bdi(each.name)) if each.words else None
    width = f"left:0;right:{100 - 100 * each.pictures / most:.1f}%"
    bar = element("span", element("i", class_="band", style=width), class_="bar")
    cells = [*(each.splits.get(split, 0) for split in splits), each.pictures]
    return element(
        "tr",
        element("th", element("span", bdi(each.words or each.name), code), scope="row"),
        element("td", bar, class_="bars"),
        *[element("td", f"{n:,}", data_v=n) for n in cells],
    )


def _next(report: CheckReport) -> Markup:
    rule = element(
        "p",
        "Out is what cannot be read or is blank. Copies and near copies in different classes are "
        "all out, for nobody knows which is right. Of copies in different splits test keeps its "
        "own, before val, before train; within a split the first stays.",
    )
    if not report.exclude:
        return join(rule, element("p", "Here that is none.", class_="empty"))
    share = percent(len(report.exclude) / report.pictures)
    where = report.exclude_to or "exclude.csv"
    write = f"alexnet check {report.source} --exclude-to {where}"
    commands = [*([write] if report.exclude_to is None else [])]
    commands.append(f"alexnet train {report.source} --exclude {where}")
    return join(
        rule,
        element("p", f"Here that is {counted(len(report.exclude), 'picture')},{NARROW}{share}."),
        *[element("pre", element("code", each), class_="command") for each in commands],
        element("p", "Beside this page, everything for other programs:"),
        element("ul", element("li", element("a", "check.json", href="check.json")), class_="files"),
    )


_DATA = "check.json"
_PAGE = "index.html"
_MOST_PX = 128  # of a picture in the page
_BUDGET = 3_000_000  # bytes of encoded pictures; base64 adds a third


def write_check(folder: Path, report: CheckReport, source: Source) -> Path:
    """Write `index.html`, which needs nothing else, and `check.json`; return the page.

    Args:
        folder: made where missing; the files of an earlier check are replaced.
        report: what was found.
        source: where the pictures are, to show some hundreds of them at most.

    Raises:
        RunError: the folder holds something else, or the disk refuses.
    """
    refuse_other(folder)
    write_json(folder / _DATA, report.to_json())
    paths = shown_pictures(report)
    wanted = set(paths)
    place = {path: i for i, path in enumerate(source.paths) if path in wanted}
    album = make_album(
        lambda item: _small(source, place.get(paths[item])), range(len(paths)), budget=_BUDGET
    )
    pictures = {paths[item]: data for item, data in album.encoded.items()}
    text = draw_check(report, pictures, side_px=album.side_px)
    replace_file(folder / _PAGE, lambda file: file.write(text.encode()))
    return folder / _PAGE


def refuse_other(folder: Path) -> None:
    """Raise RunError where a folder is none, or holds something else than a check."""
    strange = folder.is_dir() and any(folder.iterdir()) and not (folder / _DATA).is_file()
    if strange or (folder.exists() and not folder.is_dir()):
        raise RunError(
            f"{folder} holds something else than a check. Name a new or an empty folder with "
            "--report."
        )


def _small(source: Source, index: int | None) -> NDArray[np.uint8] | None:
    """Return a picture in its own proportions, small; None where it is not to be had."""
    if index is None:
        return None
    try:
        pixels = decode(source.read(index), source.paths[index])
    except SourceError:
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((_MOST_PX, _MOST_PX), Image.Resampling.LANCZOS)
    return np.array(image)
