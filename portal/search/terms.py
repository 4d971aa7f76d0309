"""The words there are in titles and filenames, and which of them a mistyped one may have meant."""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as insert_postgresql

from portal.extensions import db, transaction
from portal.models import SearchTerm
from portal.search.rows import IndexRow
from portal.search.tokens import LONGEST

SHORTEST = 3
EDGE = "\u00b7"
"""Stands for the beginning and the end of a word in its grams; no token has it."""
LAST_LETTER = "\U0010ffff"
SLIPS = ((8, 2), (4, 1))
"""How many slips a word of this length may have."""
MOST_CANDIDATES = 2000
"""How many words are looked at one by one."""
MOST_CONTAINING = 50
FORGOTTEN_AT_ONCE = 10_000

_NEAR_SQLITE = text(
    "SELECT term FROM search_term_grams JOIN search_terms ON search_terms.id = search_term_grams.rowid"
    " WHERE search_term_grams MATCH :asked AND length(term) BETWEEN :shortest AND :longest LIMIT :most"
)
_NEAR_POSTGRESQL = text(
    "SELECT term FROM search_terms WHERE array_to_tsvector(string_to_array(grams, ' ')) @@ CAST(:asked AS tsquery)"
    " AND length(term) BETWEEN :shortest AND :longest LIMIT :most"
)
_TERMS = SearchTerm.metadata.tables[SearchTerm.__tablename__]


def terms_of(row: IndexRow) -> set[str]:
    """The words of a title and filename that somebody may mistype; numbers are no words."""
    found = (*row.texts.title, *row.texts.filename)
    return {token for token in found if len(token) >= SHORTEST and not token.isdigit()}


def unknown_terms(terms: Collection[str]) -> set[str]:
    """Those that were never seen."""
    known = select(SearchTerm.term).where(SearchTerm.term.in_(terms))
    return set(terms) - set(db.session.scalars(known))


def add_terms(terms: Iterable[str]) -> None:
    """Remember these words; somebody else may have done so by now."""
    session = db.session()
    rows = [{"term": term, "grams": " ".join(grams_of(term))} for term in sorted(set(terms))]
    if not rows:
        return
    if session.get_bind().dialect.name == "sqlite":
        made = session.execute(insert(SearchTerm).returning(SearchTerm.id, SearchTerm.grams), rows)
        grams = text("INSERT INTO search_term_grams (rowid, grams) VALUES (:id, :grams)")
        session.connection().execute(grams, [{"id": one, "grams": found} for one, found in made])
    else:
        session.execute(insert_postgresql(_TERMS).on_conflict_do_nothing(index_elements=["term"]).values(rows))


def forget_terms() -> None:
    """Forget every word, some at a time; each comes back with the next document that has it."""
    while last := db.session.scalar(select(func.max(SearchTerm.id))):
        with transaction() as session:
            if session.get_bind().dialect.name == "sqlite":
                session.execute(text("INSERT INTO search_term_grams (search_term_grams) VALUES ('delete-all')"))
            session.execute(delete(SearchTerm).where(SearchTerm.id > last - FORGOTTEN_AT_ONCE))


def grams_of(term: str) -> list[str]:
    """Its runs of three characters, with its beginning and its end."""
    edged = f"{EDGE}{term}{EDGE}"
    return list(dict.fromkeys(edged[at : at + 3] for at in range(len(edged) - 2)))


def containing(part: str) -> list[str]:
    """Known words that this is a part of, the shortest first."""
    grams = [part[at : at + 3] for at in range(len(part) - 2)]
    if not grams:
        return []
    found = (term for term in _candidates([grams], len(part), LONGEST) if part in term)
    return sorted(found, key=lambda term: (len(term), term))[:MOST_CONTAINING]


def begun(part: str, most: int) -> list[str]:
    """Known words that begin so, at most so many."""
    terms = select(SearchTerm.term).where(SearchTerm.term >= part, SearchTerm.term < f"{part}{LAST_LETTER}")
    return list(db.session.scalars(terms.limit(most)))


def near(word: str) -> list[str]:
    """Known words that this may have meant, the nearest first: one slip from it, two in a long word."""
    most = next((slips for length, slips in SLIPS if len(word) >= length), 0)
    if not most or word.isdigit():
        return []
    known = select(SearchTerm.term).where(SearchTerm.term.in_(_shortened_or_turned(word)))
    found = set(db.session.scalars(known))
    for slips in range(1, most + 1):
        found.update(_candidates(_pieces(word, slips), len(word) - slips, len(word) + slips))
    letters = set(word)
    similar = (term for term in found - {word} if len(letters.symmetric_difference(term)) <= 2 * most)
    distances = {term: distance(word, term, most) for term in similar}
    likely = [term for term, slips in distances.items() if slips <= most]
    return sorted(likely, key=lambda term: (distances[term], term[0] != word[0], abs(len(term) - len(word)), term))


def distance(one: str, other: str, most: int) -> int:
    """How many slips lie between two words: a letter too many, too few, another one, or two that changed places.

    What is more than ``most`` is given as one more than that.
    """
    far = most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [far] * len(last)
        now[0] = row
        for column in range(max(1, row - most), min(len(other), row + most) + 1):  # further away is more than most
            counterpart = other[column - 1]
            best = last[column - 1]
            if letter != counterpart:
                best = 1 + min(best, last[column], now[column - 1])
                if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == counterpart:
                    best = min(best, before[column - 2] + 1)
            now[column] = best
        if min(now) > most:
            return far
        before, last = last, now
    return min(last[-1], far)


def _shortened_or_turned(word: str) -> set[str]:
    """The word without one of its letters, and with two that changed places: these leave a short word no gram."""
    shortened = {word[:at] + word[at + 1 :] for at in range(len(word))}
    return shortened | {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}


def _pieces(word: str, slips: int) -> list[list[str]]:
    """The grams of one piece more than there are slips: one piece at least is as it was meant."""
    edged = f"{EDGE}{word}{EDGE}"
    count = slips + 1
    bounds = [len(edged) * piece // count for piece in range(count + 1)]
    pieces = (edged[start:end] for start, end in pairwise(bounds))
    return [[piece[at : at + 3] for at in range(len(piece) - 2)] for piece in pieces]


def _candidates(options: Iterable[list[str]], shortest: int, longest: int) -> Sequence[str]:
    """Words of this length with all the grams of one of these lists."""
    is_sqlite = db.engine.dialect.name == "sqlite"
    both, either, quote = (" AND ", " OR ", '"') if is_sqlite else (" & ", " | ", "'")
    asked = either.join(f"({both.join(f'{quote}{gram}{quote}' for gram in grams)})" for grams in options if grams)
    if not asked:
        return []
    values = {"asked": asked, "shortest": shortest, "longest": longest, "most": MOST_CANDIDATES}
    return db.session.scalars(_NEAR_SQLITE if is_sqlite else _NEAR_POSTGRESQL, values).all()
