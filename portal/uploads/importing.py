"""Import of a directory: subfolders become categories, regular files documents. A second run changes nothing."""

import os
from pathlib import Path

from portal.actors import Actor
from portal.catalog import Content
from portal.errors import ContentUnavailable, SourceChanged
from portal.extensions import release_connection, storage
from portal.storage import BLOCK, Received, Source, Stamp
from portal.storage.source import Entry
from portal.uploads.kinds import content_type_of
from portal.uploads.planning import Plan, Progress, Report, make_plan


def import_directory(actor: Actor | None, directory: Path, into: str, *, progress: Progress | None = None) -> Report:
    """Copy the contents of ``directory`` into the category ``into``, made when missing.

    Raises BadInput when there is no such directory, or when the portal's own files lie in it.
    """
    report = Report()
    plan = make_plan(actor, directory, into, report)
    for batch in plan.batches(progress):
        _import_batch(actor, plan, batch, report)
    return report


def _import_batch(actor: Actor | None, plan: Plan, batch: list[Entry], report: Report) -> None:
    """Durable as a whole: every temp file flushed, then given its name, then one commit."""
    received: list[tuple[Entry, Received]] = []
    release_connection()  # none is held while files are read
    try:
        for entry in batch:
            try:
                received.append((entry, _copy(plan.source, entry)))
            except ContentUnavailable as problem:
                report.problems.append(f"{entry.path!r} was not taken: {problem.sentence}")
        with storage().placing():
            stamps = storage().keep_all([got for _, got in received])
            found = [(entry, _content(plan, entry, got, stamps[got.sha256])) for entry, got in received]
            kinds = plan.put(actor, found)
    except BaseException:
        for _, got in received:
            got.temp.unlink(missing_ok=True)
        raise
    for kind in kinds:
        report.count(kind)


def _copy(source: Source, entry: Entry) -> Received:
    incoming = storage().receive()
    try:
        with source.open(entry.path, entry.size, entry.mtime_ns) as opened:
            while block := opened.handle.read(BLOCK):
                incoming.write(block)
            after = os.fstat(opened.handle.fileno())
        if (incoming.size, after.st_size, after.st_mtime_ns) != (entry.size, entry.size, entry.mtime_ns):
            raise SourceChanged("It changed while it was read.")
        return incoming.finish()
    except BaseException:
        incoming.discard()
        raise


def _content(plan: Plan, entry: Entry, got: Received, stamp: Stamp) -> Content:
    kind = content_type_of(plan.filenames[entry.path], got.head)
    return Content(sha256=got.sha256, crc32=got.crc32, size=got.size, content_type=kind, stamp=stamp)
