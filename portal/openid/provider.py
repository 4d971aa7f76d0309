"""A provider as the portal meets it: where to send people, and who they are when they come back."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from authlib.integrations.requests_client import OAuthError
from joserfc.jwk import KeySet

from portal.errors import ProviderDistrusted, ProviderRefused, ProviderUnavailable
from portal.openid.asking import Asking
from portal.openid.discovery import Metadata, discovery_address, metadata_of
from portal.openid.proof import Proof, proof_of
from portal.openid.signatures import Expected, checked_claims, keys_of

AT_ONCE = 16
"""So many threads of a process wait for the provider, and no more: one that is slow must not hold the portal."""
TURN_SECONDS = 5


@dataclass(frozen=True)
class Client:
    """The portal as the provider knows it."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    scopes: tuple[str, ...]
    groups_claim: str = ""


@dataclass(frozen=True)
class _Known:
    """What the provider said about itself, and when (on the clock of the process)."""

    metadata: Metadata
    keys: KeySet
    at: float


class Provider:
    """One provider, asked about itself at most every ``lifetime`` seconds; by every thread at once if need be.

    Keys are asked for again when somebody brings a token signed by an unknown one, at most every ``pause`` seconds.
    Every method raises ProviderUnavailable when it does not answer, ProviderDistrusted when what it says does not hold.
    """

    def __init__(self, client: Client, *, lifetime: float = 300, pause: float = 60) -> None:
        self.client = client
        self._lifetime = lifetime
        self._pause = pause
        self._known: _Known | None = None
        self._asked_at = float("-inf")
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def address(self, state: str, nonce: str, verifier: str, *, is_anew: bool = False) -> str:
        """Where to send somebody who is to come back with a code.

        ``is_anew`` asks the provider to have them prove who they are once more, although they are signed in there.
        """
        with self._asking() as asking:
            endpoint = self._find_known(asking).metadata.authorization_endpoint
            anew = {"prompt": "login", "max_age": "0"} if is_anew else {}
            told = asking.create_authorization_url(endpoint, state, verifier, nonce=nonce, **anew)  # type: ignore[no-untyped-call]
        return str(told[0])

    def identify(self, code: str, nonce: str, verifier: str, *, issuer: str | None = None) -> Proof:
        """Who comes back with this code; ``issuer`` is whom they say they come from, None when they do not.

        Raises ProviderRefused for a code the provider does not take (any more).
        """
        with self._asking() as asking:
            known = self._find_known(asking)
            self._require_issuer(issuer, known.metadata)
            tokens = self._exchange(asking, known.metadata, code, verifier)
            claims = self._claims(asking, known, tokens, nonce)
            return proof_of(self._with_userinfo(asking, known.metadata, claims, tokens), self.client.groups_claim)

    def check(self) -> None:
        """Ask the provider about itself, and believe none of what was known."""
        self._known = None
        with self._asking() as asking:
            self._find_known(asking)

    @contextmanager
    def _asking(self) -> Iterator[Asking]:
        if not self._turns.acquire(timeout=TURN_SECONDS):
            raise ProviderUnavailable(f"{AT_ONCE} threads wait for it already")
        try:
            with self._session() as asking:
                yield asking
        finally:
            self._turns.release()

    def _session(self) -> Asking:
        return Asking(
            self.client.client_id,
            self.client.client_secret or None,
            scope=" ".join(self.client.scopes),
            redirect_uri=self.client.redirect_uri,
            code_challenge_method="S256",
        )

    def _find_known(self, asking: Asking) -> _Known:
        known = self._known
        if known is None or time.monotonic() - known.at > self._lifetime:
            metadata = metadata_of(asking.document(discovery_address(self.client.issuer)), self.client.issuer)
            known = self._known = _Known(metadata, self._keys(asking, metadata), time.monotonic())
        return known

    def _keys(self, asking: Asking, metadata: Metadata) -> KeySet:
        self._asked_at = time.monotonic()
        return keys_of(asking.document(metadata.jwks_uri))

    def _new_keys(self, asking: Asking, known: _Known) -> KeySet:
        """The keys once more, unless they were asked for just now: anybody could have us ask by a made-up key."""
        with self._lock:
            if time.monotonic() - self._asked_at < self._pause:
                raise ProviderDistrusted("its token is signed by an unknown key")
            self._asked_at = time.monotonic()
        keys = self._keys(asking, known.metadata)
        self._known = _Known(known.metadata, keys, known.at)
        return keys

    def _require_issuer(self, issuer: str | None, metadata: Metadata) -> None:
        """Whoever comes back from another provider (RFC 9207) brings a code that is not ours to exchange."""
        if (issuer is not None or metadata.names_itself) and issuer != self.client.issuer:
            raise ProviderDistrusted(f"somebody came back from {issuer!r:.200}")

    def _exchange(self, asking: Asking, metadata: Metadata, code: str, verifier: str) -> dict[str, Any]:
        asking.token_endpoint_auth_method = self._auth_method(metadata)
        brought = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        try:
            tokens = asking.fetch_token(metadata.token_endpoint, **brought)  # type: ignore[no-untyped-call]
        except OAuthError as problem:
            if problem.error == "invalid_grant":  # used already, or too old
                raise ProviderRefused from problem
            raise ProviderUnavailable(f"it does not take what this portal asks: {problem.error!r:.100}") from problem
        except (ValueError, RecursionError, requests.RequestException) as problem:
            raise ProviderUnavailable(f"{metadata.token_endpoint} answers no JSON object") from problem
        return dict(tokens)

    def _auth_method(self, metadata: Metadata) -> str:
        """In the body where the provider takes that: for a header, unusual signs in secrets are spelled in two ways."""
        if not self.client.client_secret:
            return "none"
        return "client_secret_post" if "client_secret_post" in metadata.auth_methods else "client_secret_basic"

    def _claims(self, asking: Asking, known: _Known, tokens: dict[str, Any], nonce: str) -> dict[str, Any]:
        token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(token, str) or not isinstance(access_token, str):
            raise ProviderDistrusted("it gave no token")
        client = self.client
        expected = Expected(known.metadata.algorithms, client.issuer, client.client_id, nonce, access_token)
        try:
            return checked_claims(token, known.keys, expected)
        except KeyError:
            pass
        try:
            return checked_claims(token, self._new_keys(asking, known), expected)
        except KeyError as problem:
            raise ProviderDistrusted("its token is signed by an unknown key") from problem

    def _with_userinfo(
        self, asking: Asking, metadata: Metadata, claims: dict[str, Any], tokens: dict[str, Any]
    ) -> dict[str, Any]:
        """The claims, with what the token leaves out and the provider tells when asked (Core 1.0, 5.3)."""
        wanted = {"email", *([self.client.groups_claim] if self.client.groups_claim else [])}
        if wanted <= claims.keys() or not metadata.userinfo_endpoint:
            return claims
        told = asking.document(metadata.userinfo_endpoint, tokens["access_token"])
        if told.get("sub") != claims.get("sub"):
            raise ProviderDistrusted("it tells of somebody else than in its token")
        return told | claims
