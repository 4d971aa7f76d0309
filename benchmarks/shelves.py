"""Shelves for a million documents, in rows: people, a tree of categories with grants, documents with all they have.

The same number of documents gives the same rows, but for the moments, which end now, and the uuids. Bytes are not made.
"""

import random
import uuid as uuids
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from portal.models import PUBLISH, READ

Row = tuple[Any, ...]

CATEGORIES, TOPS, DEEPEST, SEALED = 2000, 20, 6, 20
PEOPLE, GROUPS, GROUPS_OF_EACH, GRANTS_OF_GROUP, TAGS = 1000, 100, 3, 20, 200
OLD = 25
"""So many documents the narrowest reader sees, the oldest of all."""
YEARS = 10
VOCABULARY = 50_000
ENDINGS = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "png": "image/png",
    "txt": "text/plain",
}
ENDING_WEIGHTS = (60, 15, 10, 7, 5, 3)
SYLLABLES = "ka le mi no pu ra se ti vo zu ber gen lun stei dor fa hol jar keb wim".split()  # noqa: SIM905
ARCHIVE, OLDEST = 1, 2
"""The ids of a sealed category at the top and of the one in it that has the oldest documents."""
FEW, THOUSANDTH, HUNDREDTH, TENTH, ALL = "25 old", "0.1 %", "1 %", "10 %", "all"
PUBLISHER, ADMINISTRATOR = "publisher of 10 %", "administrator"
READERS = (FEW, THOUSANDTH, HUNDREDTH, TENTH, ALL, PUBLISHER, ADMINISTRATOR)
"""Who asks, by what they see. Their ids as people are their places, from 1."""
SHARES = {THOUSANDTH: 0.001, HUNDREDTH: 0.01, TENTH: 0.1}


@dataclass
class Shelf:
    """A category, with the part of all documents that are in it."""

    id: int
    parent_id: int | None
    path: str
    lineage: str
    depth: int
    weight: float
    is_sealed: bool = False
    below: list["Shelf"] = field(default_factory=list)

    def all_weight(self) -> float:
        """The part of all documents that are in it and below it, down to the seals."""
        return self.weight + sum(shelf.all_weight() for shelf in self.below if not shelf.is_sealed)


class Shelves:
    """The rows of every table, in an order in which the tables may be filled; ``words`` is right after the last one."""

    def __init__(self, documents: int) -> None:
        self.documents = documents
        self.words: dict[str, str] = {}
        self._chance = random.Random(documents)
        self._now = datetime.now(UTC)
        self._vocabulary = _vocabulary(self._chance)
        self._cumulated = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
        self._shelves = _tree(self._chance)
        self._uses: Counter[str] = Counter()
        self._counts: Counter[int] = Counter()

    def people(self) -> Iterator[Row]:
        """``(id, uuid, email, email_key, name, name_key, is_admin, visited_at, created_at, reference, used_bytes)``;
        readers first. Nothing is counted as theirs yet.
        """
        for number in range(1, PEOPLE + len(READERS) + 1):
            first, last = (self._word().title() for _ in range(2))
            name = READERS[number - 1] if number <= len(READERS) else f"{first} {last}"
            email, is_admin = f"person{number}@example.org", name == ADMINISTRATOR
            yield number, _uuid(self._chance), email, email, name, name.casefold(), is_admin, None, self._now, "", 0

    def introductions(self) -> Iterator[Row]:
        """``(person_hash, salt, user_id, name, email)``: how the log knows them."""
        for number in range(1, PEOPLE + len(READERS) + 1):
            yield f"{number:064x}", b"bench", number, f"Person {number}", f"person{number}@example.org"

    def groups(self) -> Iterator[Row]:
        """``(id, name, name_key, created_at)``; the last two are those of the readers of all and of a tenth."""
        for number in range(1, GROUPS + 1):
            yield number, f"Group {number}", f"group {number}", self._now

    def memberships(self) -> Iterator[Row]:
        """``(group_id, user_id, created_at)``."""
        yield GROUPS, READERS.index(ALL) + 1, self._now
        yield GROUPS - 1, READERS.index(TENTH) + 1, self._now
        for person in range(len(READERS) + 1, PEOPLE + len(READERS) + 1):
            for group in self._chance.sample(range(1, GROUPS - 1), GROUPS_OF_EACH):
                yield group, person, self._now

    def categories(self) -> Iterator[Row]:
        """``(id, uuid, parent_id, name, description, path, lineage, depth, is_sealed, document_count, created_at)``."""
        for shelf in self._shelves:
            name = shelf.path.rpartition("/")[2]
            fixed = (name, "", shelf.path, shelf.lineage, shelf.depth, shelf.is_sealed, 0, self._now)
            yield shelf.id, _uuid(self._chance), shelf.parent_id, *fixed

    def grants(self) -> Iterator[Row]:
        """``(category_id, group_id, user_id, is_everyone, permission, created_at)``."""
        yield OLDEST, None, READERS.index(FEW) + 1, False, READ, self._now
        leaves = [shelf for shelf in self._shelves[OLDEST:] if not shelf.below]
        for name in (THOUSANDTH, HUNDREDTH):
            for shelf in self._chosen(leaves, SHARES[name]):
                yield shelf.id, None, READERS.index(name) + 1, False, READ, self._now
        for shelf in self._chosen(self._shelves[OLDEST:], SHARES[TENTH]):
            yield shelf.id, GROUPS - 1, None, False, READ, self._now
            yield shelf.id, None, READERS.index(PUBLISHER) + 1, False, PUBLISH, self._now
        for shelf in self._shelves:
            if shelf.parent_id is None or shelf.is_sealed or shelf.id == OLDEST:
                yield shelf.id, GROUPS, None, False, READ, self._now
        for group in range(1, GROUPS - 1):
            for shelf in self._chance.sample(self._shelves[OLDEST:], GRANTS_OF_GROUP):
                yield shelf.id, group, None, False, self._chance.choice((1, 1, 1, 2)), self._now

    def tags(self) -> Iterator[Row]:
        """``(id, name, name_key, created_at)``."""
        for number, word in enumerate(self._vocabulary[1000 : 1000 + TAGS], 1):
            yield number, word, word, self._now

    def parts(self, size: int) -> Iterator[Mapping[str, list[Row]]]:
        """Documents with their blobs, versions and tags, so many at a time, by the name of the table."""
        weights = list(accumulate(shelf.weight for shelf in self._shelves))
        versions = 0
        for start in range(0, self.documents, size):
            part: dict[str, list[Row]] = {"blobs": [], "documents": [], "versions": [], "document_tags": []}
            for number in range(start + 1, min(start + size, self.documents) + 1):
                shelf = OLDEST if number <= OLD else 1 + bisect(weights, self._chance.random() * weights[-1])
                versions += self._document(number, shelf, versions, part)
            yield part
        self.words = _chosen_words(self._uses, self.documents)

    def counts(self) -> Iterator[tuple[int, int]]:
        """``(live documents, category_id)``, after the last document."""
        for category_id, count in self._counts.items():
            yield count, category_id

    def _document(self, number: int, shelf: int, versions: int, part: Mapping[str, list[Row]]) -> int:
        """Add the rows of one document; how many versions it has."""
        chance = self._chance
        created = self._now - timedelta(days=365.25 * YEARS) * (1 - (number - chance.random()) / self.documents)
        ending = chance.choices(tuple(ENDINGS), ENDING_WEIGHTS)[0]
        words = self._some_words(4)
        described = self._some_words(12) if chance.random() < 0.3 else []
        self._uses.update({*words, *described})
        title = " ".join(words).capitalize()
        filename = f"{'-'.join(words[:3])}-{number}.{ending}"
        count = 1 if number <= OLD else chance.choices((1, 2, 3), (90, 8, 2))[0]
        published, expires, trashed = (created, None, None) if number <= OLD else self._dates(created)
        author = chance.randint(1, PEOPLE)
        for edition in range(1, count + 1):
            version_id, sha256, size = versions + edition, chance.randbytes(32).hex(), int(chance.expovariate(1e-6))
            at = created + (edition - 1) / 10 * (self._now - created)
            part["blobs"].append((version_id, sha256, size, 0, at, at))
            part["versions"].append((
                version_id, number, edition, filename, "", ENDINGS[ending], size, sha256, 0, version_id, at, author
            ))  # fmt: skip
        part["documents"].append((
            number, _uuid(chance), shelf, title, filename, " ".join(described).capitalize(),
            f"{created:%Y}-{number:07}" if chance.random() < 0.6 else "", chance.choice((None, author)),
            f"{title}\n{filename}".casefold(), versions + count, count, published, expires, trashed, created, author
        ))  # fmt: skip
        for tag in chance.sample(range(1, TAGS + 1), chance.choice((0, 0, 1, 2))):
            part["document_tags"].append((number, tag))
        if trashed is None:
            self._counts[shelf] += 1
        return count

    def _dates(self, created: datetime) -> tuple[datetime | None, datetime | None, datetime | None]:
        """When it was published, expires and was trashed; most of the time the first alone is set."""
        lot, later = self._chance.random(), self._chance.random() * timedelta(days=365)
        if lot < 0.02:
            return None, None, None
        if lot < 0.023:
            return self._now + later, None, None
        if lot < 0.05:
            return created, min(created + later, self._now), None
        if lot < 0.07:
            return created, self._now + later, None
        return created, None, (min(created + later, self._now) if lot > 0.99 else None)

    def _chosen(self, among: Sequence[Shelf], share: float) -> list[Shelf]:
        """Some that have this part of all documents in them and below, none of them below another."""
        wanted = share * sum(shelf.weight for shelf in self._shelves)
        found: list[Shelf] = []
        for shelf in self._chance.sample(among, len(among)):
            is_apart = not any(one.lineage.startswith(two.lineage) for one, two in _both_ways(shelf, found))
            if is_apart and shelf.all_weight() <= wanted * 1.02:
                found.append(shelf)
                wanted -= shelf.all_weight()
        return found

    def _word(self) -> str:
        return self._vocabulary[bisect(self._cumulated, self._chance.random() * self._cumulated[-1])]

    def _some_words(self, number: int) -> list[str]:
        return [self._word() for _ in range(number)]


def _both_ways(shelf: Shelf, others: Sequence[Shelf]) -> Iterator[tuple[Shelf, Shelf]]:
    for other in others:
        yield shelf, other
        yield other, shelf


def _tree(chance: random.Random) -> list[Shelf]:
    shelves = [
        Shelf(ARCHIVE, None, "archive", f"/{ARCHIVE}/", 1, 0.0, is_sealed=True),
        Shelf(OLDEST, ARCHIVE, "archive/oldest", f"/{ARCHIVE}/{OLDEST}/", 2, 0.0),
    ]
    shelves[0].below.append(shelves[1])
    for number in range(OLDEST + 1, CATEGORIES + 1):
        weight = chance.lognormvariate(0, 1)
        if number <= OLDEST + TOPS:
            shelves.append(Shelf(number, None, f"area {number}", f"/{number}/", 1, weight))
            continue
        parent = chance.choice([shelf for shelf in shelves[OLDEST:] if shelf.depth < DEEPEST])
        path, lineage = f"{parent.path}/shelf {number}", f"{parent.lineage}{number}/"
        shelves.append(Shelf(number, parent.id, path, lineage, parent.depth + 1, weight))
        parent.below.append(shelves[-1])
    for shelf in chance.sample(shelves[OLDEST + TOPS :], SEALED):
        shelf.is_sealed = True
    return shelves


def _vocabulary(chance: random.Random) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        words["".join(chance.choices(SYLLABLES, k=chance.choice((2, 3, 3, 4))))] = None
    return list(words)


def _chosen_words(uses: Counter[str], documents: int) -> dict[str, str]:
    """The words whose numbers of documents come nearest to what they are called."""
    wanted = {"rare": min(20.0, documents / 500), "medium": documents / 200, "frequent": documents / 5}
    return {name: min(uses, key=lambda word: abs(uses[word] - number)) for name, number in wanted.items()}


def _uuid(chance: random.Random) -> uuids.UUID:
    return uuids.UUID(bytes=chance.randbytes(16), version=4)
