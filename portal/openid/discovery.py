"""What a provider says about itself (OpenID Connect Discovery 1.0), as far as a portal needs it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from portal.addresses import is_loopback
from portal.errors import ProviderDistrusted

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that are believed: by keys of which the portal knows the public half alone. Neither ``none`` nor
``HS256``, whose key would be the secret of the client."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Metadata:
    """Where to ask a provider what, and what it is able to do."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    """"" when there is none."""
    algorithms: tuple[str, ...]
    auth_methods: tuple[str, ...]
    """How a client may say who it is."""
    names_itself: bool
    """Whether it says who it is where somebody comes back from it (RFC 9207)."""


def discovery_address(issuer: str) -> str:
    """Where the provider describes itself (section 4 there)."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def metadata_of(document: Mapping[str, Any], issuer: str) -> Metadata:
    """The document of this issuer. Raises ProviderDistrusted for one that is of somebody else, or leads nowhere."""
    if document.get("issuer") != issuer:
        raise ProviderDistrusted(f"{discovery_address(issuer)} is of the issuer {document.get('issuer')!r:.200}")
    endpoints = {key: _endpoint(document, key, issuer) for key in ENDPOINTS}
    has_userinfo = document.get("userinfo_endpoint") is not None
    signs = _texts(document, "id_token_signing_alg_values_supported", ("RS256",))
    algorithms = tuple(one for one in ALGORITHMS if one in signs)
    if not algorithms:
        raise ProviderDistrusted("it signs with nothing that can be believed")
    return Metadata(
        **endpoints,
        userinfo_endpoint=_endpoint(document, "userinfo_endpoint", issuer) if has_userinfo else "",
        algorithms=algorithms,
        auth_methods=_texts(document, "token_endpoint_auth_methods_supported", ("client_secret_basic",)),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(document: Mapping[str, Any], key: str, issuer: str) -> str:
    """An https address; http only on this machine, and only for an issuer that is reached by it too."""
    address = document.get(key)
    try:
        parts = urlsplit(address if isinstance(address, str) and address.isprintable() else "")
        is_local = parts.scheme == "http" and is_loopback(parts.hostname or "") and issuer.startswith("http:")
        fits = bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment and parts.port != 0
    except ValueError:
        fits = False
    if not fits or not (parts.scheme == "https" or is_local):
        raise ProviderDistrusted(f"its {key} is no address to be asked: {address!r:.200}")
    return str(address)


def _texts(document: Mapping[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    found = document.get(key)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else default
