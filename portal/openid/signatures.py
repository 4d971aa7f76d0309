"""The token of a provider (an ID token), believed only when its signature and every claim in it hold."""

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.claims import ClaimsOption
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.jws import JWSRegistry

from portal.errors import ProviderDistrusted

LEEWAY = 60
"""Seconds by which two clocks may differ."""
MOST_KEYS = 50


@dataclass(frozen=True)
class Expected:
    """What a token must be like: signed so, by this issuer, for this client, for the one question with this nonce."""

    algorithms: tuple[str, ...]
    issuer: str
    client_id: str
    nonce: str
    access_token: str


def keys_of(document: dict[str, Any]) -> KeySet:
    """The keys a provider signs with; those for other uses, of unknown kinds or shared ones are left out.

    Raises ProviderDistrusted when none is left.
    """
    listed = document.get("keys")
    found = [_key(one) for one in listed[:MOST_KEYS] if isinstance(one, dict)] if isinstance(listed, list) else []
    keys = [key for key in found if key is not None]
    if not keys:
        raise ProviderDistrusted("it has no key that could be used")
    return KeySet(keys)


def checked_claims(token: str, keys: KeySet, expected: Expected) -> dict[str, Any]:
    """The claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7). Raises ProviderDistrusted, and KeyError for a key
    that is not among ``keys``: the provider may have a new one."""
    registry = JWSRegistry(algorithms=expected.algorithms, strict_check_header=False)
    options: dict[str, ClaimsOption] = {
        "iss": {"essential": True, "value": expected.issuer},
        "aud": {"essential": True, "value": expected.client_id},
    }
    known = {"nonce": expected.nonce, "client_id": expected.client_id, "access_token": expected.access_token}
    try:
        decoded = jwt.decode(token, keys, registry=registry)
        CodeIDToken(decoded.claims, decoded.header, options, known).validate(leeway=LEEWAY)
    except InvalidKeyIdError as problem:
        raise KeyError("the key of the token") from problem
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as problem:
        raise ProviderDistrusted(f"its token does not hold: {type(problem).__name__} {problem}"[:300]) from problem
    return decoded.claims


def _key(data: dict[str, Any]) -> Key | None:
    if data.get("kty") not in ("RSA", "EC", "OKP") or data.get("use", "sig") != "sig":
        return None
    try:
        return JWKRegistry.import_key(data)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
