"""Mails to people: written in the transaction of the change they tell of, sent later by whoever looks at the outbox."""

from portal.notices.carriers import NotTaken
from portal.notices.kinds import KINDS
from portal.notices.outbox import LOOK, add_mail, add_written, write_mails
from portal.notices.sending import send_due, try_server
from portal.notices.texts import Letter

__all__ = ["KINDS", "LOOK", "Letter", "NotTaken", "add_mail", "add_written", "send_due", "try_server", "write_mails"]
