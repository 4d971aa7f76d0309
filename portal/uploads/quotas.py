"""The room that uploads need: for whoever begins one, in the transaction that writes it down."""

from portal.accounts.quotas import require_room

__all__ = ["require_room"]
