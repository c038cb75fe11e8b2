"""The text of a layer file as sections of options, read as the program's parser reads it.

Option names are the same in capital and small letters, lines that begin with # or ; are comments, a
section [DEFAULT] holds for all. What the program never used, %(name)s, is an error: a small file
could expand to a large text with it.
"""

from __future__ import annotations

import configparser
import math
from collections.abc import Callable
from typing import TypeVar

from alexnet.errors import RecipeError, did_you_mean

__all__ = ["Section", "layer_error", "read_sections"]

_LONGEST = 1 << 20  # characters; the largest of the program's own files have 20,000
_MOST_SECTIONS = 1000

_Value = TypeVar("_Value", int, float)

_BOOLEANS = configparser.ConfigParser.BOOLEAN_STATES


def layer_error(layer: str, what: str) -> RecipeError:
    """Return the error that every check raises: the layer's name, then what is wrong."""
    return RecipeError(f'Layer "{layer}": {what}')


class Section:
    """The options of one layer, each read by name and type.

    Args:
        name: of the layer.
        options: as texts, names in small letters.
    """

    def __init__(self, name: str, options: dict[str, str]) -> None:
        self.name, self.options = name, options

    def error(self, what: str) -> RecipeError:
        """Return an error that names this layer."""
        return layer_error(self.name, what)

    def has(self, option: str) -> bool:
        """Say whether the option is given."""
        return option.lower() in self.options

    def first(self, *options: str) -> str:
        """Return the first of several spellings that is given, else the first spelling."""
        return next((option for option in options if self.has(option)), options[0])

    def text(self, option: str, default: str | None = None) -> str:
        """Return an option as it stands; without a default it must be given."""
        value = self.options.get(option.lower(), default)
        if value is None:
            raise self.error(
                f'the option "{option}" is missing. Add a line {option}=... to [{self.name}].'
            )
        return value.strip()

    def texts(self, option: str, default: str | None = None) -> list[str]:
        """Return a list, separated by commas in the file."""
        return [text.strip() for text in self.text(option, default).split(",")]

    def boolean(self, option: str, default: bool) -> bool:
        """Return true or false, in any of the words of such files."""
        value = self.text(option, str(default)).lower()
        if value not in _BOOLEANS:
            raise self.error(f'{option} must be 0 or 1, true or false; got "{value}".')
        return _BOOLEANS[value]

    def integer(
        self,
        option: str,
        default: int | None = None,
        *,
        least: int | None = None,
        most: int | None = None,
    ) -> int:
        """Return a whole number within bounds."""
        text = self.text(option, None if default is None else str(default))
        return self._within(option, self._number(option, text, int), least, most)

    def number(
        self,
        option: str,
        default: float | None = None,
        *,
        least: float | None = None,
        most: float | None = None,
    ) -> float:
        """Return a finite number within bounds."""
        text = self.text(option, None if default is None else str(default))
        return self._within(option, self._number(option, text, float), least, most)

    def integers(
        self, option: str, count: int, default: int | None = None, *, least: int
    ) -> list[int]:
        """Return one whole number for each of `count` inputs; a single one holds for all."""
        texts = self.texts(option, None if default is None else str(default))
        values = [self._number(option, text, int) for text in texts]
        values = self.one_for_each(option, values, count)
        return [self._within(option, value, least, None) for value in values]

    def numbers(self, option: str, count: int, default: float | None = None) -> list[float]:
        """Return one finite number for each of `count` inputs; a single one holds for all."""
        texts = self.texts(option, None if default is None else str(default))
        values = [self._number(option, text, float) for text in texts]
        return self.one_for_each(option, values, count)

    def one_for_each(self, option: str, values: list[_Value], count: int) -> list[_Value]:
        """Return `count` values of a list that has as many, or one for all inputs."""
        if len(values) == 1:
            return values * count
        if len(values) != count:
            raise self.error(
                f"{option} has {len(values)} entries, but the layer has {count} inputs. Give one "
                "for each input, or one for all."
            )
        return values

    def require_known_options(self, *options: str) -> None:
        """Raise for an option that nothing reads: a typing error would change the network."""
        known = {option.lower(): option for option in options}
        for option in self.options:
            if option not in known:
                raise self.error(
                    f'there is no option "{option}".'
                    f"{did_you_mean(option, known.values())} Mend or remove that line."
                )

    def _number(self, option: str, text: str, kind: Callable[[str], _Value]) -> _Value:
        words = "a whole number" if kind is int else "a number"
        try:
            value = kind(text.strip())
        except (ValueError, OverflowError):
            raise self.error(f'{option} must be {words}; got "{text[:60]}".') from None
        if not math.isfinite(value) or abs(value) > 1e15:
            raise self.error(f'{option} must be {words} of a sensible size; got "{text[:60]}".')
        return value

    def _within(
        self, option: str, value: _Value, least: float | None, most: float | None
    ) -> _Value:
        if least is not None and most is not None and not least <= value <= most:
            raise self.error(f"{option} must be between {least:g} and {most:g}; got {value:g}.")
        if least is not None and value < least:
            raise self.error(f"{option} must be at least {least:g}; got {value:g}.")
        if most is not None and value > most:
            raise self.error(f"{option} must be at most {most:g}; got {value:g}.")
        return value


def read_sections(text: str, where: str) -> dict[str, Section]:
    """Read the text of a file.

    Args:
        text: of the file.
        where: its name, for errors.

    Returns:
        Each section by its name, in order; of two with one name the later adds to the earlier.

    Raises:
        RecipeError: the text is no such file, or too long.
    """
    if len(text) > _LONGEST:
        raise RecipeError(
            f"{where} has {len(text):,} characters, and a layer file at most {_LONGEST:,}. "
            "Is it another kind of file?"
        )
    parser = configparser.ConfigParser(
        strict=False,
        interpolation=None,
        comment_prefixes=("#", ";"),
        inline_comment_prefixes=(";",),  # where a blank stands before it
        empty_lines_in_values=False,
    )
    try:
        parser.read_string(text)
    except configparser.Error as error:
        reason = " ".join(str(error).split())[:200]
        raise RecipeError(
            f"{where} is not a layer file: {reason}. It has lines [NAME] and OPTION=VALUE."
        ) from None
    if len(parser.sections()) > _MOST_SECTIONS:
        raise RecipeError(
            f"{where} has {len(parser.sections()):,} layers; {_MOST_SECTIONS:,} is the limit."
        )
    sections = {name: Section(name, dict(parser.items(name))) for name in parser.sections()}
    for section in sections.values():
        if any("%(" in value for value in section.options.values()):
            raise section.error("%(...) is not read in layer files. Write the value itself.")
    return sections
