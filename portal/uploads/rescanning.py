"""Directories shown in place are looked through again from time to time, without anybody asking for it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import or_, select

from portal.errors import PortalError
from portal.extensions import db, settings
from portal.models import Category, SourceDirectory, db_later
from portal.uploads.indexing import index_directory

LOOK = "sources"
"""The name of the worker's look."""
MINUTE = 60

_log = logging.getLogger("portal.uploads")


@dataclass(frozen=True)
class ShownDirectory:
    """A directory, and the path of the category it shows in."""

    path: str
    directory: str


def list_sources(path: str = "", *, only_due: bool = False) -> list[ShownDirectory]:
    """The directories that are shown in place, or the one of a category.

    ``only_due``: those that were not looked through for as long as the settings say.
    """
    statement = select(Category.path, SourceDirectory.directory).join(
        SourceDirectory, SourceDirectory.category_id == Category.id
    )
    statement = statement.where(Category.trashed_at.is_(None)).order_by(Category.path)
    if path:
        statement = statement.where(Category.path == path)
    if only_due:
        before = db_later(-settings().rescan_minutes * MINUTE)
        statement = statement.where(or_(SourceDirectory.scanned_at.is_(None), SourceDirectory.scanned_at < before))
    return [ShownDirectory(*row) for row in db.session.execute(statement)]


def rescan_due(is_stopping: Callable[[], bool]) -> None:
    """The worker's look. What cannot be looked through is logged, and tried again next time."""
    for source in list_sources(only_due=True):
        if is_stopping():
            return
        try:
            report = index_directory(
                None, Path(source.directory), source.path, is_cautious=True, is_stopping=is_stopping
            )
        except PortalError as refusal:
            _log.warning("%s: %s", source.path, refusal.sentence)
        else:
            for problem in report.problems:
                _log.warning("%s: %s", source.path, problem)
