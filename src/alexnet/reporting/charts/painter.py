"""The one painter of every chart: matplotlib, as SVG in the page's own colors and as PNG.

matplotlib is imported where a chart is drawn, never when this module is: a training starts sooner.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

from alexnet.files import replace_file
from alexnet.locks import own_warning_filters
from alexnet.reporting.html.format import escape_controls, percent
from alexnet.text import format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = [
    "CORRECT",
    "HAIR",
    "INK",
    "NARROW_PX",
    "PAPER",
    "SOFT",
    "WIDE_PX",
    "WRONG",
    "Chart",
    "chart_style",
    "name_upright_axis",
    "new_chart",
    "number_ticks",
    "percent_ticks",
    "save_png",
    "to_svg",
]

INK, SOFT, HAIR, PAPER = "#1d1c1a", "#68645b", "#e3dfd5", "#fbfaf7"
CORRECT, WRONG = "#226c64", "#ba441c"
WIDE_PX, NARROW_PX = 840, 400  # of a chart; on a small screen the letters of the first are dust
_VARIABLES = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    HAIR: "var(--hair)",
    PAPER: "var(--paper)",
    CORRECT: "rgb(var(--correct))",
    WRONG: "rgb(var(--wrong))",
}
"""What each color is called in the style sheet, which has another value for it in the dark."""

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": HAIR,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.labelsize": "medium",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.unicode_minus": False,
    "figure.constrained_layout.h_pad": 0.15,
    "figure.constrained_layout.w_pad": 0.15,
    "figure.facecolor": "white",
    "image.interpolation": "nearest",
    "grid.color": HAIR,
    "grid.linewidth": 1.0,
    "lines.linewidth": 1.75,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.pad": 7,
    "xtick.major.size": 0,
    "ytick.major.pad": 8,
    "ytick.major.size": 0,
}
_PX = 72  # to the inch: an SVG's unit is then a pixel
_DPI = 144  # of a PNG
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"


class Chart(NamedTuple):
    """A chart of a page, drawn for every screen or for wide and for small ones."""

    title: str
    svg: str
    narrow: str = ""


@contextmanager
def chart_style(*, font_px: int = 12, seed: str = "") -> Generator[None]:
    """Draw in the pages' style; letters that no font has are boxes, not warnings.

    Args:
        font_px: size of the letters.
        seed: of the names inside an SVG, which differ from chart to chart of a page.
    """
    import matplotlib as mpl

    own: dict[Any, Any] = {"font.size": font_px, "svg.hashsalt": seed}
    with own_warning_filters(), mpl.rc_context(_STYLE | own):  # both are the process's
        warnings.simplefilter("ignore", UserWarning)
        yield


def new_chart(
    width: int, height: int, *, left: int = 52, right: int = 14, top: int = 26, bottom: int = 44
) -> Axes:
    """Return the axes of a chart of so many pixels, with margins as wide as stated."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / _PX, height / _PX), dpi=_PX)
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    return figure.add_axes(box)


def number_ticks(axis: Axis, *, most: int = 5, whole: bool = False) -> None:
    """Put at most so many round numbers on a linear or logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    low, high = axis.get_view_interval()
    if axis.get_scale() != "log" or high / low < (4 if whole else 9.99):
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], integer=whole))
    elif whole:
        axis.set_major_locator(LogLocator(2, numticks=most))
    else:
        decades = math.log10(high / low)
        steps = (1.0, 2.0, 5.0) if decades < 1.5 else (1.0, 3.0) if decades < 2.5 else (1.0,)
        axis.set_major_locator(LogLocator(10, subs=steps, numticks=most + 1))
    axis.set_major_formatter(FuncFormatter(_write_number))
    axis.set_tick_params(
        which="minor", left=False, bottom=False, labelleft=False, labelbottom=False
    )


def name_upright_axis(axes: Axes, name: str) -> None:
    """Name the upright axis of a chart above its end, where the name need not be turned."""
    place = (8 - axes.bbox.x0, 12)
    axes.annotate(name, (0, 1), place, xycoords="axes fraction", textcoords="offset points")


def percent_ticks(axis: Axis) -> None:
    """Write the shares of a linear axis as percents."""
    from matplotlib.ticker import FuncFormatter

    number_ticks(axis)
    low, high = axis.get_view_interval()
    digits = 0 if high - low > 0.045 else 1 if high - low > 0.0045 else 2

    def write(share: float, _: int | None) -> str:
        return percent(share, digits)

    axis.set_major_formatter(FuncFormatter(write))


def _write_number(value: float, _: int | None) -> str:
    return format_number(value)


def to_svg(axes: Axes, label: str, tips: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return a chart as an `<svg>` for a page: no size, no font, no color of its own.

    Args:
        axes: of the chart; it has its figure to itself.
        label: what a reader who can't see it should know.
        tips: words for each point of a drawn thing (or for the whole line), by its gid.
    """
    figure: Figure = axes.get_figure()  # pyright: ignore[reportAssignmentType]
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", metadata=nothing)
    root = ElementTree.fromstring(file.getvalue())  # noqa: S314 - written just now, here
    for gid, words in (tips or {}).items():
        _add_tips(root, gid, words)
    _clean(root)
    box, (first, last) = axes.get_window_extent(), axes.get_xlim()
    root.attrib |= {"role": "img", "aria-label": escape_controls(label)}
    root.attrib |= {"data-left": f"{box.x0:g}", "data-right": f"{box.x1:g}"}
    root.attrib |= {"data-first": f"{first:g}", "data-last": f"{last:g}"}
    return ElementTree.tostring(root, encoding="unicode")


def save_png(path: Path, figure: Figure) -> None:
    """Render and write a figure.

    Raises:
        RunError: the disk refuses.
    """
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    replace_file(path, lambda out: out.write(file.getbuffer()))


def _add_tips(root: ElementTree.Element, gid: str, words: Sequence[str]) -> None:
    """Give each drawn point of a group the words that a browser shows under the pointer."""
    group = root.find(f".//*[@id='{gid}']")
    if group is None:
        return
    defined = {id(shape) for defs in group.iter(f"{_SVG}defs") for shape in defs.iter()}
    shapes = [
        shape
        for shape in group.iter()
        if shape.tag in (f"{_SVG}use", f"{_SVG}path") and id(shape) not in defined
    ]
    for shape, tip in zip(shapes, words, strict=True):
        ElementTree.SubElement(shape, f"{_SVG}title").text = escape_controls(tip)


def _clean(root: ElementTree.Element) -> None:
    """Take out what matplotlib 3.11 writes for a file of its own: fonts, sizes, a style sheet.

    Its `<style>` would hold for the whole page, and its ids would be there once a chart.
    """
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    for defs in root.findall(f"{_SVG}defs"):
        for style in defs.findall(f"{_SVG}style"):
            defs.remove(style)
    linked = set(re.findall(r'(?:href="|url\()#([^")]+)', ElementTree.tostring(root, "unicode")))
    for element in root.iter():
        element.tail = None
        attributes = element.attrib
        if attributes.get("id") not in linked:
            attributes.pop("id", None)
        if link := attributes.pop(f"{_XLINK}href", None):
            attributes["href"] = link
        for name in ("d", "x", "y"):
            if name in attributes:
                attributes[name] = _shorter(attributes[name])
        if style := attributes.get("style"):
            attributes["style"] = _themed(style)
        element.tag = element.tag.removeprefix(_SVG)
        if element.tag == "text":
            attributes.pop("transform", None)  # nothing but a turn by 0 degrees: no text is turned
        elif not (element.text or "").strip():
            element.text = None


def _themed(style: str) -> str:
    """Leave letters and colors to the style sheet."""
    style = re.sub(r"font[^;]*: [^;]*;? ?", "", style)
    return re.sub("#[0-9a-f]{6}", lambda color: _VARIABLES.get(color[0], color[0]), style)


def _shorter(numbers: str) -> str:
    """Round coordinates to a tenth of a pixel, and write a path on one line."""
    rounded = re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.1f}", numbers)
    return " ".join(rounded.split()).replace(".0 ", " ")
