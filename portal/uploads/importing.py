"""Import of a directory: subfolders become categories, regular files documents. A second run changes nothing."""

import os
from dataclasses import dataclass
from pathlib import Path

from portal.actors import Actor
from portal.catalog import Content, Placed
from portal.errors import ContentUnavailable, SourceChanged
from portal.extensions import release_connection, storage, transaction
from portal.storage import BLOCK, Received, Source, Stamp
from portal.storage.source import Entry
from portal.uploads import resuming
from portal.uploads.describing import Describer
from portal.uploads.kinds import content_type_of
from portal.uploads.options import Options
from portal.uploads.planning import Plan, Progress, added, look_through, make_plan
from portal.uploads.reporting import Report, Reporter
from portal.uploads.resuming import Run

NOT_TAKEN = "was not taken"
DEFAULTS = Options()


@dataclass(frozen=True)
class Import:
    """One import under way."""

    actor: Actor | None
    plan: Plan
    run: Run
    describer: Describer
    reporter: Reporter


def import_directory(
    actor: Actor | None,
    directory: Path,
    into: str,
    *,
    options: Options = DEFAULTS,
    progress: Progress | None = None,
) -> Report:
    """Copy the contents of ``directory`` into the category ``into``, made when missing.

    One that broke off is gone on with: files it has taken are not read again, unless they changed since. Raises
    BadInput when there is no such directory, when the portal's own files lie in it, or when the metadata does not fit.
    """
    reporter = Reporter(options.tell)
    layout = look_through(directory, into, reporter, options.ignored, options.without(directory))
    describer = Describer(actor, options.metadata, layout)
    describer.require_fitting()
    plan = make_plan(actor, layout)
    run = resuming.begin(directory, layout.folders[""])
    work = Import(actor, plan, run, describer, reporter)
    for batch in plan.batches(progress):
        _import_batch(work, batch)
    resuming.finish(run)
    return reporter.report


def _import_batch(work: Import, batch: list[Entry]) -> None:
    """Durable as a whole: every temp file flushed, then given its name, then one commit."""
    fresh = [entry for entry in batch if not work.run.has(entry)]
    received: list[tuple[Entry, Received]] = []
    release_connection()  # none is held while files are read
    try:
        for entry in fresh:
            try:
                received.append((entry, copy_in(work.plan.source, entry)))
            except ContentUnavailable as problem:
                work.reporter.refuse(entry.path, NOT_TAKEN, problem.sentence)
        with storage().placing():
            stamps = storage().keep_all([got for _, got in received])
            found = [(entry, _content(work.plan, entry, got, stamps[got.sha256])) for entry, got in received]
            placed = _write(work, found)
    except BaseException:
        for _, got in received:
            got.temp.unlink(missing_ok=True)
        raise
    for (entry, _), one in zip(found, placed, strict=True):
        work.reporter.count(one.kind, entry.path, one.document_id)
    resumed = [entry for entry in batch if work.run.has(entry)]
    for entry in resumed:
        work.reporter.count("resumed", entry.path)
    known = {entry.path: one.document_id for (entry, _), one in zip(found, placed, strict=True) if one.kind != "added"}
    known |= work.describer.find_documents(resumed)
    work.reporter.report.described += work.describer.count(added(found, placed)) + work.describer.describe(known)


def _write(work: Import, found: list[tuple[Entry, Content]]) -> list[Placed]:
    """One transaction: the documents, what the metadata says of new ones, and that they were taken.

    What there was already is described by itself: others may hold it, and wait for the category that is held here.
    """
    with transaction():
        placed = work.plan.put(work.actor, found)
        work.describer.describe(added(found, placed))
        work.run.note([entry for entry, _ in found])
    return placed


def copy_in(source: Source, entry: Entry) -> Received:
    """Read a file into the storage, flushed and not yet kept. Raises ContentUnavailable when it changed meanwhile."""
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
