"""A provider is believed only in what it proves, and waited for only so long. Here it lies in every way we know of."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from portal.errors import ProviderDistrusted, ProviderProblem, ProviderRefused, ProviderUnavailable
from portal.openid import Proof, asking
from portal.openid import provider as module
from portal.openid.provider import Client, Provider
from tests import providers
from tests.providers import CALLBACK, CLIENT_ID, CLIENT_SECRET, CURVE, KEY, OTHER_KEY, Answer, Liar

LONG_AGO, FAR_OFF = 1_700_000_000, 4_000_000_000
"""Moments in seconds since 1970: fixed, for the name of a test must be the same in every process."""

STATE, NONCE, VERIFIER = "the state", "the nonce", "v" * 64
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def liar() -> Iterator[Liar]:
    with providers.lying() as liar:
        yield liar


def provider_of(liar: Liar, *, pause: float = 60, lifetime: float = 300, **other: Any) -> Provider:
    own = {"issuer": liar.address, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": CALLBACK}
    client = Client(**own | {"scopes": ("openid", "email")} | other)
    return Provider(client, pause=pause, lifetime=lifetime)


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def come_back(liar: Liar, provider: Provider, nonce: str = NONCE, verifier: str = VERIFIER, **how: Any) -> Proof:
    """Go there and come back with a code."""
    code = liar.code(query_of(provider.address(STATE, NONCE, VERIFIER)))
    return provider.identify(code, nonce, verifier, **how)


def test_people_are_sent_with_everything_that_binds_their_return(liar: Liar) -> None:
    address = provider_of(liar).address(STATE, NONCE, VERIFIER)
    assert address.startswith(f"{liar.address}/authorize?")
    assert query_of(address) == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "openid email",
        "state": STATE,
        "nonce": NONCE,
        "code_challenge": providers.challenge(VERIFIER),
        "code_challenge_method": "S256",
    }


def test_whoever_is_to_prove_it_anew_is_asked_again_by_the_provider(liar: Liar) -> None:
    query = query_of(provider_of(liar).address(STATE, NONCE, VERIFIER, is_anew=True))
    assert (query["prompt"], query["max_age"]) == ("login", "0")


def test_an_honest_provider_is_believed(liar: Liar) -> None:
    proof = come_back(liar, provider_of(liar))
    assert proof == Proof(liar.address, "248289761001", "ada@example.org", True, "Ada Byron")


def test_what_the_token_leaves_out_is_asked_for(liar: Liar) -> None:
    liar.discovery = {"userinfo_endpoint": f"{liar.address}/userinfo"}
    liar.token = {"email": None, "email_verified": None}
    liar.userinfo = {"sub": "somebody else", "email": "ada@example.org", "email_verified": True, "groups": ["staff"]}
    with pytest.raises(ProviderDistrusted, match="somebody else"):
        come_back(liar, provider_of(liar))
    liar.userinfo["sub"] = liar.claims["sub"]
    proof = come_back(liar, provider_of(liar, groups_claim="groups"))
    assert (proof.email, proof.groups, proof.name) == ("ada@example.org", frozenset({"staff"}), "Ada Byron")


@pytest.mark.parametrize(
    ("methods", "expected"),
    [(["client_secret_basic"], "header"), (None, "header"), (["client_secret_basic", "client_secret_post"], "body")],
)
def test_the_secret_goes_the_way_the_provider_takes_it(liar: Liar, methods: list[str] | None, expected: str) -> None:
    liar.discovery = {"token_endpoint_auth_methods_supported": methods}
    assert come_back(liar, provider_of(liar)).subject
    assert ("client_secret" in liar.seen[-1]) is (expected == "body")


@pytest.mark.parametrize(
    "token",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"iss": 7},
        {"aud": "somebody else"},
        {"aud": None},
        {"aud": []},
        {"aud": [CLIENT_ID, "somebody else"]},  # and nobody says for whom of the two
        {"aud": [CLIENT_ID, "somebody else"], "azp": "somebody else"},
        {"azp": "somebody else"},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ["the nonce"]},
        {"exp": LONG_AGO},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": float("nan")},
        {"iat": FAR_OFF},
        {"iat": None},
        {"nbf": FAR_OFF},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "s" * 256},
        {"sub": "a\0b"},
        {"at_hash": "of another token"},
        {"amr": "mfa"},
    ],
    ids=lambda token: json.dumps(token)[:40],
)
def test_a_token_with_one_wrong_claim_proves_nothing(liar: Liar, token: dict[str, Any]) -> None:
    provider = provider_of(liar)
    assert come_back(liar, provider).subject
    liar.token = token
    with pytest.raises(ProviderDistrusted):
        come_back(liar, provider)


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -20), ("iat", 20)])
def test_clocks_may_differ_a_little(liar: Liar, claim: str, seconds: int) -> None:
    liar.token = {claim: int(time.time()) + seconds}
    assert come_back(liar, provider_of(liar)).subject


def test_a_token_for_several_is_taken_when_it_says_that_it_was_made_for_us(liar: Liar) -> None:
    liar.token = {"aud": [CLIENT_ID, "somebody else"], "azp": CLIENT_ID}
    assert come_back(liar, provider_of(liar)).subject


def test_a_token_without_signature_proves_nothing(liar: Liar) -> None:
    liar.discovery = {"id_token_signing_alg_values_supported": ["none", "RS256"]}
    liar.header = {"alg": "none"}
    with pytest.raises(ProviderDistrusted, match="UnsupportedAlgorithmError"):
        come_back(liar, provider_of(liar))


def test_a_provider_that_only_signs_with_what_anybody_could_is_not_asked(liar: Liar) -> None:
    liar.discovery = {"id_token_signing_alg_values_supported": ["none", "HS256"]}
    with pytest.raises(ProviderDistrusted, match="signs with nothing"):
        come_back(liar, provider_of(liar))


def test_a_token_signed_with_the_public_key_as_a_password_proves_nothing(liar: Liar) -> None:
    liar.header = {"alg": "HS256"}
    with pytest.raises(ProviderDistrusted, match="UnsupportedAlgorithmError"):
        come_back(liar, provider_of(liar))


def test_a_token_signed_by_somebody_else_under_the_name_of_a_known_key_proves_nothing(liar: Liar) -> None:
    liar.key, liar.header = OTHER_KEY, {"kid": "one"}
    with pytest.raises(ProviderDistrusted, match="BadSignature"):
        come_back(liar, provider_of(liar))


def test_a_key_in_the_token_itself_counts_for_nothing(liar: Liar) -> None:
    liar.key, liar.header = OTHER_KEY, {"kid": "one", "jku": f"{liar.address}/other", "jwk": {"kty": "RSA"}}
    with pytest.raises(ProviderDistrusted):
        come_back(liar, provider_of(liar))
    assert "/other" not in liar.asked


def test_a_key_of_another_kind_than_the_signature_proves_nothing(liar: Liar) -> None:
    liar.published = [KEY, CURVE]
    liar.header = {"kid": "curve"}
    with pytest.raises(ProviderDistrusted):
        come_back(liar, provider_of(liar))


def test_curves_are_believed_too_and_keys_for_other_uses_are_not(liar: Liar) -> None:
    liar.published, liar.key, liar.header = [CURVE], CURVE, {"alg": "ES256"}
    assert come_back(liar, provider_of(liar)).subject
    keys = [CURVE.as_dict(private=False, use="enc"), {"kty": "strange"}, {"kty": "RSA", "n": "?"}, 7]
    liar.answers["/keys"] = lambda: providers.as_json({"keys": keys})
    with pytest.raises(ProviderDistrusted, match="no key"):
        come_back(liar, provider_of(liar))


@pytest.mark.parametrize("token", ["", "a.b.c", "a.b", "." * 9, "\u00e9.\u00e9.\u00e9", 7, None, "x" * 200_000])
def test_what_is_no_token_proves_nothing(liar: Liar, token: object) -> None:
    tokens = {"access_token": "access", "id_token": token}
    liar.answers["/token"] = lambda: providers.as_json(tokens)
    with pytest.raises(ProviderDistrusted):
        come_back(liar, provider_of(liar))


def test_a_token_of_endless_depth_proves_nothing(liar: Liar) -> None:
    deep = "[" * 60_000
    header = providers.encoded(b'{"alg":"RS256","kid":"one"}')
    token = f"{header}.{providers.encoded(deep.encode())}.{'A' * 342}"
    liar.answers["/token"] = lambda: providers.as_json({"access_token": "access", "id_token": token})
    with pytest.raises(ProviderDistrusted):
        come_back(liar, provider_of(liar))


def test_new_keys_are_asked_for_when_a_token_needs_them(liar: Liar) -> None:
    provider = provider_of(liar, pause=0)
    come_back(liar, provider)
    liar.key, liar.published = OTHER_KEY, [OTHER_KEY]
    assert come_back(liar, provider).subject
    assert liar.asked["/keys"] == 2


def test_unknown_keys_do_not_make_the_portal_ask_again_and_again(liar: Liar) -> None:
    provider = provider_of(liar, pause=60)
    come_back(liar, provider)
    liar.key = OTHER_KEY
    for _ in range(3):
        with pytest.raises(ProviderDistrusted, match="unknown key"):
            come_back(liar, provider)
    assert liar.asked["/keys"] == 1


def test_a_token_by_a_key_that_stays_unknown_proves_nothing(liar: Liar) -> None:
    liar.key = OTHER_KEY
    with pytest.raises(ProviderDistrusted, match="unknown key"):
        come_back(liar, provider_of(liar, pause=0))
    assert liar.asked["/keys"] == 2


def test_what_a_provider_says_of_itself_is_remembered_for_a_while(liar: Liar) -> None:
    provider = provider_of(liar)
    come_back(liar, provider)
    come_back(liar, provider)
    assert (liar.asked[DISCOVERY], liar.asked["/keys"]) == (1, 1)
    come_back(liar, forgetful := provider_of(liar, lifetime=0))
    before = liar.asked[DISCOVERY]
    come_back(liar, forgetful)
    assert liar.asked[DISCOVERY] > before


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://elsewhere.example"},
        {"issuer": None},
        {"issuer": "{address}/"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://elsewhere.example/authorize"},
        {"authorization_endpoint": "https://user@elsewhere.example/"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": ["https://elsewhere.example"]},
        {"jwks_uri": "ftp://elsewhere.example/keys"},
        {"jwks_uri": "https://[::1"},
        {"jwks_uri": ""},
        {"userinfo_endpoint": "http://elsewhere.example/"},
    ],
    ids=lambda discovery: json.dumps(discovery)[:60],
)
def test_a_provider_that_describes_somebody_else_is_not_asked(liar: Liar, discovery: dict[str, Any]) -> None:
    liar.discovery = {
        key: value.replace("{address}", liar.address) if isinstance(value, str) else value
        for key, value in discovery.items()
    }
    with pytest.raises(ProviderDistrusted):
        provider_of(liar).address(STATE, NONCE, VERIFIER)


@pytest.mark.parametrize("path", [DISCOVERY, "/keys", "/token", "/userinfo"])
@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {}, b"[" * 100_000),
        (200, {}, b'{"a": ' + b"9" * 5000 + b"}"),
        (200, {"Content-Encoding": "gzip"}, b"no gzip"),
        (302, {"Location": "file:///etc/passwd"}, b""),
        (302, {"Location": "/elsewhere"}, b""),
        (404, {}, b"{}"),
        (500, {}, b"{}"),
    ],
    ids=["html", "list", "deep", "number", "gzip", "to a file", "to another page", "missing", "broken"],
)
def test_an_answer_that_is_none_is_said_to_be_none(liar: Liar, path: str, answer: Answer) -> None:
    liar.discovery = {"userinfo_endpoint": f"{liar.address}/userinfo"}
    liar.token = {"email": None}
    liar.answers[path] = lambda: answer
    with pytest.raises((ProviderUnavailable, ProviderDistrusted)):
        come_back(liar, provider_of(liar))
    assert "/elsewhere" not in liar.asked


def test_an_answer_is_read_only_so_far(liar: Liar) -> None:
    liar.discovery = {"padding": "x" * asking.MOST_BYTES}
    with pytest.raises(ProviderUnavailable, match="answers more than"):
        provider_of(liar).address(STATE, NONCE, VERIFIER)


def test_a_provider_that_is_slow_is_not_waited_for(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "SECONDS", 0.2)
    liar.answers[DISCOVERY] = providers.late
    start = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="ReadTimeout"):
        provider_of(liar).address(STATE, NONCE, VERIFIER)
    assert time.monotonic() - start < 0.9


def test_a_provider_that_never_ends_an_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "BODY_SECONDS", 0.3)
    with providers.dripping() as address:
        start = time.monotonic()
        with pytest.raises(ProviderUnavailable, match="takes longer"), asking.Asking() as session:
            session.document(address)
        assert time.monotonic() - start < 2


def test_a_provider_that_is_slow_holds_only_so_many_threads(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    monkeypatch.setattr(module, "TURN_SECONDS", 0.1)
    liar.answers[DISCOVERY] = providers.late
    provider = provider_of(liar)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(provider.address, STATE, NONCE, VERIFIER) for _ in range(3)]
        reasons = sorted(str(one.exception()) for one in asked)
    assert [reason for reason in reasons if "wait for it already" in reason] == ["2 threads wait for it already"]


def test_a_provider_that_is_not_there_is_said_not_to_answer(liar: Liar) -> None:
    provider = provider_of(liar, issuer="http://127.0.0.1:9")
    with pytest.raises(ProviderUnavailable, match="ConnectionError"):
        provider.address(STATE, NONCE, VERIFIER)


def test_a_code_is_taken_once(liar: Liar) -> None:
    provider = provider_of(liar)
    code = liar.code(query_of(provider.address(STATE, NONCE, VERIFIER)))
    provider.identify(code, NONCE, VERIFIER)
    with pytest.raises(ProviderRefused):
        provider.identify(code, NONCE, VERIFIER)


def test_a_code_is_worth_nothing_without_what_was_hidden(liar: Liar) -> None:
    with pytest.raises(ProviderRefused):
        come_back(liar, provider_of(liar), verifier="w" * 64)


def test_a_provider_that_does_not_know_the_portal_is_for_the_operator_to_mend(liar: Liar) -> None:
    with pytest.raises(ProviderUnavailable, match="invalid_client"):
        come_back(liar, provider_of(liar, client_secret="wrong"))


def test_whoever_comes_back_from_another_provider_is_not_believed(liar: Liar) -> None:
    provider = provider_of(liar)
    assert come_back(liar, provider, issuer=liar.address).subject
    with pytest.raises(ProviderDistrusted, match="came back from"):
        come_back(liar, provider, issuer="https://elsewhere.example")


def test_a_provider_that_names_itself_is_expected_to(liar: Liar) -> None:
    liar.discovery = {"authorization_response_iss_parameter_supported": True}
    with pytest.raises(ProviderDistrusted, match="came back from None"):
        come_back(liar, provider_of(liar))


def test_nothing_secret_stands_in_what_is_logged(liar: Liar) -> None:
    provider = provider_of(liar)
    liar.token = {"nonce": "another"}
    with pytest.raises(ProviderProblem) as caught:
        come_back(liar, provider)
    assert not any(secret in str(caught.value) for secret in (CLIENT_SECRET, NONCE, VERIFIER, "access"))


def test_passwords_of_the_operator_are_not_sent_along(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests.sessions, "get_netrc_auth", lambda url: pytest.fail("looked into .netrc"))
    assert come_back(liar, provider_of(liar)).subject
