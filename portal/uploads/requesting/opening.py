"""A file request as an outsider meets it: opened by its token, which spends nothing."""

from dataclasses import dataclass

from sqlalchemy import select

from portal import access, filenames
from portal.accounts import record_try
from portal.actors import Actor
from portal.catalog import get_category, rules_of
from portal.errors import (
    CategoryNotFound,
    RequestExpired,
    RequestFull,
    RequestGone,
    RequestNotFound,
    RequestRevoked,
    UploadTooLarge,
    UploadTypeRejected,
)
from portal.extensions import db, settings
from portal.models import PUBLISH, FileRequest, User
from portal.sizes import size_text
from portal.tokens import is_token, token_hash
from portal.uploads.requesting.making import PURPOSE, now, state_of

MINUTE, QUARTER = 60, 15 * 60
SENDINGS = 30
"""So often one network may send by one link within a quarter of an hour, whatever becomes of it."""
MOST_AT_ONCE = 100
"""Files in one go: they are written down in one transaction, for which every other writer waits."""
NOT_OPEN = "This link takes no more files: the place they went to, or whoever asked for them, is not there any more."
CLOSED = {"revoked": RequestRevoked, "expired": RequestExpired, "full": RequestFull}


@dataclass(frozen=True)
class Opened:
    """A request that takes files now."""

    request: FileRequest
    category_id: int
    author: str | None
    """Who asks; None for the operator."""
    types: tuple[str, ...]
    """Endings that are taken, none for every one."""

    @property
    def endings(self) -> list[str]:
        """The same in every spelling, each with its dot: what a browser is to offer."""
        return sorted({f".{ending}" for one in self.types for ending in filenames.spellings(one)})

    @property
    def files_left(self) -> int | None:
        """How many files it still takes; None for any number."""
        limit = self.request.max_files
        return None if limit is None else limit - self.request.files

    @property
    def most_files(self) -> int:
        """How many files may come in one go."""
        return min(MOST_AT_ONCE, self.files_left if self.files_left is not None else MOST_AT_ONCE)

    @property
    def bytes_left(self) -> int | None:
        """How many bytes altogether; None for any number."""
        limit = self.request.max_bytes
        return None if limit is None else limit - self.request.bytes

    @property
    def most_bytes(self) -> int:
        """How many bytes may come in one go."""
        return min(settings().max_upload, self.bytes_left if self.bytes_left is not None else settings().max_upload)

    def require(self, filename: str, size: int) -> None:
        """Raise UploadTypeRejected or UploadTooLarge for a file this request does not take."""
        if self.types and not filenames.ends_in(filename, self.types):
            taken = ", ".join(self.types).upper()
            raise UploadTypeRejected(f"{filename} is of a type that is not asked for. Taken are: {taken}.")
        most = self.request.max_file_bytes
        if most is not None and size > most:
            raise UploadTooLarge(f"{filename} is larger than {size_text(most)}, which is the most for one file.")


def open_request(token: str, network: str) -> Opened:
    """The request of a token while it takes files, without spending anything.

    Raises RequestNotFound for a token that never was (and counts it against the network: TooManyTries), and a kind of
    RequestGone for one that was.
    """
    found = find_request(token)
    if found is None:
        count_unknown(network)
        raise RequestNotFound
    return open_found(found)


def open_found(found: FileRequest) -> Opened:
    """The same for one that was found. A request never outlives the right of whoever made it."""
    require_state(found)
    author = db.session.get(User, found.created_by_id) if found.created_by_id else None
    try:
        category = get_category(found.category_id or access.NO_CATEGORY)
    except CategoryNotFound as gone:
        raise RequestGone(NOT_OPEN) from gone
    if author is not None and not _may_still_ask(author, category.id):
        raise RequestGone(NOT_OPEN)
    own, rules = set(found.allowed_types.split()), set(rules_of(category).types)
    types = {one for one in own if filenames.spellings(one) & rules} if own and rules else own or rules
    if own and rules and not types:
        raise RequestGone(NOT_OPEN)
    return Opened(found, category.id, author.name if author else None, tuple(sorted(types)))


def find_request(token: str) -> FileRequest | None:
    """The request of a token, whatever its state."""
    if not is_token(token):
        return None
    this = select(FileRequest).where(FileRequest.token_hash == token_hash(PURPOSE, token))
    return db.session.scalar(this.execution_options(populate_existing=True))


def count_sending(opened: Opened, network: str) -> None:
    """Count that somebody begins to send. Raises TooManyTries, before the first byte is taken in."""
    record_try((f"sending:{opened.request.id}:{network}", SENDINGS, QUARTER))


def count_unknown(network: str) -> None:
    """Count an address that never was. Raises TooManyTries."""
    record_try((f"unknown:{network}", settings().unknown_tries, MINUTE))


def require_state(found: FileRequest) -> None:
    """Raise the kind of RequestGone that a request is, unless it is open."""
    state = state_of(found, now())
    if state in CLOSED:
        raise CLOSED[state]


def _may_still_ask(author: User, category_id: int) -> bool:
    maker = Actor(user_id=author.id, is_admin=author.is_admin)
    return author.disabled_at is None and access.permission_on(maker, category_id) >= PUBLISH
