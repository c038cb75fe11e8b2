"""`alexnet export`: trained weights for other programs."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.commands.signature import Place
from alexnet.data import SPLITS, Pack, nothing_readable, open_source
from alexnet.errors import RecipeError, SourceError
from alexnet.evaluation import stored_pictures
from alexnet.evaluation.held_out import held_out_pictures
from alexnet.evaluation.inputs import NamedPictures
from alexnet.progress import track
from alexnet.records import ExportReport

if TYPE_CHECKING:
    from alexnet.data import Source
    from alexnet.images import Preprocessing

__all__ = ["ShownPictures", "choose_pictures", "export"]

_log = logging.getLogger(__name__)

_BATCH = 32
_FILES = 8  # that are wanted as files


@dataclass(frozen=True)
class ShownPictures:
    """Pictures by number, and which of them are shown."""

    place: Path
    pictures: Source | Pack | NamedPictures
    indices: NDArray[np.int64]
    positions: NDArray[np.int64] | None  # of the source's classes among the weights'; None: others
    doing: str = "checking"  # what they are for, as a verb

    def batches(self, rule: Preprocessing) -> Iterator[tuple[NDArray[np.uint8], Labels]]:
        """Yield stored pictures, (n, S, S, 3) uint8, and (n,) their classes where they have some.

        What cannot be read is passed over.

        Raises:
            SourceError: nothing can be read.
        """
        failures: list[tuple[str, str]] = []
        with track(self.doing, len(self.indices)) as advance:
            for stored in stored_pictures([rule], self.pictures, self.indices, batch=_BATCH):
                failures += [(self.pictures.paths[index], why) for index, why in stored.failures]
                if len(stored.indices):
                    yield stored.pictures[0], self._labels(stored.indices)
                advance(len(stored.indices) + len(stored.failures))
        if failures and len(failures) == len(self.indices):
            raise nothing_readable(self.place, failures)

    def pixels(self, rule: Preprocessing) -> Iterator[NDArray[np.uint8]]:
        """Yield stored pictures alone."""
        return (pictures for pictures, _ in self.batches(rule))

    def files(self) -> list[tuple[str, bytes]]:
        """Return name and bytes of the first pictures that can be read."""
        found: list[tuple[str, bytes]] = []
        indices: list[int] = self.indices[: 4 * _FILES].tolist()
        for index in indices:
            try:
                found.append((self.pictures.paths[index], self._read(index)))
            except SourceError:
                continue
        return found

    def _read(self, index: int) -> bytes:
        if not isinstance(self.pictures, Pack):
            return self.pictures.read(index)
        buffer = io.BytesIO()
        (pixels,) = self.pictures.read(np.array([index], dtype=np.int64))
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()

    def _labels(self, indices: NDArray[np.int64]) -> Labels:
        if self.positions is None or isinstance(self.pictures, NamedPictures):
            return None
        return self.positions[self.pictures.labels[indices]]


Labels = NDArray[np.int64] | None


def choose_pictures(
    place: Path,
    classes: tuple[str, ...],
    *,
    most: int,
    split: str | None = None,
    weights: Path | None = None,
) -> ShownPictures:
    """Choose pictures of a source, or of pictures without classes.

    Args:
        place: a source; or a picture, a folder or an archive of pictures.
        classes: of the weights.
        most: pictures, evenly spread over all.
        split: which; None: train where `weights` is None, else what says how good they are.
        weights: whose held-out pictures are wanted; None: those to learn from.

    Raises:
        SourceError: nothing is there, or it lacks the split.
    """
    try:
        source = open_source(place, fewest_classes=1)
    except SourceError:
        named = NamedPictures([place])
        if not place.exists() or split is not None or not len(named.indices):
            raise
        return ShownPictures(place, named, _spread(named.indices, most), None)
    if weights is None:
        train = np.flatnonzero(source.splits == SPLITS.index("train"))
        indices = train if len(train) else np.arange(len(source.labels))
    else:
        _, indices = held_out_pictures(source, split, [weights], where=place)
    position = {name: i for i, name in enumerate(classes)}
    unknown = [name for name in source.classes if name not in position]
    if unknown:
        _log.warning(
            'The weights do not know the class "%s" of %s, so nothing is said of right answers.',
            unknown[0],
            place,
        )
        return ShownPictures(place, source, _spread(indices, most), None)
    positions = np.array([position[name] for name in source.classes], dtype=np.int64)
    return ShownPictures(place, source, _spread(indices, most), positions)


def _spread(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(np.int64)]


def export(
    weights: Place,
    *,
    to: Literal["onnx", "torchscript", "openvino", "safetensors"],
    out: Place,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    takes: Literal["picture", "crop", "numbers"] = "picture",
    gives: Literal["probabilities", "logits"] = "probabilities",
    plain_operators: bool = False,
    calibrate: Place | None = None,
    check: Place | None = None,
    split: Literal["train", "val", "test", "all"] | None = None,
    pictures: int = 256,
    test_vectors: Place | None = None,
) -> ExportReport:
    """Write trained weights in a form that other programs run, and check it on pictures.

    The file is opened by a program that runs it and asked about pictures; it is kept only if it
    answers as the weights do.

    Args:
        weights: weights file, or run folder (its best weights).
        to: the form: onnx for ONNX Runtime and many others; torchscript for torch without alexnet;
            openvino; safetensors is a weights file for alexnet itself.
        out: file to write, for openvino the .xml of its two; replaced as a whole.
        precision: of weights and arithmetic: fp16 halves the file, int8 quarters it.
        takes: picture - uint8 RGB of the stored size, the centre is cut and prepared inside; crop -
            the central crop, uint8 RGB; numbers - what is left after all preprocessing.
        gives: probabilities (softmax inside) or logits.
        plain_operators: write normalisation as elementary operators, for programs that have none.
        calibrate: for int8: pictures on which the ranges of activations are seen, best those that
            the weights were trained on.
        check: pictures to check on, best a source with classes that the weights know, since right
            answers are counted then; none: some that are made for it.
        split: which pictures to check on; none: as evaluate chooses.
        pictures: most pictures of each source that are used, evenly spread.
        test_vectors: folder for some pictures, the numbers after preprocessing, the answers, and a
            page that says the preprocessing exactly enough to write it again in another language.

    Returns:
        What was written, and how far it is from the weights.

    Raises:
        WeightsError: the weights cannot be used or written so, or the file answers otherwise.
        SourceError: the pictures cannot be used.
        RecipeError: a setting cannot work.
        RunError: the file cannot be written.
    """
    from alexnet.exporters import ExportRequest, export_weights, write_vectors
    from alexnet.weights import load_weights

    if pictures < 1:
        raise RecipeError(f"pictures must be at least 1; got {pictures}.")
    if split is not None and check is None:
        raise RecipeError("--split chooses among the pictures of --check. Name some, or leave it.")
    loaded = load_weights(Path(weights))
    batches = shown = None
    if check is not None:
        shown = choose_pictures(
            Path(check), loaded.classes, most=pictures, split=split, weights=Path(weights)
        )
        batches = partial(shown.batches, loaded.preprocessing)
    if calibrate is not None and precision != "int8":
        raise RecipeError("--calibrate is for --precision int8. Leave it out, or ask for that.")
    calibration = None
    if calibrate is not None:
        seen = choose_pictures(Path(calibrate), loaded.classes, most=pictures)
        seen = replace(seen, doing="calibrating")
        calibration = partial(seen.pixels, loaded.preprocessing)
    request = ExportRequest(
        precision=precision,
        takes=takes,
        gives=gives,
        plain_operators=plain_operators,
        calibration=calibration,
    )
    report = export_weights(loaded, request, to=to, out=Path(out), batches=batches)
    if test_vectors is None:
        return report
    write_vectors(Path(test_vectors), loaded, request, shown.files() if shown else None)
    return replace(report, test_vectors=str(test_vectors))
