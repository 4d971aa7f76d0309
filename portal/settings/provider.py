"""The settings of a provider (OpenID Connect), checked one by one, and then whether they fit each other. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from portal.addresses import is_origin, is_private
from portal.errors import SettingsProblem
from portal.settings.values import EVERY_DOMAIN


def provider_values(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the keys that need more than a kind. Raises SettingsProblem."""
    values = {
        "oidc_issuer": _issuer(raw["oidc_issuer"]),
        "oidc_scopes": tuple(raw["oidc_scopes"]),
        "oidc_allowed_domains": frozenset(_domain(text) for text in raw["oidc_allowed_domains"]),
        "oidc_allowed_groups": frozenset(raw["oidc_allowed_groups"]),
        "oidc_groups": tuple(_group_pair(text) for text in raw["oidc_groups"]),
    }
    if values["oidc_issuer"]:
        _check_provider(raw)
    return values


def _check_provider(raw: Mapping[str, Any]) -> None:
    if not raw["oidc_client_id"]:
        raise SettingsProblem("oidc_issuer is set, so oidc_client_id must be what the provider calls this portal.")
    for key in ("oidc_client_id", "oidc_client_secret"):
        if not (raw[key].isascii() and raw[key].isprintable()):
            raise SettingsProblem(f"{key} has characters that no provider gives out.")
    if "openid" not in raw["oidc_scopes"]:
        raise SettingsProblem('oidc_scopes must have "openid" in it, or the provider does not say who somebody is.')
    if not raw["oidc_name"].strip():
        raise SettingsProblem("oidc_name must be what people know the provider by: the button to sign in says it.")
    if (raw["oidc_allowed_groups"] or raw["oidc_groups"]) and not raw["oidc_groups_claim"]:
        raise SettingsProblem(
            "oidc_groups_claim must name the claim that oidc_allowed_groups and oidc_groups are about."
        )
    if raw["oidc_create_accounts"] and not (raw["oidc_allowed_domains"] or raw["oidc_allowed_groups"]):
        raise SettingsProblem(
            "oidc_create_accounts would let everybody in whom the provider knows. Name them in oidc_allowed_domains or "
            'oidc_allowed_groups, or write oidc_allowed_domains = ["*"] if everybody is meant.'
        )


def _issuer(text: str) -> str:
    """The issuer as it is spelled: tokens must say exactly the same, so not even a slash is taken away."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    is_server = is_origin(f"{parts.scheme}://{parts.netloc}") and is_private(text)
    if not is_server or parts.query or parts.fragment or not text.isprintable():
        raise SettingsProblem("oidc_issuer must be an https:// address without ? and #, as the provider spells it.")
    return text


def _domain(text: str) -> str:
    domain = text.strip().lower().removeprefix("@")
    if domain != EVERY_DOMAIN and ("." not in domain.strip(".") or any(sign in domain for sign in "*@/ ")):
        raise SettingsProblem(
            f'oidc_allowed_domains has {text!r}; write whole domains such as "example.org", or "*" for all.'
        )
    return domain


def _group_pair(text: str) -> tuple[str, str]:
    """``value=group`` cut at the last sign: values may be names of a directory, such as ``cn=staff,dc=example``."""
    value, _, group = (part.strip() for part in text.rpartition("="))
    if not value or not group:
        raise SettingsProblem(f'oidc_groups has {text!r}; write "value of the claim=name of the group here".')
    return value, group
