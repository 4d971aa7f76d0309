"""How things are with documents that an edit is about, read for many at once, and what it comes to for each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, select

from portal import access
from portal.actors import Actor
from portal.catalog.bulk_edits.changes import Changes
from portal.catalog.bulk_edits.judging import NO_FIELD, NO_TARGET, Ground, Standing, Verdict, judge
from portal.catalog.inherited import Rules, rules_of
from portal.catalog.responsible import CLOSED, is_open
from portal.catalog.tags import require_tags
from portal.catalog.values import require_value
from portal.errors import BadInput
from portal.extensions import db
from portal.models import (
    MANAGE,
    PUBLISH,
    READ,
    Category,
    CategoryField,
    Document,
    DocumentTag,
    FieldValue,
    Tag,
    User,
    Version,
    db_now,
)

CHUNK = 2_000


class Looker:
    """Says of documents what the changes come to for them, asked by this person at this moment.

    What it said of one is kept in mind for the next: two cannot have one name in one place.
    """

    def __init__(self, actor: Actor, changes: Changes) -> None:
        self._actor, self._changes = actor, changes
        self._target = db.session.get(Category, changes.category_id) if changes.category_id else None
        self._field = db.session.get(CategoryField, changes.field_id) if changes.field_id else None
        self._levels: dict[int, int] = {}
        self._lineages: dict[int, str] = {}
        self._promised: set[tuple[int, str]] = set()
        self.ground = self._survey()

    def judge(self, document_ids: Sequence[int]) -> Iterator[tuple[Standing, Verdict]]:
        """Each document that there is, in the order of the ids, with what the changes come to for it."""
        for start in range(0, len(document_ids), CHUNK):
            for standing in self._stand(document_ids[start : start + CHUNK]):
                verdict = judge(self.ground, standing)
                if verdict.outcome == "changed" and self._changes.place != "trash":
                    self._promised.add((self._shelf(standing.category_id), standing.filename))
                yield standing, verdict

    def _survey(self) -> Ground:
        changes, value, problem = self._changes, "", ""
        try:
            if self._field is not None and changes.field_value:
                value = require_value(self._field, changes.field_value)
        except BadInput as refusal:
            problem = refusal.sentence
        return Ground(
            changes,
            db.session.scalars(select(db_now())).one(),
            problem=self._problem() or problem,
            rules=rules_of(self._target) if self._target is not None else Rules(),
            value=value,
            add_keys=frozenset(require_tags(changes.add_tags)),
            remove_keys=frozenset(require_tags(changes.remove_tags)),
        )

    def _problem(self) -> str:
        """Why nothing of it can be done to any document."""
        changes = self._changes
        if changes.category_id is not None and self._level_at_target() < PUBLISH:
            return NO_TARGET
        if changes.field_id is not None and (self._field is None or self._field.removed_at is not None):
            return NO_FIELD
        if changes.responsible_id is not None:
            known = select(User.id).where(User.id == changes.responsible_id, is_open)
            return CLOSED if db.session.scalar(known) is None else ""
        return ""

    def _level_at_target(self) -> int:
        if self._target is None or self._target.trashed_at is not None:
            return 0
        return access.permission_on(self._actor, self._target.id)

    def _stand(self, document_ids: Sequence[int]) -> Iterator[Standing]:
        rows = {row.id: row for row in db.session.execute(self._rows().where(Document.id.in_(document_ids)))}
        self._learn({row.category_id for row in rows.values()})
        tags = self._tags(document_ids)
        values = self._values(document_ids)
        taken = self._taken(rows.values())
        for document_id in document_ids:
            if document_id in rows:
                row = rows[document_id]
                yield self._standing(row, tags.get(document_id, frozenset()), values.get(document_id, ""), taken)

    def _rows(self) -> Any:
        columns = (
            Document.id,
            Document.title,
            Document.filename,
            Document.category_id,
            Document.published_at,
            Document.expires_at,
            Document.responsible_id,
            Document.trashed_at,
            Category.trashed_at.is_not(None).label("is_shelf_trashed"),
            access.is_out().label("is_out"),
            (Version.purged_at.is_not(None) | Version.id.is_(None)).label("is_purged"),
        )
        statement = select(*columns).join(Category, Category.id == Document.category_id)
        return statement.outerjoin(Version, Version.id == Document.current_version_id)

    def _standing(self, row: Row[Any], tags: frozenset[str], value: str, taken: set[tuple[int, str]]) -> Standing:
        level = MANAGE if self._actor.is_admin else self._levels[row.category_id]
        is_shown = level >= PUBLISH or (level >= READ and row.is_out and row.trashed_at is None)
        shelf = self._shelf(row.category_id)
        name = (shelf, row.filename)
        return Standing(
            row.id,
            row.title,
            row.filename,
            row.category_id,
            level if is_shown else 0,
            row.trashed_at is not None,
            bool(row.is_shelf_trashed),
            bool(row.is_purged),
            row.published_at,
            row.expires_at,
            row.responsible_id,
            tags,
            value,
            has_field=self._field is not None and f"/{self._field.category_id}/" in self._lineages[shelf],
            is_name_taken=name in taken or name in self._promised,
        )

    def _shelf(self, category_id: int) -> int:
        """Where a document of this category is going to be."""
        return self._changes.category_id or category_id

    def _learn(self, category_ids: set[int]) -> None:
        """What the person may do in these categories, and where in the tree they and the target are."""
        new = (category_ids | {self._shelf(one) for one in category_ids}) - set(self._lineages)
        if new:
            here = select(Category.id, Category.lineage, access.level_at(Category.id, self._actor))
            for category_id, lineage, level in db.session.execute(here.where(Category.id.in_(new))):
                self._lineages[category_id], self._levels[category_id] = lineage or "", level
            self._lineages |= {one: self._lineages.get(one, "") for one in new}
            self._levels |= {one: self._levels.get(one, 0) for one in new}

    def _tags(self, document_ids: Sequence[int]) -> dict[int, frozenset[str]]:
        if not (self.ground.add_keys or self.ground.remove_keys):
            return {}
        found: dict[int, set[str]] = defaultdict(set)
        statement = select(DocumentTag.document_id, Tag.name_key).join(Tag, Tag.id == DocumentTag.tag_id)
        for document_id, key in db.session.execute(statement.where(DocumentTag.document_id.in_(document_ids))):
            found[document_id].add(key)
        return {document_id: frozenset(keys) for document_id, keys in found.items()}

    def _values(self, document_ids: Sequence[int]) -> dict[int, str]:
        if self._field is None:
            return {}
        here = (FieldValue.document_id.in_(document_ids), FieldValue.field_id == self._field.id)
        statement = select(FieldValue.document_id, FieldValue.value).where(*here)
        return dict(db.session.execute(statement).all())

    def _taken(self, rows: Any) -> set[tuple[int, str]]:
        """Which of their names somebody has, where they are going to be."""
        if self._changes.category_id is None and self._changes.place != "back":
            return set()
        names = {row.filename for row in rows}
        shelves = {self._shelf(row.category_id) for row in rows}
        here = (Document.category_id.in_(shelves), Document.filename.in_(names), Document.trashed_at.is_(None))
        statement = select(Document.category_id, Document.filename).where(*here)
        return {(category_id, filename) for category_id, filename in db.session.execute(statement)}
