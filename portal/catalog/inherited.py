"""What a category says for all below it: which types it takes, when new documents expire, and names of fields."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import aliased

from portal import filenames
from portal.catalog.paths import lineage_ids, within
from portal.errors import BadInput, Conflict, UploadTypeRejected
from portal.extensions import db
from portal.models import Category, CategoryField

MOST_ENDINGS = 50
ENDING = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,19}", re.ASCII)


@dataclass(frozen=True)
class Rules:
    """What holds for documents that come into a category: endings that are taken, none for every one, and after how
    many days new ones expire, None for never."""

    types: tuple[str, ...] = ()
    expiry_days: int | None = None

    @property
    def says_something(self) -> bool:
        """Whether new documents are held to anything."""
        return bool(self.types or self.expiry_days)

    def takes(self, filename: str) -> bool:
        """Whether the ending of a filename is taken here."""
        return not self.types or filenames.ends_in(filename, self.types)

    def require(self, filename: str) -> None:
        """Raise UploadTypeRejected for a filename whose ending is not taken here."""
        if not self.takes(filename):
            taken = ", ".join(self.types).upper()
            raise UploadTypeRejected(f"{filename} is of a type that this category does not take. Taken are: {taken}.")

    def end_of(self, published_at: datetime | None) -> datetime | None:
        """When a document expires for which nobody said so; a draft is not told before it is published."""
        if published_at is None or self.expiry_days is None:
            return None
        return published_at + timedelta(days=self.expiry_days)


def rules_of(category: Category) -> Rules:
    """What holds in one category."""
    return rules_of_many([category])[category.id]


def rules_of_many(categories: Sequence[Category]) -> dict[int, Rules]:
    """The same for many, by id: the nearest of those above that says something decides, each of the two by itself."""
    chains = {category.id: lineage_ids(category) for category in categories}
    saying = select(Category.id, Category.allowed_types, Category.expiry_days)
    says = {
        row.id: row
        for row in db.session.execute(
            saying.where(Category.allowed_types.is_not(None) | Category.expiry_days.is_not(None))
        )
    }
    found: dict[int, Rules] = {}
    for category_id, chain in chains.items():
        near = [says[one] for one in reversed(chain) if one in says]
        types = next((row.allowed_types for row in near if row.allowed_types is not None), "")
        days = next((row.expiry_days for row in near if row.expiry_days is not None), 0)
        found[category_id] = Rules(tuple(types.split()), days or None)
    return found


def require_endings(types: Iterable[str]) -> list[str]:
    """Endings as stored: without dots, in small letters, each once. Raises BadInput for what can be none."""
    endings = sorted({ending.strip().lstrip(".").lower() for ending in types} - {""})
    wrong = next((ending for ending in endings if not ENDING.fullmatch(ending)), None)
    if wrong is not None or len(endings) > MOST_ENDINGS:
        raise BadInput(
            f"Write at most {MOST_ENDINGS} endings such as pdf or tar.gz, with blanks between.", field="types"
        )
    return endings


def require_distinct_fields(category: Category) -> None:
    """Raise Conflict when a field here or below, also in the trash, is called like one further up."""
    above, theirs = aliased(Category), aliased(CategoryField)
    met = (
        select(CategoryField.name, Category.path, above.path)
        .join(Category, Category.id == CategoryField.category_id)
        .join(theirs, theirs.name_key == CategoryField.name_key)
        .join(above, above.id == theirs.category_id)
        .where(
            within(category), CategoryField.removed_at.is_(None), theirs.removed_at.is_(None), above.id != Category.id
        )
        .where(Category.lineage.startswith(above.lineage))
    )
    row = db.session.execute(met.limit(1)).first()
    if row is not None:
        name, below, further_up = row
        raise Conflict(f"Both {further_up} and {below} have a field called {name}. Rename or remove one of them first.")
