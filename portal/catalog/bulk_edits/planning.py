"""Planning an edit of many documents: which ones, what to change, and what it would come to. Nothing is changed yet."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, func, insert, select

from portal import access, search
from portal.actors import Actor
from portal.catalog.bulk_edits.changes import Changes, Choice, pack, unpack
from portal.catalog.bulk_edits.judging import Outcome, Verdict
from portal.catalog.bulk_edits.keeping import get_own, require_planned
from portal.catalog.bulk_edits.looking import Looker
from portal.catalog.paths import within
from portal.catalog.tags import require_tags
from portal.catalog.trash import Sought, list_ids
from portal.catalog.tree import get_category
from portal.catalog.values import list_fields, require_value
from portal.errors import BadInput, Conflict
from portal.extensions import db, run, transaction
from portal.models import PUBLISH, BulkEdit, BulkItem, Category, CategoryField, Document, db_later

MOST = 100_000
"""Documents of one edit."""
WRITTEN_AT_ONCE = 5_000
"""Rows put down in one transaction, so that nobody waits long behind it."""
READ_AT_ONCE = 1_000
CATCH_UP_SECONDS = 2.0
"""So long what waits to be indexed is indexed before a search is asked what to change."""
NAMED = 5
"""How many documents of a kind are named on the page that says what would change."""
KEPT_SECONDS = 86_400
NOTHING = "Choose at least one document."
UNREAD = "What was changed lately is not looked through yet, and nothing else was found. Try again in a moment."
TOO_MUCH_UNREAD = "So much was changed lately that the search does not know how things are now. Try again later."
NO_CHANGE = "Choose what should change."
ALONE = "Putting documents into the trash goes alone. Choose it without the others."


@dataclass
class Group:
    """Documents an edit comes to the same for, and why; the first few with their titles."""

    outcome: Outcome
    reason: str
    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Forecast:
    """What an edit would come to as things are now."""

    counts: dict[str, int]
    groups: list[Group]
    """Those that would be changed first, then unchanged, then refused; of each the larger before the smaller."""


def plan_selected(actor: Actor, document_ids: Iterable[int]) -> BulkEdit:
    """Plan an edit of these documents, of those among them that the person may read. Raises BadInput for none."""
    wanted = list(dict.fromkeys(document_ids))[:MOST]
    found: list[int] = []
    for part in _parts(wanted, READ_AT_ONCE):
        found += db.session.scalars(access.readable(select(Document.id).where(Document.id.in_(part)), actor))
    return _put_down(actor, found, Choice("selected"))


def plan_category(actor: Actor, category_id: int) -> BulkEdit:
    """Plan an edit of all in a category and below it that the person may publish, the newest first if they are many."""
    category = get_category(category_id)
    access.require_permission(actor, category_id, PUBLISH)
    below = select(Document.id).join(Category, Category.id == Document.category_id)
    below = below.where(within(category), Document.trashed_at.is_(None))
    newest = func.coalesce(Document.published_at, Document.created_at).desc()
    theirs = access.publishable(below, actor).order_by(newest, Document.id.desc())
    found = list(db.session.scalars(theirs.limit(MOST + 1)))
    return _put_down(actor, found[:MOST], Choice("category", category.path, is_cut=len(found) > MOST))


def plan_found(actor: Actor, query: str) -> BulkEdit:
    """Plan an edit of all that a search finds and the person may publish, the newest first if they are many.

    Nothing is looked for in the place of a mistyped word. Of what still waits to be indexed nobody knows whether it is
    found: nothing of that is taken, and the plan says how many these are. Raises BadInput and Conflict.
    """
    unread = _find_unread(actor)
    asked, after = search.parse(query), None
    found: list[int] = []
    others, is_over = 0, False
    while len(found) < MOST and not is_over:
        page = search.find(actor, asked, after=after, limit=READ_AT_ONCE)
        hits = page.document_ids if not page.corrected else []
        theirs = set(db.session.scalars(access.publishable(select(Document.id).where(Document.id.in_(hits)), actor)))
        found += [one for one in hits if one in theirs and one not in unread]
        others += len(hits) - len(theirs)
        after, is_over = page.after, page.after is None or not hits
    is_cut = len(found) > MOST or not is_over
    live = sum(unread.values())
    if live and not found:
        raise BadInput(UNREAD)
    return _put_down(actor, found[:MOST], Choice("search", query, others, is_cut, live))


def _find_unread(actor: Actor) -> dict[int, bool]:
    """What the person may publish and the index does not know as it is, with whether it is not in the trash.

    Asked before the search: what is changed afterwards is changed after it was chosen. Raises Conflict for too much.
    """
    until = time.monotonic() + CATCH_UP_SECONDS
    search.catch_up(lambda: time.monotonic() >= until)
    here = select(Document.id, Document.trashed_at.is_(None)).where(Document.id.in_(search.waiting()))
    found = dict(db.session.execute(access.publishable(here, actor).limit(MOST + 1)).all())
    if len(found) > MOST:
        raise Conflict(TOO_MUCH_UNREAD)
    return found


def plan_return(actor: Actor, document_ids: Iterable[int]) -> BulkEdit:
    """Plan to bring documents back from the trash: those of these that the person may bring back."""
    wanted = list(dict.fromkeys(document_ids))[:MOST]
    found: list[int] = []
    for part in _parts(wanted, READ_AT_ONCE):
        here = select(Document.id).where(Document.id.in_(part), Document.trashed_at.is_not(None))
        found += db.session.scalars(access.publishable(here, actor))
    return _put_down(actor, found, Choice("trash"), Changes(place="back"))


def plan_return_of(actor: Actor, sought: Sought) -> BulkEdit:
    """Plan to bring back all that is in the trash and like that, the last trashed first if they are many."""
    found = list_ids(actor, sought, MOST + 1)
    return _put_down(actor, found[:MOST], Choice("trash", is_cut=len(found) > MOST), Changes(place="back"))


def choose_changes(actor: Actor, edit_id: int, changes: Changes) -> None:
    """Say what a planned edit is to change. Raises BadInput for nothing, and for what cannot be."""
    if changes.is_nothing:
        raise BadInput(NO_CHANGE)
    if not changes.is_alone:
        raise BadInput(ALONE, field="place")
    require_tags((*changes.add_tags, *changes.remove_tags))
    _require_field(actor, edit_id, changes)
    if changes.category_id is not None:
        access.require_permission(actor, changes.category_id, PUBLISH)
    with transaction():
        edit = require_planned(actor, edit_id)
        choice, _ = unpack(edit.changes)
        edit.changes = pack(choice, changes)


def forecast(actor: Actor, edit_id: int) -> Forecast:
    """What a planned edit would come to: by the very function that is asked again for each document when it is done."""
    edit = get_own(actor, edit_id)
    looker = Looker(actor, unpack(edit.changes)[1])
    groups: dict[Verdict, Group] = {}
    counts: Counter[str] = Counter()
    for standing, verdict in looker.judge(item_ids(edit_id)):
        group = groups.setdefault(verdict, Group(verdict.outcome, verdict.reason))
        counts[verdict.outcome] += 1
        group.count += 1
        if len(group.first) < NAMED:
            group.first.append((standing.document_id, standing.title if standing.level else ""))
    order = ("changed", "unchanged", "refused")
    ranked = sorted(groups.values(), key=lambda group: (order.index(group.outcome), -group.count))
    return Forecast(dict(counts), ranked)


def list_offered_fields(actor: Actor, edit_id: int) -> list[CategoryField]:
    """Fields that a category of at least one document of an edit asks for, by name.

    Only of documents the person may publish now: one may have gone since to where nothing is theirs to see.
    """
    chosen = select(BulkItem.document_id).where(BulkItem.bulk_edit_id == edit_id)
    shelves = access.publishable(select(Document.category_id).where(Document.id.in_(chosen)), actor).distinct()
    lineages = db.session.scalars(select(Category.lineage).where(Category.id.in_(shelves)))
    above = {int(part) for lineage in lineages for part in (lineage or "").strip("/").split("/")}
    asked = select(CategoryField).where(CategoryField.removed_at.is_(None)).order_by(CategoryField.name_key)
    return [field for field in db.session.scalars(asked) if field.category_id in above]


def name_of(field_id: int) -> str:
    """What a field is called, also one that was removed."""
    return db.session.scalar(select(CategoryField.name).where(CategoryField.id == field_id)) or ""


def item_ids(edit_id: int) -> Sequence[int]:
    """The documents of an edit in the order in which they are changed: the newest first."""
    here = select(BulkItem.document_id).where(BulkItem.bulk_edit_id == edit_id)
    return db.session.scalars(here.order_by(BulkItem.document_id.desc())).all()


def drop_plan(actor: Actor, edit_id: int) -> None:
    """Forget a planned edit: nothing was done, and nothing is left to say."""
    with transaction():
        require_planned(actor, edit_id)
    _remove(edit_id)


def forget_plans() -> None:
    """Forget what was planned more than a day ago and never begun."""
    old = select(BulkEdit.id).where(BulkEdit.state == "planned", BulkEdit.created_at < db_later(-KEPT_SECONDS))
    for edit_id in db.session.scalars(old).all():
        _remove(edit_id)


def _put_down(actor: Actor, document_ids: Sequence[int], choice: Choice, changes: Changes | None = None) -> BulkEdit:
    if not document_ids:
        raise BadInput(NOTHING, field="document")
    with transaction() as session:
        edit = BulkEdit(created_by_id=actor.user_id, changes=pack(choice, changes or Changes()))
        session.add(edit)
        session.flush()
    for part in _parts(document_ids, WRITTEN_AT_ONCE):
        rows = [{"bulk_edit_id": edit.id, "document_id": document_id} for document_id in part]
        with transaction() as session:
            session.execute(insert(BulkItem), rows)
    return edit


def _remove(edit_id: int) -> None:
    """Items first, a part at a time; the row of the edit last, so that whoever is cut short here is followed."""
    is_planned = select(BulkEdit.id).where(BulkEdit.id == edit_id, BulkEdit.state == "planned")
    some = select(BulkItem.document_id).where(BulkItem.bulk_edit_id == edit_id).limit(WRITTEN_AT_ONCE)
    items = delete(BulkItem).where(BulkItem.bulk_edit_id == edit_id, BulkItem.document_id.in_(some))
    is_left = True
    while is_left:
        with transaction() as session:
            if session.scalar(is_planned.with_for_update()) is None:
                return
            is_left = run(items).rowcount > 0
            if not is_left:
                session.execute(delete(BulkEdit).where(BulkEdit.id == edit_id))


def _require_field(actor: Actor, edit_id: int, changes: Changes) -> None:
    """Of others not even the name is said: they may be of categories that are not theirs to see."""
    if changes.field_id is None:
        return
    offered = list_offered_fields(actor, edit_id)
    if changes.category_id is not None and access.permission_on(actor, changes.category_id) >= PUBLISH:
        offered += list_fields(get_category(changes.category_id))
    asked = next((field for field in offered if field.id == changes.field_id), None)
    if asked is None:
        raise BadInput("Choose one of the fields that are offered here.", field="field")
    try:
        require_value(asked, changes.field_value)
    except BadInput as problem:
        raise BadInput(problem.sentence, field="field_value") from problem


def _parts(ids: Sequence[int], size: int) -> list[Sequence[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
