"""Passkeys (WebAuthn level 3): added, proved with, renamed, removed.

Each is one that a device finds without being told whose, and that makes sure of the person by PIN, finger or face: both
factors at once. Nothing is asked about the make of the device.
"""

from portal.accounts.passkeys.challenges import is_possible
from portal.accounts.passkeys.keeping import (
    add_passkey,
    get_passkey,
    list_passkeys,
    options_to_add,
    remove_passkey,
    rename_passkey,
)
from portal.accounts.passkeys.signing import (
    check_passkey,
    confirm_by_passkey,
    enter_by_second_passkey,
    options_to_enter,
    options_to_prove,
    sign_in_by_passkey,
)

__all__ = [
    "add_passkey",
    "check_passkey",
    "confirm_by_passkey",
    "enter_by_second_passkey",
    "get_passkey",
    "is_possible",
    "list_passkeys",
    "options_to_add",
    "options_to_enter",
    "options_to_prove",
    "remove_passkey",
    "rename_passkey",
    "sign_in_by_passkey",
]
