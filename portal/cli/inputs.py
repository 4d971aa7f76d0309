"""What operators type: paths, people, groups, moments, and passwords that come on standard input."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from sqlalchemy import select

from portal import accounts, catalog
from portal.cli.output import say
from portal.errors import BadInput, CategoryNotFound, DocumentNotFound, GroupNotFound, UserNotFound
from portal.extensions import db
from portal.models import Category, Document, Group, User, db_now

PASSWORD_BYTES = 8192
TEXT_BYTES = 10_000_000
AFTER = re.compile(r"([0-9]{1,5})([mhd])", re.ASCII)
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def read_password() -> str:
    """The password on standard input, without its one line end. Raises BadInput when there is none."""
    given = sys.stdin.buffer.read(PASSWORD_BYTES)
    try:
        password = given.decode()
    except UnicodeDecodeError as problem:
        raise BadInput("The password on standard input is not UTF-8 text.") from problem
    password = password.removesuffix("\n").removesuffix("\r")
    if not password:
        raise BadInput("No password came on standard input.")
    return password


def read_list(file: BinaryIO) -> str:
    """A text file whole. Raises BadInput when it is far too large for a list, or no UTF-8."""
    given = file.read(TEXT_BYTES + 1)
    if len(given) > TEXT_BYTES:
        raise BadInput(f"The file is larger than {TEXT_BYTES // 1_000_000} MB. Take it in parts.")
    try:
        return given.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise BadInput("The file is no text in UTF-8.") from problem


def path_of(text: str) -> str:
    """A category path as the catalog spells it; slashes at its ends, which shells add, are no part of it."""
    return text.strip("/")


def get_category(path: str) -> Category:
    """The category at a path. Raises CategoryNotFound with its name."""
    category = catalog.find_category(path_of(path))
    if category is None:
        alike = catalog.find_alike(path_of(path))
        raise CategoryNotFound(f"There is no category {path}." + (f" Did you mean {alike.path}?" if alike else ""))
    return category


def warn_of_twin(path: str) -> None:
    """Tell of a category that differs from one about to be made in capitals only."""
    names = path_of(path).split("/")
    for count in range(1, len(names) + 1):
        above = "/".join(names[:count])
        if catalog.find_category(above) is None:
            alike = catalog.find_alike(above)
            if alike is not None:
                say(f"{alike.path} is another category than {above}, which is new: capitals make a difference.")
            return


def get_document(ref: str) -> Document:
    """The live document of an id, uuid or path. Raises DocumentNotFound with what was asked for."""
    document = catalog.find_ref(path_of(ref))
    if document is None:
        raise DocumentNotFound(f"There is no document {ref}.")
    return document


def get_user(email: str) -> User:
    """The account of an address. Raises UserNotFound with the address."""
    user = accounts.find_user(email)
    if user is None:
        raise UserNotFound(f"There is no person with the address {email}.")
    return user


def get_group(name: str) -> Group:
    """The group of a name. Raises GroupNotFound with the name."""
    group = accounts.find_group(name)
    if group is None:
        raise GroupNotFound(f"There is no group called {name}.")
    return group


def moment_of(text: str) -> datetime:
    """`14d`, `12h` or `30m` from now, or an ISO date or time, which is UTC unless it names a zone.

    A date alone means until it is over. Raises BadInput for anything else.
    """
    after = AFTER.fullmatch(text)
    if after is not None:
        return db.session.scalars(select(db_now())).one() + timedelta(**{UNITS[after[2]]: int(after[1])})
    try:
        moment = datetime.fromisoformat(text)
        moment = moment + timedelta(days=1) if DAY.fullmatch(text) else moment
        return moment.replace(tzinfo=moment.tzinfo or UTC)
    except (ValueError, OverflowError) as problem:
        raise BadInput(f"{text} is no moment. Write 14d, 12h, 2027-01-31 or 2027-01-31T18:00.") from problem
