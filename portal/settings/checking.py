"""Every value checked and given its type: what is wrong is said of the key it stands under."""

import dataclasses
import ipaddress
import re
from datetime import tzinfo
from pathlib import Path
from typing import Any

from portal.addresses import is_origin
from portal.errors import SettingsProblem
from portal.mailservers import mail_server, sender
from portal.settings.keeping import check_secret
from portal.settings.provider import provider_values
from portal.settings.values import Network, Settings
from portal.zones import find_zone

CLAMD = re.compile(r"unix:/[^\0]+|(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):[1-9][0-9]{0,4}", re.ASCII)
OFFLOADS = ("none", "nginx")
LISTS = frozenset(
    {"trusted_proxies", "allowed_types", "oidc_scopes", "oidc_allowed_domains", "oidc_allowed_groups", "oidc_groups"}
)

MAY_BE_ZERO = frozenset({"quota"})
"""Numbers whose 0 means: none."""


def checked(raw: dict[str, Any], storage: Path) -> Settings:
    """The settings of these raw values, of which none is missing; data goes to ``storage`` where none says otherwise.

    Raises SettingsProblem.
    """
    for key, value in raw.items():
        _check_kind(key, value)
    data = _directory(raw["data"]) or storage
    values = raw | {
        "data": data,
        "database_url": _database_url(raw["database_url"], data),
        "storage": _storage(raw["storage"]) or data,
        "base_url": _base_url(raw["base_url"]),
        "clamd": _clamd(raw["clamd"]),
        "timezone": _timezone(raw["timezone"]),
        "trusted_proxies": tuple(_network(text) for text in raw["trusted_proxies"]),
        "allowed_types": frozenset(text.lower().lstrip(".") for text in raw["allowed_types"]),
        **provider_values(raw),
    }
    for key in ("client_images", "client_csv", "client_pdf", "client_reports"):
        values[key] = _source_directory(key, raw[key])
    if raw["secret_key"]:
        check_secret(raw["secret_key"], "secret_key")
    mail_server(raw["mail_url"])
    if raw["mail_from"]:
        sender(raw["mail_from"])
    if raw["offload"] not in OFFLOADS:
        raise SettingsProblem('offload must be "none" or "nginx".')
    return Settings(**values)


def _check_kind(key: str, value: Any) -> None:
    kinds = {name.name: name.type for name in dataclasses.fields(Settings)}
    if key in LISTS:
        fits = isinstance(value, list) and all(isinstance(part, str) for part in value)
        kind = "a list of texts"
    elif kinds[key] is bool:
        fits, kind = isinstance(value, bool), "true or false"
    elif kinds[key] is int:
        least, kind = (0, "a whole number, or 0 for none") if key in MAY_BE_ZERO else (1, "a whole number above zero")
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
    else:
        fits, kind = isinstance(value, str), "a text"
    if not fits:
        raise SettingsProblem(f"{key} must be {kind}.")


def _directory(text: str) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _storage(text: str) -> Path | None:
    if "://" in text:
        raise SettingsProblem("storage must be a directory; addresses such as s3:// are not served yet.")
    return _directory(text)


def _source_directory(key: str, text: str) -> Path | None:
    """A directory to index in place. One that is missing is no reason not to start: a mount may come back."""
    directory = _directory(text)
    if directory is not None and directory.exists() and not directory.is_dir():
        raise SettingsProblem(f"{key} names {directory}, which is not a directory.")
    return directory


def _database_url(text: str, data: Path) -> str:
    if not text:
        return f"sqlite:///{data / 'portal.db'}"
    if not text.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise SettingsProblem("database_url must begin with sqlite:/// or postgresql://.")
    return text


def _base_url(text: str) -> str:
    text = text.rstrip("/")
    if not text:
        return ""
    if not is_origin(text):
        raise SettingsProblem("base_url must be http:// or https:// with a host and nothing behind it.")
    return text


def _clamd(text: str) -> str:
    if text and CLAMD.fullmatch(text) is None:
        raise SettingsProblem('clamd must be "", host:port such as 127.0.0.1:3310, or unix: and an absolute path.')
    return text


def _timezone(name: str) -> tzinfo:
    zone = find_zone(name)
    if zone is None:
        raise SettingsProblem(
            f'timezone names {name!r}, and this machine knows no such zone. Write "UTC", or one like "Europe/Berlin".'
        )
    return zone


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as problem:
        raise SettingsProblem(f"trusted_proxies has {text!r}, which is not an address or network.") from problem
