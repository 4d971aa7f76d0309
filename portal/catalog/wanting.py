"""What is to be made of new bytes for people to look at: written down with the version, made by the worker."""

from collections.abc import Collection
from functools import partial

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from portal import jobs
from portal.extensions import after_commit, db
from portal.models import Preview

PREVIEWS = "previews"
"""The name of the worker's look that makes them."""

_wake = partial(jobs.wake, PREVIEWS)


def want_previews(hashes: Collection[str]) -> None:
    """Have previews made of bytes that versions have from now on; inside the transaction that writes these.

    Bytes of which there was nothing to be shown are looked at again: they may have come under another name.
    """
    if not hashes:
        return
    session = db.session()
    make = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
    again = {"state": "waiting", "tries": 0, "leased_until": None}
    put = make(Preview).on_conflict_do_update(index_elements=["sha256"], set_=again, where=Preview.state == "none")
    session.execute(put, [{"sha256": sha256} for sha256 in sorted(hashes)])
    after_commit(_wake)


def let_previews_be_made(sha256: str) -> None:
    """These bytes are given out from now on: what rests because they were held is made at once."""
    resting = update(Preview).where(Preview.sha256 == sha256, Preview.state == "waiting")
    db.session.execute(resting.values(leased_until=None))
    after_commit(_wake)
