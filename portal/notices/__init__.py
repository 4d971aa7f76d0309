"""Mails to people: written in the transaction of the change they tell of, sent later by whoever looks at the outbox."""

from portal.notices.kinds import KINDS
from portal.notices.outbox import LOOK, add_mail
from portal.notices.sending import send_due
from portal.notices.texts import Letter

__all__ = ["KINDS", "LOOK", "Letter", "add_mail", "send_due"]
