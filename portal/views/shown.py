"""What can be shown of a document, as its page needs it: one page of it, a table, a text, or why there is nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from flask import url_for

from portal.catalog import Edition
from portal.previews import Shown, foreseen_kind

MOST_CHARACTERS = 20_000
"""Of a table or a text on one page, which stays light."""
IMAGES = ("pages", "image")


@dataclass(frozen=True)
class View:
    """A preview with the place it stands at; ``number`` is the page of it that is looked at."""

    shown: Shown
    number: int
    title: str
    address: Callable[[int], str]
    """Of the image with this number."""
    page: Callable[[int], str]
    """Of the page that shows it."""
    foreseen: str | None
    """Of which kind it will be, as far as anybody knows before it is made."""

    @property
    def kind(self) -> str | None:
        """``pages``, ``image``, ``table`` or ``text``; None while there is nothing."""
        return self.shown.kind

    @property
    def has_image(self) -> bool:
        """Whether there is an image of it."""
        return self.kind in IMAGES

    @property
    def place(self) -> str:
        """``beside`` the facts, or ``below`` them; "" for a sentence among them. What is being made keeps its place."""
        kind = self.kind or (self.foreseen if self.shown.is_waiting else None)
        return ("beside" if kind in IMAGES else "below") if kind else ""

    @property
    def awaits(self) -> str:
        """What of it is still to come: ``all``, or the ``rest`` of what is shown; "" for nothing."""
        return ("rest" if self.kind else "all") if self.shown.is_waiting else ""

    @property
    def last(self) -> int:
        """How many pages there are images of."""
        return len(self.shown.sizes)

    @property
    def total(self) -> int:
        """How many pages there are, or rows below the header; as many as are shown where nobody knows."""
        known = self.last if self.has_image else len(self.shown.rows) - 1
        return max(self.shown.total or 0, known)

    @property
    def width(self) -> int:
        """Of the image, in pixels."""
        return self.shown.sizes[self.number - 1][0]

    @property
    def height(self) -> int:
        """Of the image, in pixels."""
        return self.shown.sizes[self.number - 1][1]

    @property
    def words(self) -> str:
        """What is shown of how much."""
        if self.kind == "pages" and self.shown.total is None:
            return f"Page {self.number}"
        if self.kind == "pages":
            return f"Page {self.number} of {self.total:,}"
        if self.kind == "image":
            return f"Preview of {self.title}"
        count, columns = len(self.rows), len(self.head)
        rows = f"{count:,} {'row' if count == 1 else 'rows'}"
        said = f"The first {count:,} of {self.total:,} rows" if self.total > count else f"All {rows}"
        if self.shown.total is None:
            said = f"The first {rows}"
        return f"{said}, {columns} of {self.shown.columns:,} columns." if self.shown.columns > columns else f"{said}."

    @property
    def head(self) -> list[str]:
        """The first row of a table."""
        return self.shown.rows[0]

    @cached_property
    def rows(self) -> list[list[str]]:
        """Those below it: as many as there is room for."""
        sizes = accumulate(sum(map(len, row)) for row in self.shown.rows)
        fitting = sum(size <= MOST_CHARACTERS for size in sizes)
        return self.shown.rows[1 : max(fitting, 2)]

    @property
    def text(self) -> str:
        """The beginning of a text."""
        return self.shown.text[:MOST_CHARACTERS]

    @property
    def is_cut(self) -> bool:
        """Whether there is more of it."""
        return len(self.shown.text) > MOST_CHARACTERS

    @property
    def sentence(self) -> str:
        """Why there is nothing."""
        return f"There is no preview. {self.shown.reason}"


def view_of(shown: Shown | None, edition: Edition, number: int | None, pinned: int | None = None) -> View | None:
    """The preview of an edition with its page ``number`` open; with ``pinned``, at the addresses of that version."""
    if shown is None:
        return None
    values: dict[str, Any] = {"ref": edition.uuid} | ({"number": pinned} if pinned is not None else {})
    page_at, image_at = ("documents.show", "previews.document")
    if pinned is not None:
        page_at, image_at = ("documents.version", "previews.version")
    at = min(max(number or 1, 1), max(len(shown.sizes), 1))
    return View(
        shown,
        at,
        edition.title,
        lambda image: url_for(image_at, image=image, **values),
        lambda page: url_for(page_at, page=page, _anchor="preview", **values),
        foreseen_kind(edition.content_type, edition.filename),
    )
