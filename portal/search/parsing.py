"""What somebody typed into a query. Never raises: of what cannot be read a sentence tells, and the best is guessed.

``words "a phrase" begin* *part* -not type:pdf in:reports/2018 tag:urgent by:ada after:2026-01-31 before:2027``
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from portal.search.tokens import tokens

LONGEST_QUERY = 900
"""Nine bytes for a character of any script are an address that the server takes: ``limit_request_line``."""
MOST_PARTS = 20
MOST_TOKENS = 60
SHORTEST_PREFIX = 2
"""Letters: fewer begin half of all words."""
SHORTEST_PART = 3
OPERATORS = ("type", "in", "tag", "by", "after", "before")

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_PART = re.compile(r'(?P<not>-+)?(?:(?P<name>[^\W\d_]+):)?(?:"(?P<quoted>[^"]*)(?P<end>"\*?|$)|(?P<plain>[^\s"]+))')
_DATES = (
    re.compile(r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{1,2})(?:-(?P<day>[0-9]{1,2}))?)?", re.ASCII),
    re.compile(r"(?:(?P<day>[0-9]{1,2})\.)?(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4})", re.ASCII),
)


@dataclass(frozen=True)
class Part:
    """One thing that must be so, or must not. ``kind`` is ``words`` or the name of an operator."""

    kind: str
    value: str
    """As it was written, without quotes."""
    tokens: tuple[str, ...] = ()
    """Of words: these, one after the other."""
    is_prefix: bool = False
    """Of words: the last one may go on."""
    is_excluded: bool = False
    is_inside: bool = False
    """Of one word: it may be a part of a longer one, in a title or filename."""
    start: int = 0
    """With the next: where it stands in the text of the query."""
    end: int = 0

    @property
    def what(self) -> tuple[object, ...]:
        """What it means, wherever it stands."""
        return self.kind, self.tokens or self.value, self.is_prefix, self.is_excluded, self.is_inside


@dataclass(frozen=True)
class Query:
    """What is looked for: all of ``parts``, from ``since`` (included) ``until`` (not included)."""

    text: str
    parts: tuple[Part, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    problems: tuple[str, ...] = ()
    """Sentences about what could not be read."""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing to look for."""
        return not self.parts and self.since is None and self.until is None

    @property
    def words(self) -> tuple[str, ...]:
        """The words looked for, as ``snippet`` marks them."""
        wanted = (part for part in self.parts if part.kind == "words" and not part.is_excluded)
        return tuple(dict.fromkeys(token for part in wanted for token in part.tokens))


def parse(text: str, zone: tzinfo = UTC) -> Query:
    """The query in what somebody typed; days begin at midnight in ``zone``."""
    return _Reader(text, zone).query()


class _Reader:
    def __init__(self, text: str, zone: tzinfo) -> None:
        self._zone = zone
        self._problems: list[str] = []
        if len(text) > LONGEST_QUERY:
            self._problem(f"Only the first {LONGEST_QUERY:,} characters were read.")
        if "\0" in text:
            self._problem("A sign that nobody can write was taken for a space.")
        self._text = _UNSEEN.sub(" ", text[:LONGEST_QUERY]).translate(_QUOTES)
        self._since: datetime | None = None
        self._until: datetime | None = None

    def query(self) -> Query:
        parts = list({part.what: part for part in self._parts()}.values())
        if len(parts) > MOST_PARTS:
            self._problem(f"Only the first {MOST_PARTS} words were looked for.")
        return Query(
            self._text,
            tuple(self._short(parts[:MOST_PARTS])),
            self._since,
            self._until,
            tuple(dict.fromkeys(self._problems)),
        )

    def _short(self, parts: list[Part]) -> Iterator[Part]:
        room = MOST_TOKENS
        for part in parts:
            is_whole = len(part.tokens) <= room
            if not is_whole:
                self._problem(f"This is too much to look for at once: the first {MOST_TOKENS} words count.")
            if is_whole or room:
                yield part if is_whole else replace(part, tokens=part.tokens[:room], is_prefix=False)
            room -= min(len(part.tokens), room)

    def _parts(self) -> Iterator[Part]:
        for match in _PART.finditer(self._text):
            name = (match["name"] or "").casefold()
            is_quoted = match["quoted"] is not None
            value = match["quoted"] if is_quoted else match["plain"]
            if is_quoted and not match["end"]:
                self._problem("A quotation mark is missing: everything after the first one was taken as one phrase.")
            is_excluded = match["not"] is not None
            if name in OPERATORS:
                yield from self._operator(name, value.strip(), match, is_excluded=is_excluded)
            elif is_quoted:
                if match["name"]:
                    yield from self._words(match["name"], match.start(), is_excluded=is_excluded)
                begin = match["end"] == '"*'
                yield from self._phrase(value, match.start(), match.end(), is_prefix=begin, is_excluded=is_excluded)
            else:
                start = match.start() + len(match["not"] or "")
                whole = self._text[start : match.end()]
                yield from self._words(whole, start, is_excluded=is_excluded, from_=match.start())

    def _words(self, run: str, start: int, *, is_excluded: bool, from_: int | None = None) -> Iterator[Part]:
        """A run of characters; what a colon parts are two words, what other signs part is a phrase."""
        begin = start if from_ is None else from_
        while ":" in run:
            name, _, rest = run.partition(":")
            if name.casefold() in OPERATORS and not rest:
                self._problem(f"Write what you look for right after {name.casefold()}: without a space.")
                return
            yield from self._run(name, begin, start + len(name), is_excluded=is_excluded)
            start = begin = start + len(name) + 1
            run = rest
        yield from self._run(run, begin, start + len(run), is_excluded=is_excluded)

    def _run(self, run: str, start: int, end: int, *, is_excluded: bool) -> Iterator[Part]:
        stem, star, rest = run.lstrip("*").partition("*")
        if rest.strip("*"):
            self._problem("A * stands at the end of a word, or before and after a part of one.")
        found = tokens(stem, 2)
        if run.startswith("*") and len(found) == 1 and len(found[0]) >= SHORTEST_PART and not found[0].isdigit():
            yield Part("words", run, tuple(found), is_excluded=is_excluded, is_inside=True, start=start, end=end)
        else:
            yield from self._phrase(stem, start, end, is_prefix=bool(star), is_excluded=is_excluded)

    def _phrase(self, text: str, start: int, end: int, *, is_prefix: bool, is_excluded: bool) -> Iterator[Part]:
        found = tuple(tokens(text, MOST_TOKENS + 1))
        if not found:
            return
        if is_prefix and found[-1].isascii() and len(found[-1]) < SHORTEST_PREFIX:
            self._problem(f"At least {SHORTEST_PREFIX} letters are needed before a *.")
            is_prefix = False
        yield Part("words", text.strip(), found, is_prefix, is_excluded, start=start, end=end)

    def _operator(self, name: str, value: str, match: "re.Match[str]", *, is_excluded: bool) -> Iterator[Part]:
        if name in ("after", "before"):
            self._date(name, value, is_excluded=is_excluded)
            return
        if name == "type":
            value = "".join(tokens(value.rpartition(".")[2] if "tar." not in value else value))
        if name == "in":
            value = "/".join(part for part in value.split("/") if part.strip())
        if not value:
            self._problem(f"Write what you look for right after {name}: without a space.")
            return
        yield Part(name, value, is_excluded=is_excluded, start=match.start(), end=match.end())

    def _date(self, name: str, value: str, *, is_excluded: bool) -> None:
        moment = self._moment(value)
        if moment is None:
            self._problem(f"{name}:{value[:40]} has no date that can be read. Write it like {name}:2026-01-31.")
        elif (name == "after") != is_excluded:
            self._since = max(self._since or moment, moment)
        else:
            self._until = min(self._until or moment, moment)

    def _moment(self, value: str) -> datetime | None:
        for form in _DATES:
            if match := form.fullmatch(value):
                year, month, day = (int(match[part] or 1) for part in ("year", "month", "day"))
                try:
                    return datetime(year, month, day, tzinfo=self._zone).astimezone(UTC)
                except (ValueError, OverflowError):
                    return None
        return None

    def _problem(self, sentence: str) -> None:
        self._problems.append(sentence)
