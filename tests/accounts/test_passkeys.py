"""Passkeys: what a browser answers is taken once, for the person it was asked of, at this address, or not at all."""

import json
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import cbor2
import pytest
from flask import Flask
from sqlalchemy import func, select
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from portal.accounts import disable_user
from portal.accounts.challenges import SECONDS, is_possible
from portal.accounts.passkeys import (
    ID_LENGTH,
    MOST,
    NOT_ADDED,
    add_passkey,
    check_passkey,
    get_passkey,
    list_passkeys,
    options_to_add,
    options_to_enter,
    options_to_prove,
    remove_passkey,
    rename_passkey,
)
from portal.errors import BadInput, ChallengeGone, Conflict, NotFound, PasskeyRefused
from portal.extensions import db, transaction
from portal.models import AuditEvent, Challenge, Passkey, User
from portal.settings import Settings
from tests.authenticators import BACKED_UP, PRESENT, VERIFIED, Authenticator
from tests.makers import actor, at_once, change, core, person, release

pytestmark = pytest.mark.usefixtures("context")


def added(user: User, device: Authenticator, name: str = "") -> Passkey:
    """A passkey of this person, made on this device."""
    return add_passkey(actor(user), device.create(options_to_add(actor(user))), name, "Firefox on Linux")


def entered(device: Authenticator) -> int:
    """Whose passkey the device signed with, for whoever comes."""
    return check_passkey(device.get(options_to_enter()))


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
    options = options_to_enter()
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
    assert refusal(device.get(options_to_enter())) == PasskeyRefused.sentence


def test_a_passkey_that_says_it_is_somebody_elses_is_refused() -> None:
    ada, bob, device, other = person("Ada"), person("Bob"), Authenticator(), Authenticator()
    added(ada, device)
    added(bob, other)
    device.handle = other.handle
    assert refusal(device.get(options_to_enter())) == PasskeyRefused.sentence
    assert refusal(device.get(options_to_prove(ada.id)), ada.id) == PasskeyRefused.sentence


def test_a_challenge_is_answered_once() -> None:
    device = Authenticator(counts=False)
    added(person("Ada"), device)
    answer = device.get(options_to_enter())
    check_passkey(answer)
    assert refusal(answer) == ChallengeGone.sentence


def test_of_many_answers_at_once_one_passes(context: Flask) -> None:
    ada, device = person("Ada"), Authenticator(counts=False)
    added(ada, device)
    answer = device.get(options_to_enter())
    results = at_once(context, *[lambda: check_passkey(answer)] * 8)
    assert [result for result in results if not isinstance(result, ChallengeGone)] == [ada.id]


def test_a_wrong_answer_uses_the_challenge_up() -> None:
    device = Authenticator(counts=False)
    added(person("Ada"), device)
    answer = device.get(options_to_enter())
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
    assert refusal(device.get(options_to_enter()), ada.id) == ChallengeGone.sentence
    assert refusal(device.get(options_to_add(actor(ada)))) == ChallengeGone.sentence


def test_a_challenge_that_nobody_gave_is_refused() -> None:
    device = Authenticator()
    added(person("Ada"), device)
    assert refusal(device.get({"challenge": bytes_to_base64url(bytes(32))})) == ChallengeGone.sentence


def test_a_challenge_is_good_for_five_minutes() -> None:
    device = Authenticator()
    added(person("Ada"), device)
    options = options_to_enter()
    with transaction() as session:
        session.scalars(select(Challenge)).one().expires_at -= timedelta(seconds=SECONDS)
    assert refusal(device.get(options)) == ChallengeGone.sentence
    options_to_enter()
    assert db.session.scalar(select(func.count()).select_from(Challenge)) == 1


@pytest.mark.parametrize("origin", ["https://evil.example", "https://localhost", "http://localhost:8000", "null", ""])
def test_what_was_signed_on_another_site_is_refused_with_the_right_address(origin: str) -> None:
    device = Authenticator()
    added(person("Ada"), device)
    device.origin = origin
    assert "http://localhost and nowhere else" in refusal(device.get(options_to_enter()))


def test_what_was_signed_inside_a_page_of_another_site_is_refused() -> None:
    device = Authenticator()
    added(person("Ada"), device)
    device.client = {"crossOrigin": True}
    refusal(device.get(options_to_enter()))


WRONG: dict[str, dict[str, Any]] = {
    "of another host": {"rp_id": "evil.example"},
    "without making sure of the person": {"flags": PRESENT},
    "without anybody there": {"flags": VERIFIED},
    "with a key of its own": {"key": Authenticator().key},
    "for another kind of request": {"client": {"type": "webauthn.create"}},
    "backed up though it cannot be": {"flags": PRESENT | VERIFIED | 0x10},
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_what_is_signed_wrongly_gets_the_answer_of_an_unknown_passkey(what: str) -> None:
    device = Authenticator()
    added(person("Ada"), device)
    assert refusal(replace(device, **WRONG[what]).get(options_to_enter())) == PasskeyRefused.sentence
    assert refusal(Authenticator(handle=device.handle).get(options_to_enter())) == PasskeyRefused.sentence


def test_a_disabled_person_gets_the_answer_of_an_unknown_passkey() -> None:
    ada, device = person("Ada"), Authenticator()
    added(ada, device)
    disable_user(None, ada.id)
    assert refusal(device.get(options_to_enter())) == PasskeyRefused.sentence


@pytest.mark.parametrize("count", [4, 5])
def test_a_counter_that_does_not_rise_is_that_of_a_copy(count: int) -> None:
    ada, device = person("Ada"), Authenticator(count=4)
    passkey = added(ada, device)
    entered(device)
    copy = replace(device, count=count - 1)
    assert refusal(copy.get(options_to_enter())) == PasskeyRefused.sentence
    db.session.refresh(passkey)
    assert passkey.sign_count == 5
    assert actions() == ["passkey.added", "passkey.copied"]


def test_a_counter_that_went_back_to_zero_is_that_of_a_copy() -> None:
    device = Authenticator(count=4)
    added(person("Ada"), device)
    refusal(replace(device, count=0, counts=False).get(options_to_enter()))
    assert actions() == ["passkey.added", "passkey.copied"]


def test_nobody_is_told_of_a_copy_by_who_has_not_the_key() -> None:
    device = Authenticator(count=4)
    added(person("Ada"), device)
    refusal(Authenticator(credential_id=device.credential_id, handle=device.handle).get(options_to_enter()))
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
    answer = device.get(options_to_enter())
    answer["response"]["clientDataJSON"] = bytes_to_base64url(data)
    assert refusal(answer)


@pytest.mark.parametrize("part", ["authenticatorData", "signature", "userHandle", "clientDataJSON"])
@pytest.mark.parametrize("keep", [0, 1, 20, -1])
def test_a_truncated_answer_is_refused(part: str, keep: int) -> None:
    device = Authenticator()
    added(person("Ada"), device)
    answer = device.get(options_to_enter())
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
    ada, device = person("Ada"), Authenticator()
    passkey = added(ada, device)
    remove_passkey(actor(ada), passkey.id)
    assert refusal(device.get(options_to_enter())) == PasskeyRefused.sentence
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
        for ask in (options_to_enter, lambda: options_to_prove(1), lambda: options_to_add(actor(person("Ada")))):
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
