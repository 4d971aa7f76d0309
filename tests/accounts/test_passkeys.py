"""Passkeys: what a browser answers is taken once, for the person it was asked of, at this address, or not at all."""

import json
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import cbor2
import pytest
from flask import Flask
from sqlalchemy import event, func, select
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from portal import accounts
from portal.accounts import Entered, SecondFactorDue, SignedIn, disable_user, find_session
from portal.accounts.passkeys import (
    add_passkey,
    check_passkey,
    confirm_by_passkey,
    enter_by_second_passkey,
    get_passkey,
    is_possible,
    list_passkeys,
    options_to_add,
    options_to_enter,
    options_to_prove,
    remove_passkey,
    rename_passkey,
    sign_in_by_passkey,
)
from portal.accounts.passkeys.challenges import SECONDS
from portal.accounts.passkeys.keeping import ID_LENGTH, MOST, NOT_ADDED
from portal.accounts.passkeys.signing import OPTIONS_A_MINUTE
from portal.accounts.sessions import start_session
from portal.errors import (
    BadInput,
    ChallengeGone,
    Conflict,
    NotFound,
    PasskeyRefused,
    SignInFailed,
    SignInOver,
    TooManyTries,
)
from portal.extensions import db, transaction
from portal.models import AuditEvent, Challenge, HouseRule, Mail, Passkey, Session, SignInAttempt, User
from portal.settings import Settings
from tests.authenticators import BACKED_UP, PRESENT, VERIFIED, Authenticator
from tests.makers import NETWORK, PASSWORD, actor, at_once, change, core, now, person, release

pytestmark = pytest.mark.usefixtures("context")


def added(user: User, device: Authenticator, name: str = "") -> Passkey:
    """A passkey of this person, made on this device."""
    return add_passkey(actor(user), device.create(options_to_add(actor(user))), name, "Firefox on Linux")


def entered(device: Authenticator) -> int:
    """Whose passkey the device signed with, for whoever comes."""
    return check_passkey(device.get(options_to_enter(NETWORK)))


def refusal(answer: object, user_id: int | None = None) -> str:
    """The sentence of a proof that must be refused."""
    with pytest.raises(PasskeyRefused) as caught:
        check_passkey(answer, user_id)
    release()
    return caught.value.sentence


def actions() -> list[str]:
    found = list(db.session.scalars(select(AuditEvent.action).where(AuditEvent.action.like("passkey.%"))))
    release()
    return found


def test_who_added_a_passkey_is_known_by_it() -> None:
    ada, device = person("Ada"), Authenticator()
    added(ada, device)
    assert entered(device) == ada.id
    assert entered(device) == ada.id


def test_a_passkey_is_asked_for_that_makes_sure_of_the_person_and_is_found_by_itself() -> None:
    ada = person("Ada")
    options = options_to_add(actor(ada))
    asked = {"residentKey": "required", "requireResidentKey": True, "userVerification": "required"}
    assert options["authenticatorSelection"] == asked
    assert options["attestation"] == "none"
    assert options["rp"] == {"name": "Portal", "id": "localhost"}
    assert (options["user"]["name"], options["user"]["displayName"]) == ("ada@example.org", "Ada")


def test_the_handle_of_a_person_is_random_and_stays() -> None:
    ada, bob = person("Ada"), person("Bob")
    handles = [options_to_add(actor(user))["user"]["id"] for user in (ada, ada, bob)]
    assert handles[0] == handles[1] != handles[2]
    assert len(base64url_to_bytes(handles[0])) == 32


def test_two_first_passkeys_at_once_have_the_same_handle(context: Flask) -> None:
    ada = actor(person("Ada"))
    answers = at_once(context, *[lambda: options_to_add(ada)] * 4)
    handles = {answer["user"]["id"] for answer in answers if isinstance(answer, dict)}
    assert len(handles) == 1


def test_options_for_whoever_comes_name_no_passkey() -> None:
    added(person("Ada"), Authenticator())
    options = options_to_enter(NETWORK)
    assert options["allowCredentials"] == []
    assert (options["rpId"], options["userVerification"]) == ("localhost", "required")


def test_options_for_somebody_known_name_their_passkeys_alone() -> None:
    ada, bob = person("Ada"), person("Bob")
    passkey, _ = added(ada, Authenticator()), added(bob, Authenticator())
    [allowed] = options_to_prove(ada.id)["allowCredentials"]
    assert allowed == {
        "id": bytes_to_base64url(passkey.credential_id),
        "type": "public-key",
        "transports": ["internal"],
    }


def test_somebody_known_proves_with_a_passkey_of_their_own() -> None:
    ada, bob, device = person("Ada"), person("Bob"), Authenticator()
    added(ada, device)
    assert check_passkey(device.get(options_to_prove(ada.id)), ada.id) == ada.id
    assert refusal(device.get(options_to_prove(bob.id)), bob.id) == PasskeyRefused.sentence


def test_a_device_asked_by_the_id_of_its_passkey_need_not_say_whose_it_is() -> None:
    ada, device = person("Ada"), Authenticator()
    added(ada, device)
    device.handle = None
    assert check_passkey(device.get(options_to_prove(ada.id)), ada.id) == ada.id
    assert refusal(device.get(options_to_enter(NETWORK))) == PasskeyRefused.sentence


def test_a_passkey_that_says_it_is_somebody_elses_is_refused() -> None:
    ada, bob, device, other = person("Ada"), person("Bob"), Authenticator(), Authenticator()
    added(ada, device)
    added(bob, other)
    device.handle = other.handle
    assert refusal(device.get(options_to_enter(NETWORK))) == PasskeyRefused.sentence
    assert refusal(device.get(options_to_prove(ada.id)), ada.id) == PasskeyRefused.sentence


def test_a_challenge_is_answered_once() -> None:
    device = Authenticator(counts=False)
    added(person("Ada"), device)
    answer = device.get(options_to_enter(NETWORK))
    check_passkey(answer)
    assert refusal(answer) == ChallengeGone.sentence


def test_of_many_answers_at_once_one_passes(context: Flask) -> None:
    ada, device = person("Ada"), Authenticator(counts=False)
    added(ada, device)
    answer = device.get(options_to_enter(NETWORK))
    results = at_once(context, *[lambda: check_passkey(answer)] * 8)
    assert [result for result in results if not isinstance(result, ChallengeGone)] == [ada.id]


def test_a_wrong_answer_uses_the_challenge_up() -> None:
    device = Authenticator(counts=False)
    added(person("Ada"), device)
    answer = device.get(options_to_enter(NETWORK))
    wrong = deepcopy(answer)
    wrong["response"]["signature"] = answer["response"]["signature"][:-4] + "AAAA"
    assert refusal(wrong) == PasskeyRefused.sentence
    assert refusal(answer) == ChallengeGone.sentence


def test_a_challenge_of_one_person_is_nobody_elses_and_stays_theirs() -> None:
    ada, bob, device, other = person("Ada"), person("Bob"), Authenticator(), Authenticator()
    added(ada, device)
    added(bob, other)
    options = options_to_prove(ada.id)
    assert refusal(other.get(options), bob.id) == ChallengeGone.sentence
    assert refusal(other.get(options)) == ChallengeGone.sentence
    assert check_passkey(device.get(options), ada.id) == ada.id


def test_a_challenge_for_signing_in_proves_nothing_of_somebody_known() -> None:
    ada, device = person("Ada"), Authenticator()
    added(ada, device)
    assert refusal(device.get(options_to_enter(NETWORK)), ada.id) == ChallengeGone.sentence
    assert refusal(device.get(options_to_add(actor(ada)))) == ChallengeGone.sentence


def test_a_challenge_that_nobody_gave_is_refused() -> None:
    device = Authenticator()
    added(person("Ada"), device)
    assert refusal(device.get({"challenge": bytes_to_base64url(bytes(32))})) == ChallengeGone.sentence


def test_a_challenge_is_good_for_five_minutes() -> None:
    device = Authenticator()
    added(person("Ada"), device)
    options = options_to_enter(NETWORK)
    with transaction() as session:
        session.scalars(select(Challenge)).one().expires_at -= timedelta(seconds=SECONDS)
    assert refusal(device.get(options)) == ChallengeGone.sentence
    options_to_enter(NETWORK)
    assert db.session.scalar(select(func.count()).select_from(Challenge)) == 1


@pytest.mark.parametrize("origin", ["https://evil.example", "https://localhost", "http://localhost:8000", "null", ""])
def test_what_was_signed_on_another_site_is_refused_with_the_right_address(origin: str) -> None:
    device = Authenticator()
    added(person("Ada"), device)
    device.origin = origin
    assert "http://localhost and nowhere else" in refusal(device.get(options_to_enter(NETWORK)))


def test_what_was_signed_inside_a_page_of_another_site_is_refused() -> None:
    device = Authenticator()
    added(person("Ada"), device)
    device.client = {"crossOrigin": True}
    refusal(device.get(options_to_enter(NETWORK)))


WRONG: dict[str, dict[str, Any]] = {
    "of another host": {"rp_id": "evil.example"},
    "without making sure of the person": {"flags": PRESENT},
    "without anybody there": {"flags": VERIFIED},
    "with a key of its own": {"key": Authenticator().key},
    "for another kind of request": {"client": {"type": "webauthn.create"}},
    "backed up though it cannot be": {"flags": PRESENT | VERIFIED | 0x10},
}


@pytest.mark.parametrize("what", sorted(WRONG), ids=lambda what: what.replace(" ", "_"))
def test_what_is_signed_wrongly_gets_the_answer_of_an_unknown_passkey(what: str) -> None:
    device = Authenticator()
    added(person("Ada"), device)
    assert refusal(replace(device, **WRONG[what]).get(options_to_enter(NETWORK))) == PasskeyRefused.sentence
    assert refusal(Authenticator(handle=device.handle).get(options_to_enter(NETWORK))) == PasskeyRefused.sentence


def test_a_disabled_person_gets_the_answer_of_an_unknown_passkey() -> None:
    ada, device = person("Ada"), Authenticator()
    added(ada, device)
    disable_user(None, ada.id)
    assert refusal(device.get(options_to_enter(NETWORK))) == PasskeyRefused.sentence


@pytest.mark.parametrize("count", [4, 5])
def test_a_counter_that_does_not_rise_is_that_of_a_copy(count: int) -> None:
    ada, device = person("Ada"), Authenticator(count=4)
    passkey = added(ada, device)
    entered(device)
    copy = replace(device, count=count - 1)
    assert refusal(copy.get(options_to_enter(NETWORK))) == PasskeyRefused.sentence
    db.session.refresh(passkey)
    assert passkey.sign_count == 5
    assert actions() == ["passkey.added", "passkey.copied"]


def test_a_counter_that_went_back_to_zero_is_that_of_a_copy() -> None:
    device = Authenticator(count=4)
    added(person("Ada"), device)
    refusal(replace(device, count=0, counts=False).get(options_to_enter(NETWORK)))
    assert actions() == ["passkey.added", "passkey.copied"]


def test_nobody_is_told_of_a_copy_by_who_has_not_the_key() -> None:
    device = Authenticator(count=4)
    added(person("Ada"), device)
    refusal(Authenticator(credential_id=device.credential_id, handle=device.handle).get(options_to_enter(NETWORK)))
    assert actions() == ["passkey.added"]


def test_a_passkey_that_never_counts_is_taken() -> None:
    ada, device = person("Ada"), Authenticator(counts=False)
    added(ada, device)
    assert [entered(device), entered(device)] == [ada.id, ada.id]


def test_the_last_use_and_whether_it_is_backed_up_are_noted() -> None:
    device = Authenticator()
    passkey = added(person("Ada"), device)
    assert (passkey.used_at, passkey.is_backed_up) == (None, False)
    device.flags |= BACKED_UP
    entered(device)
    db.session.refresh(passkey)
    assert passkey.used_at is not None
    assert passkey.is_backed_up


JUNK: list[object] = [
    None,
    [],
    "{}",
    7,
    {},
    {"id": "x", "rawId": "x", "type": "public-key", "response": {}},
    {"id": "x", "rawId": "x", "type": "public-key", "response": []},
]


@pytest.mark.parametrize("answer", JUNK)
def test_what_is_no_answer_is_refused_with_a_sentence(answer: object) -> None:
    ada = actor(person("Ada"))
    assert refusal(answer)
    with pytest.raises(PasskeyRefused):
        add_passkey(ada, answer, "", "device")


CLIENT_DATA = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b'{"type": 1, "challenge": 2, "origin": 3}',
    b'{"type": "webauthn.get", "challenge": "A", "origin": "http://localhost"}',
    b'{"type": "webauthn.get", "challenge": "\\ud800", "origin": "http://localhost"}',
]


@pytest.mark.parametrize("data", CLIENT_DATA)
def test_client_data_that_is_none_is_refused(data: bytes) -> None:
    device = Authenticator()
    added(person("Ada"), device)
    answer = device.get(options_to_enter(NETWORK))
    answer["response"]["clientDataJSON"] = bytes_to_base64url(data)
    assert refusal(answer)


@pytest.mark.parametrize("part", ["authenticatorData", "signature", "userHandle", "clientDataJSON"])
@pytest.mark.parametrize("keep", [0, 1, 20, -1])
def test_a_truncated_answer_is_refused(part: str, keep: int) -> None:
    device = Authenticator()
    added(person("Ada"), device)
    answer = device.get(options_to_enter(NETWORK))
    whole = base64url_to_bytes(answer["response"][part])
    answer["response"][part] = bytes_to_base64url(whole[:keep])
    assert refusal(answer)


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"[" * 100_000, b"\x81" * 100_000, cbor2.dumps({"fmt": 1})])
def test_a_device_that_says_nothing_readable_adds_no_passkey(data: bytes) -> None:
    ada, device = person("Ada"), Authenticator()
    answer = device.create(options_to_add(actor(ada)))
    answer["response"]["attestationObject"] = bytes_to_base64url(data)
    with pytest.raises(PasskeyRefused) as caught:
        add_passkey(actor(ada), answer, "", "device")
    assert caught.value.sentence == NOT_ADDED
    assert list_passkeys(ada.id) == []


UNFIT: dict[str, dict[str, Any]] = {
    "of another host": {"rp_id": "evil.example"},
    "without making sure of the person": {"flags": PRESENT},
    "for another kind of request": {"client": {"type": "webauthn.get"}},
    "without an id": {"credential_id": b""},
    "with too long an id": {"credential_id": bytes(ID_LENGTH + 1)},
}


@pytest.mark.parametrize("what", sorted(UNFIT))
def test_what_is_made_wrongly_is_not_added(what: str) -> None:
    ada, device = person("Ada"), Authenticator(**UNFIT[what])
    with pytest.raises(PasskeyRefused) as caught:
        added(ada, device)
    assert caught.value.sentence == NOT_ADDED
    assert list_passkeys(ada.id) == []


def test_the_answer_of_one_person_adds_nothing_for_another() -> None:
    ada, bob, device = person("Ada"), person("Bob"), Authenticator()
    answer = device.create(options_to_add(actor(ada)))
    with pytest.raises(ChallengeGone):
        add_passkey(actor(bob), answer, "", "device")
    assert add_passkey(actor(ada), answer, "", "device").user_id == ada.id
    with pytest.raises(ChallengeGone):
        add_passkey(actor(ada), answer, "", "device")


def test_a_passkey_belongs_to_one_person() -> None:
    device = Authenticator()
    added(person("Ada"), device)
    with pytest.raises(PasskeyRefused, match="already"):
        added(person("Bob"), device)


def test_devices_that_hold_a_passkey_are_named_so_that_they_make_no_second() -> None:
    ada = person("Ada")
    passkey = added(ada, Authenticator(transports=("usb", "nfc")))
    [excluded] = options_to_add(actor(ada))["excludeCredentials"]
    assert excluded["id"] == bytes_to_base64url(passkey.credential_id)
    assert excluded["transports"] == ["nfc", "usb"]


@pytest.mark.parametrize(
    ("transports", "name"),
    [
        (("internal",), "Firefox on Linux"),
        (("hybrid", "internal"), "Firefox on Linux"),
        ((), "Firefox on Linux"),
        (("telepathy",), "Firefox on Linux"),
        (("usb",), "Security key"),
        (("nfc", "usb"), "Security key"),
        (("hybrid",), "Phone or tablet"),
    ],
)
def test_a_passkey_without_a_name_is_called_after_what_it_is_kept_in(transports: tuple[str, ...], name: str) -> None:
    ada = person("Ada")
    names = [added(ada, Authenticator(transports=transports)).name for _ in range(3)]
    assert names == [name, f"{name} 2", f"{name} 3"]


def test_a_person_may_give_a_name_and_change_it() -> None:
    ada = person("Ada")
    passkey = added(ada, Authenticator(), "  My   phone ")
    assert passkey.name == "My phone"
    rename_passkey(actor(ada), passkey.id, "Old phone")
    rename_passkey(actor(ada), passkey.id, "Old phone")
    assert get_passkey(actor(ada), passkey.id).name == "Old phone"
    assert actions() == ["passkey.added", "passkey.renamed"]


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "a\u202eb", "x" * 101, "x" * 1_000_000])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    ada = person("Ada")
    passkey = added(ada, Authenticator())
    with pytest.raises(BadInput):
        rename_passkey(actor(ada), passkey.id, name)
    assert get_passkey(actor(ada), passkey.id).name == "Firefox on Linux"


def test_a_removed_passkey_opens_nothing() -> None:
    ada, device = person("Ada", password=PASSWORD), Authenticator()
    passkey = added(ada, device)
    remove_passkey(actor(ada), passkey.id)
    assert refusal(device.get(options_to_enter(NETWORK))) == PasskeyRefused.sentence
    assert actions() == ["passkey.added", "passkey.removed"]


def test_nobody_sees_changes_or_removes_what_is_not_theirs() -> None:
    ada, bob = person("Ada"), person("Bob")
    passkey = added(ada, Authenticator())
    for verb in (get_passkey, remove_passkey):
        with pytest.raises(NotFound):
            verb(actor(bob), passkey.id)
    with pytest.raises(NotFound):
        rename_passkey(actor(bob), passkey.id, "Mine")
    assert len(list_passkeys(ada.id)) == 1


def test_a_person_has_at_most_twenty(context: Flask) -> None:
    ada, who = person("Ada"), actor(person("Bob"))
    for _ in range(MOST - 1):
        added(ada, Authenticator())
    answers = [Authenticator().create(options_to_add(actor(ada))) for _ in range(4)]
    results = at_once(context, *[lambda answer=answer: add_passkey(actor(ada), answer, "", "x") for answer in answers])
    assert sum(isinstance(result, Passkey) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 3
    with pytest.raises(Conflict):
        options_to_add(actor(ada))
    assert options_to_add(who)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "https://192.0.2.1", "https://[2001:db8::1]", ""])
def test_where_the_portal_has_an_address_and_no_name_none_is_possible(settings: Settings, address: str) -> None:
    with core(replace(settings, base_url=address)):
        assert not is_possible()
        ada = person("Ada")
        asks = (
            partial(options_to_enter, NETWORK),
            partial(options_to_prove, ada.id),
            partial(options_to_add, actor(ada)),
        )
        for ask in asks:
            with pytest.raises(BadInput, match="name"):
                ask()


def test_an_address_with_a_port_is_the_origin_and_its_host_what_passkeys_belong_to(settings: Settings) -> None:
    with core(replace(settings, base_url="https://Docs.Example.org:8443")):
        ada = person("Ada")
        device = Authenticator(origin="https://docs.example.org:8443", rp_id="docs.example.org")
        added(ada, device)
        assert entered(device) == ada.id


def test_what_the_log_keeps_of_a_passkey_is_no_secret() -> None:
    ada = person("Ada")
    passkey = added(ada, Authenticator(), "Ada's own phone")
    change(passkey, name="x")
    told = json.dumps(db.session.scalars(select(AuditEvent.details).where(AuditEvent.action == "passkey.added")).one())
    assert "phone" not in told


def test_a_passkey_alone_lets_in_as_both_factors() -> None:
    ada, device = person("Ada", password=PASSWORD), Authenticator()
    added(ada, device)
    outcome = sign_in(device.get(options_to_enter(NETWORK)))
    assert isinstance(outcome, Entered)
    session = db.session.scalars(select(Session)).one()
    assert (session.user_id, session.method) == (ada.id, "passkey")
    assert session.second_factor_at is not None


def test_a_passkey_is_a_second_factor_after_the_password() -> None:
    ada = person("Ada", password=PASSWORD)
    added(ada, Authenticator())
    outcome = accounts.sign_in(ada.email, PASSWORD, network=NETWORK, agent="tests")
    assert isinstance(outcome, SecondFactorDue)


def waiting(user: User) -> str:
    """The token of a sign-in of this person that waits for its second factor."""
    outcome = accounts.sign_in(user.email, PASSWORD, network=NETWORK, agent="tests")
    assert isinstance(outcome, SecondFactorDue)
    return outcome.token


def finish(token: str, answer: object) -> Entered:
    return enter_by_second_passkey(token, answer, network=NETWORK, agent="tests")


def test_a_sign_in_that_waits_is_finished_once_by_a_passkey_of_its_person() -> None:
    ada, bob = person("Ada", password=PASSWORD), person("Bob")
    device, other = Authenticator(), Authenticator()
    added(ada, device)
    added(bob, other)
    token = waiting(ada)
    with pytest.raises(PasskeyRefused):
        finish(token, other.get(options_to_prove(ada.id)))
    outcome = finish(token, device.get(options_to_prove(ada.id)))
    found = find_session(outcome.token)
    assert found is not None
    assert found.user_id == ada.id
    release()
    with pytest.raises(SignInOver):
        finish(token, device.get(options_to_prove(ada.id)))


def test_wrong_passkeys_as_second_factor_count_with_passwords(settings: Settings) -> None:
    ada = person("Ada", password=PASSWORD)
    added(ada, Authenticator())
    with core(replace(settings, login_tries=2)):
        token = waiting(ada)
        for _ in range(2):
            with pytest.raises(PasskeyRefused):
                finish(token, {})
        with pytest.raises(TooManyTries):
            accounts.sign_in(ada.email, PASSWORD, network=NETWORK, agent="tests")


def sign_in(answer: object) -> Entered | SecondFactorDue:
    return sign_in_by_passkey(answer, network=NETWORK, agent="tests")


def test_failures_are_counted_with_those_of_passwords_before_anything_is_looked_at(settings: Settings) -> None:
    device = Authenticator()
    added(person("Ada"), device)
    good = device.get(options_to_enter(NETWORK))
    with core(replace(settings, network_tries=3)):
        for _ in range(2):
            with pytest.raises(PasskeyRefused):
                sign_in({})
        with pytest.raises(SignInFailed):
            accounts.sign_in("nobody@example.org", PASSWORD, network=NETWORK, agent="tests")
        with pytest.raises(TooManyTries):
            sign_in(good)
        assert isinstance(sign_in_by_passkey(good, network="192.0.2.0/24", agent="tests"), Entered)


def test_a_passkey_that_lets_in_takes_its_try_back() -> None:
    device = Authenticator()
    added(person("Ada"), device)
    sign_in(device.get(options_to_enter(NETWORK)))
    kept = select(func.count()).where(SignInAttempt.key.like("login%"))
    assert db.session.scalar(kept) == 0


def test_one_network_asks_for_challenges_so_often_and_no_more() -> None:
    for _ in range(OPTIONS_A_MINUTE):
        options_to_enter(NETWORK)
    with pytest.raises(TooManyTries):
        options_to_enter(NETWORK)
    assert options_to_enter("192.0.2.0/24")


def test_a_refused_sign_in_is_in_the_log() -> None:
    with pytest.raises(PasskeyRefused):
        sign_in({})
    row = db.session.scalars(select(AuditEvent)).one()
    assert (row.action, row.network, row.details["method"]) == ("session.refused", NETWORK, "passkey")


def test_who_is_disabled_while_they_sign_in_gets_the_answer_of_an_unknown_passkey() -> None:
    device = Authenticator()
    added(person("Ada"), device)
    answer = device.get(options_to_enter(NETWORK))
    release()

    def disable(_: object, cursor: Any, statement: str, *rest: object) -> None:
        if statement.startswith("UPDATE passkeys"):  # the passkey was right: the account is what is looked at next
            cursor.connection.cursor().execute("UPDATE users SET disabled_at = created_at")

    event.listen(db.engine, "after_cursor_execute", disable)
    with pytest.raises(PasskeyRefused) as caught:
        sign_in(answer)
    assert caught.value.sentence == PasskeyRefused.sentence


def here(user: User) -> SignedIn:
    """The person in a session that is no longer fresh."""
    found = find_session(start_session(user.id, network=NETWORK, agent="tests"), NETWORK)
    assert found is not None
    with transaction() as session:
        session.get_one(Session, found.session_id).fresh_at -= timedelta(minutes=11)
    return found


def fresh_at(who: SignedIn) -> datetime:
    moment = db.session.scalars(select(Session.fresh_at).where(Session.id == who.session_id)).one()
    release()
    return moment


def test_somebody_without_a_password_proves_once_more_who_they_are() -> None:
    ada, device = person("Ada"), Authenticator()
    added(ada, device)
    who = here(ada)
    confirm_by_passkey(who, device.get(options_to_prove(ada.id)))
    assert fresh_at(who) > now(minutes=-1)


def test_a_passkey_of_somebody_else_makes_no_session_fresh_and_counts() -> None:
    ada, bob, device = person("Ada"), person("Bob"), Authenticator()
    added(bob, device)
    who = here(ada)
    with pytest.raises(PasskeyRefused):
        confirm_by_passkey(who, device.get(options_to_prove(ada.id)))
    assert fresh_at(who) < now(minutes=-1)
    assert db.session.scalar(select(func.count()).where(SignInAttempt.key.like("login:%"))) == 1


def test_each_change_is_mailed_to_the_person() -> None:
    ada = person("Ada", password=PASSWORD)
    passkey = added(ada, Authenticator(), "A name that is mine alone")
    remove_passkey(actor(ada), passkey.id)
    mails = list(db.session.scalars(select(Mail).order_by(Mail.id)))
    assert [(mail.kind, mail.email) for mail in mails] == [("passkey_changed", "ada@example.org")] * 2
    texts = [mail.text or "" for mail in mails]
    assert "was added" in texts[0]
    assert "was removed" in texts[1]
    assert "mine alone" not in " ".join(texts)


def test_who_must_have_a_second_factor_keeps_the_last_one() -> None:
    ada = person("Ada")
    first, last = added(ada, Authenticator()), added(ada, Authenticator())
    with transaction() as session:
        session.add(HouseRule(name="second_factor", value="everybody"))
    remove_passkey(actor(ada), first.id)
    with pytest.raises(Conflict, match="last one"):
        remove_passkey(actor(ada), last.id)
    release()
    assert [passkey.id for passkey in list_passkeys(ada.id)] == [last.id]


def test_the_last_way_in_stays() -> None:
    ada = person("Ada")
    first, last = added(ada, Authenticator()), added(ada, Authenticator())
    remove_passkey(actor(ada), first.id)
    with pytest.raises(Conflict, match="could not sign in"):
        remove_passkey(actor(ada), last.id)
    release()
    assert [passkey.id for passkey in list_passkeys(ada.id)] == [last.id]


def test_who_need_not_have_one_may_remove_the_last() -> None:
    ada = person("Ada", password=PASSWORD)
    remove_passkey(actor(ada), added(ada, Authenticator()).id)
    assert list_passkeys(ada.id) == []
