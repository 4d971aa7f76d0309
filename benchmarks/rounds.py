"""Rounds: every server is measured in each, one after the other: what disturbs the machine disturbs them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.settings import ROUNDS

Found = TypeVar("Found")


@dataclass(frozen=True)
class Reading:
    """One figure, and the part of its time in which the client was busy itself."""

    value: float
    share: float = 0.0


Readings = dict[str, list[Reading]]
"""The figures of each server by its name, in the order of the rounds."""


def interleaved(measures: Mapping[str, Callable[[], Found]], rounds: int = ROUNDS) -> dict[str, list[Found]]:
    """Run all of them in each round; another one begins each time, for the first may find caches cold."""
    names = list(measures)
    found: dict[str, list[Found]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(measures[name]())
    return found
