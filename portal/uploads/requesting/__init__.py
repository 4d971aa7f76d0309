"""File requests: links by which outsiders put files into a category, for publishers to look at."""

from portal.uploads.requesting.looking import (
    STATES,
    Receipt,
    RequestRow,
    SubmissionRow,
    count_requests,
    count_waiting,
    find_receipt,
    get_row,
    list_requests,
    list_submissions,
    review_submission,
)
from portal.uploads.requesting.making import Terms, add_request, change_request, get_request, revoke_request, terms_of
from portal.uploads.requesting.opening import Opened, count_sending, open_request
from portal.uploads.requesting.receiving import Sender, Sent, submit

__all__ = [
    "STATES",
    "Opened",
    "Receipt",
    "RequestRow",
    "Sender",
    "Sent",
    "SubmissionRow",
    "Terms",
    "add_request",
    "change_request",
    "count_requests",
    "count_sending",
    "count_waiting",
    "find_receipt",
    "get_request",
    "get_row",
    "list_requests",
    "list_submissions",
    "open_request",
    "review_submission",
    "revoke_request",
    "submit",
    "terms_of",
]
