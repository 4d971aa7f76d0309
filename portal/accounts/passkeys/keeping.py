"""The passkeys of a person: made in a browser, kept, renamed, removed."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select
from webauthn import (
    generate_registration_options,
    verify_registration_response,
)
from webauthn.helpers import (
    options_to_json_dict,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from portal import audit
from portal.accounts.factors import has_second_factor, require_not_asked
from portal.accounts.identities import require_way_in
from portal.accounts.letters import tell
from portal.accounts.passkeys.challenges import (
    SECONDS,
    fields,
    host,
    issue_challenge,
    origin,
    spend_challenge,
    understood,
)
from portal.accounts.recovery import forget_recovery_codes
from portal.accounts.spelling import require_name
from portal.actors import Actor
from portal.errors import Conflict, NotFound, PasskeyRefused
from portal.extensions import db, settings, transaction
from portal.models import Passkey, User

MOST = 20
"""Passkeys of one person."""
NAME_LENGTH = 100
ID_LENGTH = 1023
HANDLE_LENGTH = 32

NOT_ADDED = "The browser gave no passkey that can be used here. Try again, or take another device."
KNOWN = "This passkey is here already."
TOO_MANY = f"You have {MOST} passkeys, the most one person may have. Remove one first."


def list_passkeys(user_id: int) -> list[Passkey]:
    """The passkeys of a person, in the order they were added."""
    return list(db.session.scalars(select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id)))


def get_passkey(who: Actor, passkey_id: int) -> Passkey:
    """One of the person's own passkeys. Raises NotFound."""
    found = db.session.get(Passkey, passkey_id)
    if found is None or found.user_id != who.user_id:
        raise NotFound
    return found


def options_to_add(who: Actor) -> dict[str, Any]:
    """What a browser needs to make a passkey for this person, as JSON; devices that hold one of theirs make no second.

    Raises BadInput where none is possible, and Conflict when they have the most there may be.
    """
    at = host()
    with transaction() as session:
        user = session.get_one(User, who.user_id, with_for_update=True)
        _require_room(user.id)
        user.passkey_handle = user.passkey_handle or secrets.token_bytes(HANDLE_LENGTH)
        challenge = issue_challenge("add", user.id)
        described = descriptions(user.id)
    options = generate_registration_options(
        rp_id=at,
        rp_name=settings().name or at,
        user_id=user.passkey_handle,
        user_name=user.email,
        user_display_name=user.name,
        challenge=challenge,
        timeout=SECONDS * 1000,
        exclude_credentials=described,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    return options_to_json_dict(options)


def add_passkey(who: Actor, answer: object, name: str, device: str) -> Passkey:
    """Keep the passkey a browser has made for this person; without a name it is called after its kind or ``device``.

    Raises PasskeyRefused, BadInput for a name that cannot be, and Conflict when they have the most there may be.
    """
    name = require_name(name, NAME_LENGTH) if name.strip() else ""
    user_id = who.user_id or 0
    given = understood(lambda: parse_registration_credential_json(fields(answer)), NOT_ADDED)
    challenge = spend_challenge(given.response.client_data_json, "add", user_id)
    verified = understood(
        lambda: verify_registration_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=host(),
            expected_origin=origin(),
            require_user_verification=True,
        ),
        NOT_ADDED,
    )
    if len(verified.credential_id) > ID_LENGTH:
        raise PasskeyRefused(NOT_ADDED)
    transports = {transport.value for transport in given.response.transports or []}
    with transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)
        _require_room(user_id)
        if find(verified.credential_id) is not None:
            raise PasskeyRefused(KNOWN)
        passkey = Passkey(
            user_id=user_id,
            name=name or _unused_name(user_id, _kind(transports) or device),
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            transports=sorted(transports),
            is_backed_up=verified.credential_backed_up,
        )
        session.add(passkey)
        audit.record_event("passkey.added", actor=who, thing=("user", user_id))
        tell(user, "passkey_changed", what="A passkey was added to your account. Whoever has it can sign in.")
    return passkey


def descriptions(user_id: int) -> list[PublicKeyCredentialDescriptor]:
    """The passkeys of a person as a browser is told of them."""
    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id, transports=[AuthenticatorTransport(name) for name in passkey.transports]
        )
        for passkey in list_passkeys(user_id)
    ]


def find(credential_id: bytes) -> Row[int, int, bytes, bytes | None, datetime | None] | None:
    """A passkey by what devices know it by, and what counts of the person it belongs to."""
    columns = (Passkey.id, Passkey.user_id, Passkey.public_key, User.passkey_handle, User.disabled_at)
    statement = select(*columns).join(User, User.id == Passkey.user_id)
    return db.session.execute(statement.where(Passkey.credential_id == credential_id)).first()


def rename_passkey(who: Actor, passkey_id: int, name: str) -> None:
    """Call one of the person's own passkeys something else. Raises NotFound, and BadInput for a name that cannot be."""
    name = require_name(name, NAME_LENGTH)
    with transaction():
        passkey = get_passkey(who, passkey_id)
        if passkey.name != name:
            passkey.name = name
            audit.record_event("passkey.renamed", actor=who, thing=("user", passkey.user_id))


def remove_passkey(who: Actor, passkey_id: int) -> None:
    """Let one of the person's own passkeys open nothing any more.

    Raises NotFound, and Conflict for the last second factor of somebody who must have one, and for the last way in.
    """
    with transaction() as session:
        user = session.get_one(User, who.user_id, with_for_update=True)
        passkey = get_passkey(who, passkey_id)
        session.execute(delete(Passkey).where(Passkey.id == passkey.id))
        require_not_asked(user.id)
        require_way_in(user)
        if not has_second_factor(user.id):
            forget_recovery_codes(user.id)  # they stand in for a second factor, and there is none any more
        audit.record_event("passkey.removed", actor=who, thing=("user", user.id))
        tell(user, "passkey_changed", what="A passkey was removed from your account. It opens nothing any more.")


def _require_room(user_id: int) -> None:
    count = select(func.count()).where(Passkey.user_id == user_id)
    if db.session.scalars(count).one() >= MOST:
        raise Conflict(TOO_MANY)


def _kind(transports: set[str]) -> str:
    """What people call a thing that is reached in these ways; "" for the device the browser runs on."""
    if "internal" in transports or not transports:
        return ""
    return "Phone or tablet" if transports <= {"hybrid", "cable"} else "Security key"


def _unused_name(user_id: int, name: str) -> str:
    taken = {passkey.name for passkey in list_passkeys(user_id)}
    others = (f"{name} {number}" for number in range(2, MOST + 2))
    return next(one for one in (name, *others) if one not in taken)
