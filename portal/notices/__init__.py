"""Mails to people: written in the transaction of the change they tell of, sent later by whoever looks at the outbox."""

from portal.notices.carriers import NotTaken
from portal.notices.deciding import drop_mail, park_waiting, retry_mail, retry_parked
from portal.notices.kinds import KINDS
from portal.notices.listing import MOST_COUNTED, MailRow, are_late, count_mails, list_mails
from portal.notices.outbox import LOOK, add_mail, add_written, write_mails
from portal.notices.sending import send_due, try_server
from portal.notices.texts import Letter

__all__ = [
    "KINDS",
    "LOOK",
    "MOST_COUNTED",
    "Letter",
    "MailRow",
    "NotTaken",
    "add_mail",
    "add_written",
    "are_late",
    "count_mails",
    "drop_mail",
    "list_mails",
    "park_waiting",
    "retry_mail",
    "retry_parked",
    "send_due",
    "try_server",
    "write_mails",
]
