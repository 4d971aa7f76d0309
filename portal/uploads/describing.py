"""What the metadata of an import says, checked before anything is done, and then said of each document."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from portal import catalog, search
from portal.actors import Actor
from portal.catalog.moments import require_order
from portal.catalog.tags import require_tags
from portal.catalog.texts import require_reference, require_text, require_title
from portal.catalog.values import require_value
from portal.errors import BadInput
from portal.extensions import transaction
from portal.models import CategoryField
from portal.storage.source import Entry
from portal.uploads.metadata import Metadata, Row, listed, path_key, rows_without_file
from portal.uploads.places import list_placed
from portal.uploads.planning import Layout

Said = Mapping[str, Any]
"""What ``catalog.change_document`` is to change."""


class _Undone(Exception):
    """Takes back what was only tried."""


@dataclass
class Describer:
    """What is to be said of the files of one directory."""

    actor: Actor | None
    metadata: Metadata
    layout: Layout
    _said: dict[str, Said] = field(default_factory=dict)
    """By the path of the file, as the directory spells it."""
    _asked: dict[str, dict[str, CategoryField]] = field(default_factory=dict)
    """Category path to the fields it asks for, by their keys."""
    _people: dict[str, int | None] = field(default_factory=dict)

    def require_fitting(self) -> None:
        """Raise BadInput, with the lines, for rows of files that are not there or that say something that cannot be."""
        problems = [
            f"Line {row.line}: there is no {row.path} here to import."
            for row in rows_without_file(self.metadata, iter(self.layout.filenames))
        ]
        for path in self.layout.filenames:
            row = self.metadata.rows.get(path_key(path))
            if row is None:
                continue
            try:
                self._said[path] = self._checked(path, row)
            except BadInput as problem:
                problems.append(f"Line {row.line}: {problem.sentence}")
        if problems:
            raise BadInput(listed(problems))

    def describe(self, documents: Mapping[str, int]) -> int:
        """Say it of the documents of these files, whose ids stand by their paths; of how many it was news.

        Each in a transaction of its own, unless one is running.
        """
        return sum(
            catalog.change_document(self.actor, document_id, **self._said[path])
            for path, document_id in documents.items()
            if path in self._said
        )

    def count(self, paths: Iterable[str]) -> int:
        """Of how many of these files something is said."""
        return sum(path in self._said for path in paths)

    def foresee(self, documents: Mapping[str, int]) -> int:
        """Of how many documents it would be news: each is tried by itself and taken back, so that nobody waits long."""
        return sum(self._is_news(path, document_id) for path, document_id in documents.items() if path in self._said)

    def find_documents(self, entries: Iterable[Entry]) -> dict[str, int]:
        """The live documents that have the places of these files, by path."""
        places = {self.layout.place(entry): entry.path for entry in entries}
        return {places[place]: found.document_id for place, found in list_placed(places).items()}

    def _is_news(self, path: str, document_id: int) -> bool:
        is_news = False
        try:
            with transaction():
                is_news = self.describe({path: document_id}) > 0
                raise _Undone
        except _Undone:
            return is_news

    def _checked(self, path: str, row: Row) -> Said:
        said: dict[str, Any] = {}
        if row.title is not None:
            said["title"] = require_title(row.title)
        if row.description is not None:
            said["description"] = require_text(row.description, "description")
        if row.reference is not None:
            said["reference"] = require_reference(row.reference)
        if row.tags is not None:
            said["tags"] = list(require_tags(row.tags).values())
        if row.responsible is not None:
            said["responsible_id"] = self._person(row.responsible)
        if row.published_at is not None or row.is_draft:
            said["published_at"] = row.published_at
        if row.expires_at is not None:
            said["expires_at"] = row.expires_at
        require_order(said.get("published_at"), said.get("expires_at"))
        if row.fields:
            said["fields"] = self._fields(self.layout.category_path(path), row.fields)
        return said

    def _person(self, text: str) -> int | None:
        if text not in self._people:
            found = catalog.find_responsible(text)
            self._people[text] = found.id if found is not None else None
        return self._people[text]

    def _fields(self, category_path: str, texts: Mapping[str, str]) -> dict[int, str]:
        asked = self._fields_of(category_path)
        found: dict[int, str] = {}
        for name, text in texts.items():
            one = asked.get(search.folded(name))
            if one is None:
                raise BadInput(f"{category_path} does not ask for “{name}”, and there is no other column of that name.")
            try:
                found[one.id] = require_value(one, text)
            except BadInput as problem:
                raise BadInput(f"“{text[:60]}” as {one.name}: {problem.sentence}") from problem
        return found

    def _fields_of(self, category_path: str) -> dict[str, CategoryField]:
        """Of a category that is still to be made: what the one above it asks for."""
        if category_path not in self._asked:
            parts = category_path.split("/")
            above = ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
            category = next((found for path in above if (found := catalog.find_category(path)) is not None), None)
            fields = catalog.list_fields(category) if category is not None else []
            self._asked[category_path] = {one.name_key: one for one in fields}
        return self._asked[category_path]
