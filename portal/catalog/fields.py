"""Fields of a category: what it wants to know of each document in it and below it. Defined here, filled elsewhere."""

import unicodedata
from collections.abc import Iterable

from sqlalchemy import delete, func, select, update

from portal import search
from portal.actors import Actor
from portal.catalog.categories import TREE, record_category, require_manage
from portal.catalog.inherited import require_distinct_fields
from portal.catalog.paths import within
from portal.catalog.tree import get_category
from portal.catalog.values import list_fields
from portal.errors import BadInput, Conflict, NameTaken, NotFound
from portal.extensions import db, lock_on, transaction
from portal.models import KINDS, Category, CategoryField, FieldValue, db_now

NAME_LENGTH = 60
MOST_FIELDS = 20
MOST_CHOICES = 200
CHOICE_LENGTH = 200


def add_field(
    actor: Actor | None, category_id: int, name: str, kind: str, choices: Iterable[str] = ()
) -> CategoryField:
    """Ask for something of each document of a category and below it. Needs ``manage``.

    One that was removed comes back under its name, with what was written into it. Raises BadInput for a name, kind or
    choices that cannot be and for more than 20, NameTaken and Conflict where the name is another field's already.
    """
    name, offered = _require_name(name), _require_choices(kind, choices)
    with transaction() as session:
        lock_on(TREE)
        require_manage(actor, category_id)
        category = get_category(category_id)
        own = list_own_fields(category)
        if len(own) >= MOST_FIELDS:
            raise BadInput(f"A category has at most {MOST_FIELDS} fields of its own.", field="name")
        _require_free(category, name)
        key = search.folded(name)
        same = (CategoryField.category_id == category_id, CategoryField.name_key == key, CategoryField.kind == kind)
        gone = (*same, CategoryField.removed_at.is_not(None))
        field = session.scalar(select(CategoryField).where(*gone).order_by(CategoryField.removed_at.desc()).limit(1))
        if field is None:
            field = CategoryField(category_id=category_id, name=name, name_key=key, kind=kind)
            session.add(field)
        else:
            search.queue_shelves(within(category))
        field.name, field.choices, field.removed_at = name, "\n".join(offered), None
        field.position = max((other.position for other in own), default=0) + 1
        session.flush()
        require_distinct_fields(category)
        record_category(actor, "category.field_added", category, field=name)
    return field


def change_field(actor: Actor | None, field_id: int, *, name: str, choices: Iterable[str] = ()) -> CategoryField:
    """Rename a field, or offer other choices; what documents have in it stays. Raises like ``add_field``."""
    name = _require_name(name)
    with transaction() as session:
        field, category = _hold(actor, field_id)
        offered = "\n".join(_require_choices(field.kind, choices))
        if (name, offered) == (field.name, field.choices):
            return field
        if search.folded(name) != field.name_key:
            _require_free(category, name)
        field.name, field.name_key, field.choices = name, search.folded(name), offered
        session.flush()
        require_distinct_fields(category)
        record_category(actor, "category.field_changed", category, field=name)
    return field


def move_field(actor: Actor | None, field_id: int, places: int) -> None:
    """Put a field so many places further down among those of its category, or up for less than none."""
    with transaction():
        field, category = _hold(actor, field_id)
        own = list_own_fields(category)
        at = own.index(field)
        own.insert(max(at + places, 0), own.pop(at))
        for position, one in enumerate(own, 1):
            one.position = position


def remove_field(actor: Actor | None, field_id: int) -> None:
    """Ask for it no more. What was written into it is kept, and is there again when it is added again."""
    with transaction() as session:
        field, category = _hold(actor, field_id)
        field.removed_at = session.scalars(select(db_now())).one()
        search.queue_shelves(within(category))
        record_category(actor, "category.field_removed", category, field=field.name)


def get_field(category_id: int, field_id: int) -> CategoryField:
    """A field of this very category. Raises NotFound."""
    field = db.session.get(CategoryField, field_id)
    if field is None or field.category_id != category_id or field.removed_at is not None:
        raise NotFound
    return field


def list_own_fields(category: Category) -> list[CategoryField]:
    """The fields that were added to this very category, in their order."""
    own = select(CategoryField).where(CategoryField.category_id == category.id, CategoryField.removed_at.is_(None))
    return list(db.session.scalars(own.order_by(CategoryField.position, CategoryField.id)))


def hand_over_fields(one: Category, other: Category) -> None:
    """Make the fields of a category that goes those of another; one of the same name and kind there takes the values.

    Inside the transaction that merges them. Raises Conflict where kinds differ, and for more than 20.
    """
    session = db.session()
    there = {field.name_key: field for field in list_fields(other)}
    position = max((field.position for field in there.values()), default=0)
    for field in list_own_fields(one):
        same = there.get(field.name_key)
        if same is None:
            position += 1
            field.category_id, field.position = other.id, position
        elif same.kind != field.kind:
            raise Conflict(f"Both have a field called {field.name}, of different kinds. Rename one of them first.")
        else:
            _hand_over_values(field, same)
    session.flush()
    if len(list_own_fields(other)) > MOST_FIELDS:
        raise Conflict(f"Together they have more than {MOST_FIELDS} fields. Remove some first.")
    rest = update(CategoryField).where(CategoryField.category_id == one.id)
    session.execute(rest.values(category_id=other.id, removed_at=func.coalesce(CategoryField.removed_at, db_now())))


def _hold(actor: Actor | None, field_id: int) -> tuple[CategoryField, Category]:
    """A field with its category, for who manages that, while nobody else writes to the tree. Raises NotFound."""
    lock_on(TREE)
    field = db.session.get(CategoryField, field_id, populate_existing=True)
    if field is None or field.removed_at is not None:
        raise NotFound
    require_manage(actor, field.category_id)
    return field, get_category(field.category_id)


def _require_free(category: Category, name: str) -> None:
    if any(field.name_key == search.folded(name) for field in list_fields(category)):
        raise NameTaken(f"There is already a field called {name} here or further up.", field="name")


def _require_name(name: str) -> str:
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise BadInput(f"The name of a field has 1 to {NAME_LENGTH} characters that can be seen.", field="name")
    return name


def _require_choices(kind: str, choices: Iterable[str]) -> list[str]:
    if kind not in KINDS:
        raise BadInput("A field is a text, a date, a number or a choice.", field="kind")
    if kind != "choice":
        return []
    offered = list(dict.fromkeys(filter(None, (" ".join(one.split()) for one in choices))))
    if not 1 <= len(offered) <= MOST_CHOICES:
        raise BadInput(f"Write 1 to {MOST_CHOICES} choices, one on each line.", field="choices")
    if any(len(one) > CHOICE_LENGTH or not one.isprintable() for one in offered):
        raise BadInput(f"A choice has at most {CHOICE_LENGTH} characters that can be seen.", field="choices")
    return [unicodedata.normalize("NFC", one) for one in offered]


def _hand_over_values(field: CategoryField, same: CategoryField) -> None:
    """What documents have now counts; what they once had in the other field, before they came here, gives way."""
    mine = select(FieldValue.document_id).where(FieldValue.field_id == field.id)
    stale = delete(FieldValue).where(FieldValue.field_id == same.id, FieldValue.document_id.in_(mine))
    db.session.execute(stale, execution_options={"synchronize_session": False})
    moved = update(FieldValue).where(FieldValue.field_id == field.id).values(field_id=same.id)
    db.session.execute(moved, execution_options={"synchronize_session": False})
    db.session.delete(field)
