"""An import that broke off: the next one of the same directory to the same place reads nothing again that was taken."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from portal.extensions import db, lock_on, transaction
from portal.extensions import run as execute
from portal.models import ImportedFile, ImportRun
from portal.storage.source import Entry

REMOVED_AT_ONCE = 5_000


@dataclass(frozen=True)
class Run:
    """An import under way, and the stamps (size and times in ns) of the files that were taken before, by path."""

    run_id: int
    taken: dict[str, tuple[int, int, int]]

    def has(self, entry: Entry) -> bool:
        """Whether the file was taken, and is as it was then."""
        return self.taken.get(entry.path) == _stamp(entry)

    def note(self, entries: Iterable[Entry]) -> None:
        """Write down that these files are in the catalog; in the transaction that puts them there.

        Somebody else who imported the same and came to the end has removed the run: then there is nothing to note.
        """
        session = db.session()
        rows = [
            dict(zip(("size", "mtime_ns", "ctime_ns"), _stamp(entry), strict=True))
            | {"import_run_id": self.run_id, "path": entry.path}
            for entry in entries
        ]
        there = select(ImportRun.id).where(ImportRun.id == self.run_id).with_for_update(key_share=True)
        if not rows or session.scalar(there) is None:
            return
        make = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
        put = make(ImportedFile)
        stamp = {name: put.excluded[name] for name in ("size", "mtime_ns", "ctime_ns")}
        session.execute(put.on_conflict_do_update(index_elements=["import_run_id", "path"], set_=stamp), rows)


def begin(directory: Path, into: str) -> Run:
    """A new run, or the one that broke off."""
    where = str(directory.absolute())
    with transaction() as session:
        lock_on(f"import:{into}")
        this = (ImportRun.directory == where, ImportRun.into_path == into)
        run = session.scalar(select(ImportRun).where(*this))
        if run is None:
            run = ImportRun(directory=where, into_path=into)
            session.add(run)
            session.flush()
    files = select(ImportedFile.path, ImportedFile.size, ImportedFile.mtime_ns, ImportedFile.ctime_ns)
    rows = db.session.execute(files.where(ImportedFile.import_run_id == run.id))
    return Run(run.id, {path: (size, mtime_ns, ctime_ns) for path, size, mtime_ns, ctime_ns in rows})


def finish(run: Run) -> None:
    """The import came to its end: the next one begins anew. A part at a time, for others wait to write, too."""
    some = select(ImportedFile.path).where(ImportedFile.import_run_id == run.run_id).limit(REMOVED_AT_ONCE)
    here = delete(ImportedFile).where(ImportedFile.import_run_id == run.run_id, ImportedFile.path.in_(some))
    is_left = True
    while is_left:
        with transaction() as session:
            is_left = execute(here).rowcount > 0
            if not is_left:
                session.execute(delete(ImportRun).where(ImportRun.id == run.run_id))


def _stamp(entry: Entry) -> tuple[int, int, int]:
    return entry.size, entry.mtime_ns, entry.ctime_ns
