"""A directory of an operator's as the files of a distribution: looked at, or copied into the storage."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from portal import filenames
from portal.actors import Actor
from portal.catalog import Facts
from portal.errors import BadInput, ContentUnavailable
from portal.extensions import release_connection, settings, storage
from portal.storage import Entry, Source
from portal.uploads.distributing.lines import Line
from portal.uploads.distributing.making import MOST_FILES, add_files, refuse_file
from portal.uploads.distributing.planning import Dropped, Plan, plan_files
from portal.uploads.importing import copy_in
from portal.uploads.planning import Progress
from portal.uploads.storing import Arrival, kept

AT_ONCE = 200


def foresee_directory(
    directory: Path, category_id: int, *, pattern: str = "", lines: Sequence[Line] = (), without: Path | None = None
) -> Plan:
    """What distributing a directory would come to: every file is read, and nothing is kept. Raises BadInput."""
    source, entries = _look_through(directory, without)
    release_connection()
    files = [_dropped(source, number, entry) for number, entry in enumerate(entries, 1)]
    return plan_files(files, category_id, pattern, lines)


def take_directory(
    actor: Actor | None,
    distribution_id: int,
    directory: Path,
    *,
    without: Path | None = None,
    progress: Progress | None = None,
) -> int:
    """Drop every file of a directory, and of those below it, into a distribution; how many. Raises BadInput."""
    source, entries = _look_through(directory, without)
    for start in range(0, len(entries), AT_ONCE):
        release_connection()  # none is held while files are read
        _take(actor, distribution_id, source, entries[start : start + AT_ONCE])
        if progress is not None:
            progress(min(start + AT_ONCE, len(entries)), len(entries))
    return len(entries)


def _take(actor: Actor | None, distribution_id: int, source: Source, entries: Sequence[Entry]) -> None:
    arrivals: list[Arrival] = []
    problems: list[tuple[Entry, str]] = []
    with ExitStack() as coming:
        for entry in entries:
            try:
                arrivals.append(Arrival(_name(entry), copy_in(source, entry), Facts()))
            except ContentUnavailable as problem:
                problems.append((entry, problem.sentence))
            else:
                coming.enter_context(kept(arrivals[-1]))
        if arrivals:
            add_files(actor, distribution_id, arrivals)
    for entry, sentence in problems:
        refuse_file(actor, distribution_id, _name(entry), entry.size, sentence)


def _dropped(source: Source, number: int, entry: Entry) -> Dropped:
    try:
        return Dropped(number, _name(entry), entry.size, source.digest(entry.path).sha256)
    except ContentUnavailable as problem:
        return Dropped(number, _name(entry), entry.size, "", "refused", problem.sentence)


def _look_through(directory: Path, without: Path | None) -> tuple[Source, list[Entry]]:
    directory = directory.absolute()
    if not directory.is_dir():
        raise BadInput(f"{directory} is not a directory.")
    if any(own.resolve().is_relative_to(directory.resolve()) for own in (storage().root, settings().data)):
        raise BadInput("The portal's own storage lies in this directory; it cannot be distributed.")
    source = Source(directory)
    entries = list(_wanted(source, directory.resolve(), without))
    if not entries:
        raise BadInput(f"There is no file in {directory}.")
    if len(entries) > MOST_FILES:
        raise BadInput(f"These are {len(entries):,} files, and one distribution takes {MOST_FILES:,}. Make several.")
    return source, entries


def _wanted(source: Source, directory: Path, without: Path | None) -> Iterator[Entry]:
    for entry in source.walk().entries:
        if without is None or directory / entry.path != without.resolve():
            yield entry


def _name(entry: Entry) -> str:
    return filenames.clean(entry.path)
