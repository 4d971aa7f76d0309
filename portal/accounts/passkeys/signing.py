"""What a passkey proves: who comes, who is still there, and that whoever gave the password holds the device too."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from webauthn import generate_authentication_options, verify_authentication_response
from webauthn.helpers import options_to_json_dict, parse_authentication_credential_json
from webauthn.helpers.structs import UserVerificationRequirement

from portal import audit
from portal.accounts.confirming import make_fresh, one_guess
from portal.accounts.entering import Entered, SecondFactorDue, enter
from portal.accounts.history import record_refusal
from portal.accounts.passkeys.challenges import (
    SECONDS,
    Purpose,
    fields,
    host,
    issue_challenge,
    origin,
    spend_challenge,
    understood,
)
from portal.accounts.passkeys.keeping import descriptions, find
from portal.accounts.second import enter_proven, one_second_try, require_pending
from portal.accounts.sessions import SignedIn
from portal.accounts.throttle import QUARTER, one_try, record_try
from portal.actors import PORTAL
from portal.errors import PasskeyRefused, SignInFailed
from portal.extensions import settings, transaction
from portal.models import Passkey, db_now

OPTIONS_A_MINUTE = 60
"""How often one network may ask for something to sign: each is a row."""


def options_to_enter(network: str) -> dict[str, Any]:
    """What a browser needs to look for a passkey of whoever sits before it, as JSON. It names nobody.

    Raises BadInput where none is possible, and TooManyTries.
    """
    record_try((f"passkey-options:{network}", OPTIONS_A_MINUTE, 60))
    return _options_to_sign("enter", None)


def options_to_prove(user_id: int) -> dict[str, Any]:
    """The same for somebody known: it must be one of their passkeys."""
    return _options_to_sign("prove", user_id)


def sign_in_by_passkey(answer: object, *, network: str, agent: str) -> Entered | SecondFactorDue:
    """Let in whoever's passkey this is; nothing more is due then.

    Tries are counted before anything is looked at. Raises PasskeyRefused like ``check_passkey``, and TooManyTries.
    """
    with one_try((f"login-network:{network}", settings().network_tries, QUARTER)):
        try:
            user_id = check_passkey(answer)
            return enter(user_id, "passkey", network=network, agent=agent, is_two_factor=True)
        except (PasskeyRefused, SignInFailed) as problem:
            record_refusal(None, "passkey", network=network, agent=agent)
            raise problem if isinstance(problem, PasskeyRefused) else PasskeyRefused from problem


def enter_by_second_passkey(
    token: str, answer: object, *, network: str, agent: str, devices: Sequence[str] = ()
) -> Entered:
    """Finish the sign-in that waits with this token, by a passkey of its person as the second factor.

    Tries are counted with those of codes. Raises PasskeyRefused, TooManyTries, and SignInOver.
    """
    pending = require_pending(token)
    user_id = pending.user_id
    with one_second_try(pending, "passkey", network=network, agent=agent, devices=devices):
        check_passkey(answer, user_id)
        return enter_proven(token, "passkey", network=network, agent=agent)


def confirm_by_passkey(person: SignedIn, answer: object, devices: Sequence[str] = ()) -> None:
    """Take the session for fresh when one of its person's passkeys has signed. Raises like ``sign_in_by_passkey``."""
    with one_guess(person, devices):
        try:
            check_passkey(answer, person.user_id)
        except PasskeyRefused:
            record_refusal(person.user_id, "passkey", network=person.network, agent="")
            raise
    make_fresh(person)


def check_passkey(answer: object, user_id: int | None = None) -> int:
    """Whose passkey a browser has signed with; with a ``user_id`` it must be theirs, asked for by ``options_to_prove``.

    Raises PasskeyRefused, the same for an unknown passkey, a wrong signature and a disabled account. Whoever calls this
    has counted the try before.
    """
    given = understood(lambda: parse_authentication_credential_json(fields(answer)))
    challenge = spend_challenge(given.response.client_data_json, "enter" if user_id is None else "prove", user_id)
    found = find(given.raw_id)
    if found is None:
        raise PasskeyRefused
    passkey_id, owner_id, public_key, handle, disabled_at = found
    if disabled_at is not None or user_id not in (None, owner_id):
        raise PasskeyRefused
    # One that was found without being asked for by its id has to say whose it is (WebAuthn, 7.2, 6).
    if given.response.user_handle != handle and (user_id is None or given.response.user_handle is not None):
        raise PasskeyRefused
    verified = understood(
        lambda: verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=host(),
            expected_origin=origin(),
            credential_public_key=public_key,
            credential_current_sign_count=0,  # ours is compared below, once the signature is known to be right
            require_user_verification=True,
        )
    )
    _note_use(passkey_id, owner_id, verified.new_sign_count, is_backed_up=verified.credential_backed_up)
    return owner_id


def _note_use(passkey_id: int, user_id: int, count: int, *, is_backed_up: bool) -> None:
    """Raise the counter of a passkey. One that does not rise is that of a copy, unless the device never counts."""
    rises = Passkey.sign_count < count if count else Passkey.sign_count == 0
    values = {"sign_count": count, "used_at": db_now(), "is_backed_up": is_backed_up}
    with transaction() as session:
        noted = update(Passkey).where(Passkey.id == passkey_id, rises).values(values).returning(Passkey.id)
        is_noted = session.execute(noted).first() is not None
        if not is_noted:
            audit.record_event("passkey.copied", actor=PORTAL, thing=("user", user_id))
    if not is_noted:
        raise PasskeyRefused


def _options_to_sign(purpose: Purpose, user_id: int | None) -> dict[str, Any]:
    options = generate_authentication_options(
        rp_id=host(),
        challenge=issue_challenge(purpose, user_id),
        timeout=SECONDS * 1000,
        allow_credentials=descriptions(user_id) if user_id is not None else None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)
