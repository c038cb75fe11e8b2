"""What a run should be told while it trains and at its end, each with the command that mends it.

Symptoms are what `training` sees in the epochs; here stands who asked and how, so that the advice
is a command to type, with the paths and flags of the call that began the run.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alexnet.records import Epoch, Results
from alexnet.runs.job import Job, diagnose
from alexnet.text import format_count
from alexnet.training import Cause, Symptom, find_symptoms

__all__ = ["CommandWords", "command_of", "final_advice", "with_commands", "worth_saying"]

_FEW_PER_CLASS = 100  # training images: what fine-tuning is for
_GOOD = 0.8  # of the way from the majority rule to no error: no reason for advice
_UNEVEN = 1.5  # largest class to an equal share

_READING = {
    **dict.fromkeys(("--class-depth", "--name-encoding"), True),
    "--join-classes": False,
}
"""Flags of how a source is read, and whether a value follows."""

CommandWords = list[str]


def command_of(config: Mapping[str, Any], folder: Path, flags: Mapping[str, str | None]) -> str:
    """Return the command that began a run, with some flags changed.

    Where a program made the run, a command of the same source and recipe. Where the call named its
    run folder, `--restart` moves the old run aside.

    Args:
        config: what `run.json` holds.
        folder: of the run.
        flags: and their values; None: a flag that takes none.
    """
    words: CommandWords = list(config["command"])
    if words[:1] != ["alexnet"] or words[1:2] not in (["train"], ["finetune"]):
        words = ["alexnet", "train", config["source"], "--recipe", str(folder / "run.json")]
        words += ["--run-dir", str(folder)]
    if words[1] == "finetune" and "--lr" in flags:
        flags = _finetuning_rates(words, config, flags)
    flags = dict(flags)
    if "--model" in flags:  # which has a size of its own
        for name in ("--image-px", "--crop-px"):
            words = _without(words, name, has_value=True)
    if any(word == "--run-dir" or word.startswith("--run-dir=") for word in words):
        flags["--restart"] = None
    for name, value in flags.items():
        words = _without(words, name, has_value=value is not None)
        words += [name] if value is None else [name, value]
    return shlex.join(words)


def _finetuning_rates(
    words: Sequence[str], config: Mapping[str, Any], flags: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Return `--lr` as the two rates of fine-tuning, in the proportion that they have."""
    rate = float(flags["--lr"] or 0)
    factor = rate / config["recipe"]["lr"]
    values = [
        words[i + 1] if word == "--backbone-lr" else word.partition("=")[2]
        for i, word in enumerate(words)
        if (word == "--backbone-lr" and i + 1 < len(words)) or word.startswith("--backbone-lr=")
    ]
    backbone = float(values[-1]) if values else 0.001
    others = {name: value for name, value in flags.items() if name != "--lr"}
    return {**others, "--head-lr": f"{rate:g}", "--backbone-lr": f"{backbone * factor:g}"}


def _without(words: Sequence[str], name: str, *, has_value: bool) -> CommandWords:
    kept: CommandWords = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == name:
            skip = has_value
        elif not word.startswith(f"{name}="):
            kept.append(word)
    return kept


def with_commands(causes: Sequence[Cause], config: Mapping[str, Any], folder: Path) -> list[Cause]:
    """Return causes whose advice is a whole command to type, where flags mend them."""
    return [
        replace(cause, command=_mending(cause, config, folder)) if cause.flags else cause
        for cause in causes
    ]


def _mending(cause: Cause, config: Mapping[str, Any], folder: Path) -> str:
    command = command_of(config, folder, cause.flags)
    tuned = finetune_command(config)
    if not cause.too_few_images or not tuned:
        return command
    small = config["recipe"]["model"] == cause.flags.get("--model")
    return tuned if small else f"{tuned}, or a smaller network: {command}"


def finetune_command(config: Mapping[str, Any]) -> str:
    """Return the command that fine-tunes on the run's source; empty where the run does that."""
    if config.get("start") is not None:
        return ""
    return shlex.join(["alexnet", "finetune", config["source"], *_reading_flags(config)])


def _reading_flags(config: Mapping[str, Any]) -> CommandWords:
    """Return the flags of a run's command that say how its source is read."""
    words: CommandWords = list(config["command"])
    kept: CommandWords = []
    for i, word in enumerate(words):
        name, is_whole, _ = word.partition("=")
        if name in _READING:
            has_value = _READING[name] and not is_whole
            kept += words[i : i + 2] if has_value else [word]
    return kept


def worth_saying(
    job: Job, config: Mapping[str, Any], folder: Path, epochs: Sequence[Epoch]
) -> list[tuple[str, str]]:
    """Return what is wrong with a training that goes on: a name and a text with commands, each.

    Args:
        job: the training; nothing of it changes.
        config: what its `run.json` holds.
        folder: of the run.
        epochs: so far.
    """
    if job.recipe.loss != "softmax" or not epochs:
        return []
    symptoms = find_symptoms(
        epochs, entropy=job.label_entropy, majority_error=majority_error(job, "val")
    )
    return [(each.name, _explained(each, job, config, folder)) for each in symptoms]


def majority_error(job: Job, split: str) -> float | None:
    """Return the error of always predicting a split's largest class; None: it has no images."""
    indices = job.splits.get(split)
    if indices is None or not len(indices):
        return None
    return float(1 - np.bincount(job.pack.labels[indices]).max() / len(indices))


def _explained(symptom: Symptom, job: Job, config: Mapping[str, Any], folder: Path) -> str:
    recipe = job.recipe
    tuned = finetune_command(config) if _has_few_images(job) else ""
    match symptom.name:
        case "stalled":
            causes = with_commands(diagnose(job), config, folder)
            lines = [f"{cause.sentence} Try: {cause.command}" for cause in causes]
            if not causes:
                higher = command_of(config, folder, {"--lr": f"{10 * recipe.lr:g}"})
                lines = [f"Nothing else looks wrong. Try ten times the rate: {higher}"]
                lines += [f"Or fine-tune trained weights: {tuned}"] if tuned else []
            return "\n- ".join([symptom.sentence, *lines])
        case "rate too high":
            mended = command_of(config, folder, {"--lr": f"{recipe.lr / 10:g}"})
        case "overfitting" if tuned:
            mended = tuned
        case "overfitting" if config.get("start") is not None:
            mended = command_of(config, folder, {"--backbone-lr": "0"})
        case "overfitting":
            decay = 10 * (recipe.weight_decay or 0.0005)
            mended = command_of(config, folder, {"--weight-decay": f"{decay:g}"})
        case "underfitting":
            mended = command_of(config, folder, {"--epochs": str(2 * recipe.epochs)})
    return f"{symptom.sentence} Try: {mended}"


def _has_few_images(job: Job) -> bool:
    return len(job.train) < _FEW_PER_CLASS * len(job.pack.classes)


def final_advice(
    job: Job, config: Mapping[str, Any], folder: Path, results: Results, said: Sequence[str]
) -> list[str]:
    """Return what the measured weights of a finished run should be told.

    Args:
        job: the training.
        config: what its `run.json` holds.
        folder: of the run.
        results: what was measured on the held-out split.
        said: what was said before; a command in it is not given again.
    """
    sentences = list[str]()
    predicted = np.flatnonzero(np.asarray(results.confusion).sum(axis=0)).tolist()
    labels = np.bincount(job.pack.labels[job.train], minlength=len(job.pack.classes))
    if len(predicted) == 1 and results.top1 < 1:
        name = results.classes[predicted[0]]
        sentence = f'Every held-out image was predicted to be "{name}".'
        if labels.max() > _UNEVEN * labels.mean():
            mended = command_of(config, folder, {"--class-weights": "auto"})
            sentence += f" The classes are of unequal size. Try: {mended}"
        sentences.append(sentence)
    majority = results.majority_rate
    good = results.top1 >= majority + _GOOD * (1 - majority)
    tuned = finetune_command(config)
    if tuned and not good and _has_few_images(job) and not any(tuned in each for each in said):
        each = len(job.train) / len(job.pack.classes)
        sentences.append(
            f"{format_count(len(job.train), 'training image')} ({each:.0f} a class) "
            f"{'is' if len(job.train) == 1 else 'are'} few for a network that starts from nothing; "
            f"one that is trained already needs fewer. Try: {tuned}"
        )
    return sentences
