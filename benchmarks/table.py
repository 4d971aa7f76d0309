"""The tables that are printed, as Markdown: the portal beside one peer in each line, and the ratio of the two."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.peers import PORTAL
from benchmarks.rounds import Reading, Readings

BUSY = 0.5
"""The part of the time from which on a client stands in the way of what it measures."""
LEGEND = "† The client itself was busy for half of the time or more: the server alone may be faster than this."
HEAD = "| work | portal | beside it | portal ÷ it (all rounds) | | again: make bench |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Unit:
    """What a figure is measured in, and which end of it people want. Ratios to less than ``least`` say nothing."""

    show: Callable[[float], str]
    better: str
    least: float = 0.0


PER_SECOND = Unit(lambda value: f"{value:,.0f}/s", "higher is better")
MIB_PER_SECOND = Unit(lambda value: f"{value:,.0f} MiB/s", "higher is better")
DURATION = Unit(lambda value: f"{value:.2f} s" if value >= 1 else f"{value * 1000:.2f} ms", "lower is better")
GROWTH = Unit(lambda value: f"{value:.1f} MiB", "lower is better", least=1.0)
TIMES = Unit(lambda value: f"{value:.2f} times", "lower is better")


class Table:
    """The lines of one group, printed as they are measured."""

    def __init__(self, group: str, *introduction: str) -> None:
        self._group = group
        self._is_marked = False
        print()
        print(f"## {group}", *introduction, HEAD, sep="\n\n", flush=True)

    def line(self, work: str, unit: Unit, readings: Readings) -> None:
        """One line for each peer of the portal."""
        own = readings[PORTAL]
        for name, others in readings.items():
            if name != PORTAL:
                cells = (self._figure(unit, own), f"{self._figure(unit, others)} {name}", _ratio(unit, own, others))
                print("|", " | ".join((work, *cells, unit.better, f"`ONLY={self._group}`")), "|", flush=True)

    def end(self, *notes: str) -> None:
        """What has to be said about the lines."""
        for note in [LEGEND] * self._is_marked + list(notes):
            print(f"\n{note}", flush=True)

    def _figure(self, unit: Unit, readings: list[Reading]) -> str:
        is_bound = statistics.median(reading.share for reading in readings) >= BUSY
        self._is_marked |= is_bound
        return unit.show(statistics.median(reading.value for reading in readings)) + " †" * is_bound


def limit(what: str, share: float) -> str:
    """The sentence on what the client gets out of nginx, measured before everything else: its own limit, or near it."""
    return f"The client alone: {what} from nginx, itself busy for {share:.0%} of the time."


def _ratio(unit: Unit, own: list[Reading], others: list[Reading]) -> str:
    """The median of the ratios of each round, with the lowest and the highest of them."""
    if any(other.value <= unit.least for other in others):
        return "–"
    ratios = [mine.value / other.value for mine, other in zip(own, others, strict=True)]
    around = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    return f"{statistics.median(ratios):.2f}{around}"
