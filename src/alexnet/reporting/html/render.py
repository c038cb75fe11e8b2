"""Pages from the templates of this room: one HTML file each, nothing from elsewhere.

Class names, paths and words come from folders that anybody may have filled: everything that a
template writes is escaped, and characters that cannot be seen are written as codes.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from alexnet.files import replace_file
from alexnet.reporting.html.format import NARROW, escape_controls, percent
from alexnet.text import format_count, format_number, format_setting, join_words

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["environment", "render", "write_page"]

_CRISP_PX = 48  # images up to this side are shown enlarged, every pixel a square
_SHOWN_PX = 104  # about how large an image is shown


def render(template: str, *, side_px: int = 0, **values: object) -> str:
    """Return a whole page as text.

    Args:
        template: name of a file in `templates`.
        side_px: the longest side of the images in the page; 0: there are none.
        **values: what the template shows.
    """
    style, script = _own("page.css"), _own("page.js")
    crisp, shown_px = _image_size(side_px)
    return (
        environment()
        .get_template(template)
        .render(
            style=style,
            script=script,
            policy=_policy(script),
            crisp=crisp,
            shown_px=shown_px,
            narrow=NARROW,
            **values,
        )
    )


def write_page(path: Path, text: str) -> Path:
    """Write a page as a whole or not at all; return its path.

    Raises:
        RunError: the disk refuses.
    """
    replace_file(path, lambda file: file.write(text.encode()))
    return path


@cache
def environment() -> Environment:
    """Return what every template is drawn with; jinja2 is imported when the first page is."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("alexnet.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    functions = (format_count, format_number, format_setting, join_words, percent)
    filters = cast("dict[str, Any]", made.filters)
    filters.update({function.__name__: function for function in functions})
    return made


def _finalize(value: object) -> object:
    """Prepare a value for escaping; what is HTML already (a macro's output) stays as it is."""
    if value is None:
        return ""
    if hasattr(value, "__html__"):
        return value
    return escape_controls(str(value))


def _image_size(side: int) -> tuple[bool, int]:
    """Return how images are shown: small ones enlarged by a whole factor, pixel for pixel."""
    if 0 < side <= _CRISP_PX:
        return True, side * max(1, round(_SHOWN_PX / side))
    return False, max(_SHOWN_PX, min(side, 128))


def _policy(script: str) -> str:
    """Allow the page its own script, styles and embedded images, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    own = f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; {own}"


@cache
def _own(name: str) -> str:
    path = package_files("alexnet.reporting").joinpath("templates", name)
    return path.read_text(encoding="utf-8").strip()
