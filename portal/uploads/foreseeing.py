"""What an import would do: files are read and compared with the catalog, and nothing is written anywhere."""

from collections.abc import Sequence
from pathlib import Path

from portal.errors import ContentUnavailable
from portal.extensions import release_connection
from portal.storage.source import Entry
from portal.uploads import indexing
from portal.uploads.describing import Describer
from portal.uploads.ignoring import Ignored
from portal.uploads.indexing import Known
from portal.uploads.options import Options
from portal.uploads.places import Placed, list_placed
from portal.uploads.planning import Layout, Progress, look_through
from portal.uploads.reporting import Outcome, Report, Reporter


def foresee_import(
    directory: Path, into: str, options: Options, *, in_place: bool, progress: Progress | None = None
) -> Report:
    """The report an import would end with. Raises BadInput like ``import_directory``."""
    reporter = Reporter(options.tell)
    source = indexing.find_source(into) if in_place else None
    ignored = options.ignored
    if source is not None and not ignored.patterns:
        ignored = Ignored(source.ignored.splitlines())
    layout = look_through(directory, into, reporter, ignored, options.without(directory))
    describer = Describer(None, options.metadata, layout)
    describer.require_fitting()
    known = indexing.known_files(source.id) if source is not None else {}
    for batch in layout.batches(progress):
        placed = list_placed([layout.place(entry) for entry in batch])
        there = {entry.path: placed[layout.place(entry)] for entry in batch if layout.place(entry) in placed}
        release_connection()  # none is held while files are read
        for entry in batch:
            _foresee(layout, entry, known.get(entry.path), there.get(entry.path), reporter)
        documents = {path: one.document_id for path, one in (there | _known_of(batch, known)).items()}
        new = [entry.path for entry in batch if entry.path not in documents]
        reporter.report.described += describer.count(new) + describer.foresee(documents)
    if source is not None:
        for document_id, _, path in indexing.list_vanished(source.id, layout):
            reporter.count("vanished", path, document_id)
    return reporter.report


def _foresee(layout: Layout, entry: Entry, known: Known | None, there: Placed | None, reporter: Reporter) -> None:
    if known is not None and known.is_as_before(entry):
        reporter.count("unchanged", entry.path, known.document_id)
        return
    if known is not None and known.is_trashed:
        reporter.count("added", entry.path, known.document_id)
        return
    try:
        outcome = _compared(layout, entry, known or there)
    except ContentUnavailable as problem:
        reporter.refuse(entry.path, "would not be taken", problem.sentence)
    else:
        found = known or there
        reporter.count(outcome, entry.path, found.document_id if found is not None else None)


def _compared(layout: Layout, entry: Entry, there: Known | Placed | None) -> Outcome:
    if there is None:
        layout.source.open(entry.path, entry.size, entry.mtime_ns).close()
        return "added"
    if there.size != entry.size:
        return "versioned"
    return "unchanged" if layout.source.digest(entry.path).sha256 == there.sha256 else "versioned"


def _known_of(batch: Sequence[Entry], known: dict[str, Known]) -> dict[str, Known]:
    """What is live of it; what is in the trash cannot be described before it is back."""
    return {
        entry.path: known[entry.path] for entry in batch if entry.path in known and not known[entry.path].is_trashed
    }
