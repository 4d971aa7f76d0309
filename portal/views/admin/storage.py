"""The storage: documents whose bytes are damaged, and how far the reading of all of them is."""

from datetime import timedelta

from flask import Blueprint, Response, request

from portal import catalog, integrity
from portal.accounts.quotas import room_of_all
from portal.extensions import settings, storage
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow

bp = Blueprint("storage", __name__, url_prefix="/admin/storage")

WRONG = {
    "missing": "The file is missing",
    "kind": "Something else is in its place",
    "size": "Its length is wrong",
    "bytes": "Its bytes have changed",
    "unreadable": "The disk does not give it",
}
"""What is wrong with the bytes of a document, as ContentDamaged has it."""


@bp.get("")
@allow("administrator")
def show() -> Response:
    """What nobody gets and since when, the last pass of the scrub and the one that runs now, and what takes how much
    room: with ``?count=1`` also where adding it up takes a while.
    """
    rows, after = integrity.list_damaged(after=forms.query_id("after"))
    last = integrity.find_last()
    return house.show(
        "admin/storage.html",
        damaged=integrity.count_damaged(),
        rows=rows,
        after=after,
        wrong=WRONG,
        last=last,
        running=integrity.find_running(),
        next_at=last.started_at + timedelta(seconds=integrity.interval_seconds()) if last else None,
        days=settings().scrub_days,
        scans=catalog.count_scans(),
        has_scanner=bool(settings().clamd),
        held=integrity.held_bytes(),
        usage=integrity.count_usage() if "count" in request.args or integrity.is_counted_at_once() else None,
        unfinished=integrity.unfinished_uploads(),
        people=integrity.list_people_by_use(),
        groups=integrity.list_groups_by_use(),
        room=room_of_all(),
        free=storage().free_bytes(),
    )
