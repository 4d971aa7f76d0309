"""``python -m benchmarks [GROUP …]``: all groups, or these, in one run on one installation made for it."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    catalogs,
    distributing,
    dropping,
    importing,
    machine,
    memory,
    moving,
    people,
    previews,
    ranges,
    requests,
    resuming,
    slow,
    streams,
    zips,
)
from benchmarks.house import House, installed

GROUPS: dict[str, Callable[[House], None]] = {
    "requests": requests.measure,
    "ranges": ranges.measure,
    "streams": streams.measure,
    "zips": zips.measure,
    "slow": slow.measure,
    "memory": memory.measure,
    "uploading": resuming.measure,
    "dropping": dropping.measure,
    "importing": importing.measure,
    "people": people.measure,
    "catalog": catalogs.measure_lists,
    "search": catalogs.measure_search,
    "moving": moving.measure,
    "distributing": distributing.measure,
    "previews": previews.measure,
}


def main(chosen: list[str]) -> None:
    """Run the chosen groups in the order of ``GROUPS``; none chosen means all."""
    unknown = set(chosen) - set(GROUPS)
    if unknown:
        sys.exit(f"No group of measurements is called {', '.join(sorted(unknown))}. There are {', '.join(GROUPS)}.")
    machine.allow_open_files()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        work = Path(name)
        print(machine.facts(), f"Before: {machine.state(work)}.", sep="\n", flush=True)
        with installed(work) as house:
            for group, measure in GROUPS.items():
                if group in (chosen or GROUPS):
                    measure(house)
        print(f"\nAfter {(time.perf_counter() - began) / 60:.0f} minutes: {machine.state(work)}.")


if __name__ == "__main__":
    main(sys.argv[1:])
