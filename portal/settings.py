"""Every setting, typed and checked before anything starts.

Order: config/default.toml, then config/local.toml or the file $PORTAL_CONFIG names, then PORTAL_* in the environment.
An unknown key is refused, so that a typing mistake is found at the start and not a year later.
"""

import dataclasses
import ipaddress
import os
import secrets
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from portal.addresses import is_loopback
from portal.errors import SettingsProblem
from portal.mailservers import mail_server, sender

ROOT = Path(__file__).resolve().parent.parent
DEFAULTS = ROOT / "config" / "default.toml"
LOCAL = ROOT / "config" / "local.toml"
MINIMUM_SECRET = 32
OFFLOADS = ("none", "nginx")
KNOWN_SECRETS = ("dev", "changeme", "secret", "password")
LISTS = frozenset(
    {"trusted_proxies", "allowed_types", "oidc_scopes", "oidc_allowed_domains", "oidc_allowed_groups", "oidc_groups"}
)
EVERY_DOMAIN = "*"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Settings:
    """All settings with their final values; directories are absolute, nothing is created by reading them."""

    data: Path
    database_url: str = field(repr=False)
    storage: Path
    secret_key: str = field(repr=False)
    base_url: str
    trusted_proxies: tuple[Network, ...]
    name: str
    timezone: tzinfo
    offload: str
    max_upload: int
    zip_documents: int
    zip_bytes: int
    trash_days: int
    scrub_days: int
    scrub_mib_per_second: int
    allowed_types: frozenset[str]
    mail_url: str = field(repr=False)
    mail_from: str
    metrics_token: str = field(repr=False)
    session_idle_hours: int
    session_days: int
    password_memory: int
    password_passes: int
    login_tries: int
    network_tries: int
    share_tries: int
    unknown_tries: int
    transfers_each: int
    transfers_all: int
    client_images: Path | None
    client_csv: Path | None
    client_pdf: Path | None
    client_reports: Path | None
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str = field(repr=False)
    oidc_name: str
    oidc_scopes: tuple[str, ...]
    oidc_link_by_email: bool
    oidc_trust_email: bool
    oidc_create_accounts: bool
    oidc_allowed_domains: frozenset[str]
    oidc_allowed_groups: frozenset[str]
    oidc_groups_claim: str
    oidc_groups: tuple[tuple[str, str], ...]
    """Pairs of a value of the claim and the name of a group here."""

    @property
    def is_secure(self) -> bool:
        """Whether people reach the portal by https; decides about cookies and HSTS."""
        return urlsplit(self.base_url).scheme == "https"

    @property
    def secrets_dir(self) -> Path:
        """Where secrets made by the portal itself are kept, 0700."""
        return self.data / "secrets"

    @property
    def sources(self) -> dict[str, Path]:
        """Category path to the directory indexed in place for it."""
        named = {
            "images": self.client_images,
            "csv": self.client_csv,
            "pdf": self.client_pdf,
            "reports": self.client_reports,
        }
        return {path: directory for path, directory in named.items() if directory is not None}


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings in force; ``overrides`` are raw values that win over everything (for commands and tests).

    Raises SettingsProblem with a sentence that names the key and, for secrets, never the value.
    """
    environ = os.environ if environ is None else environ
    defaults = _read(DEFAULTS)
    raw, known = dict(defaults), set(defaults)
    local = Path(environ["PORTAL_CONFIG"]) if environ.get("PORTAL_CONFIG") else LOCAL
    if local.exists() or environ.get("PORTAL_CONFIG"):
        raw |= _refuse_unknown(_read(local), known, str(local))
    raw |= _from_environment(environ, defaults)
    raw |= _refuse_unknown(overrides, known, "the overrides")
    return _checked(raw)


def make_secret(settings: Settings) -> str:
    """The signing key: the one set, or the one made once into secrets/ (0600) on first use."""
    if settings.secret_key:
        return settings.secret_key
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.secrets_dir.mkdir(mode=0o700, exist_ok=True)
    path = settings.secrets_dir / "secret_key"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(48))
    return _existing_secret(path)


def remember_address(settings: Settings, address: str) -> None:
    """Keep where the portal is served, in PORTAL_DATA/address (0600), for commands that print addresses."""
    temp = _write_temp(settings.data / "address", address)
    os.replace(temp, settings.data / "address")


def last_address(settings: Settings) -> str:
    """The base URL; while it is unset, where the portal was last served; "" when that is not known either."""
    if settings.base_url:
        return settings.base_url
    try:
        found = (settings.data / "address").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return found if _is_origin(found) else ""


def _write_once(path: Path, key: str) -> None:
    """Write the file whole or not at all; of several starters at once the first one's key stays."""
    temp = _write_temp(path, key)
    try:
        with suppress(FileExistsError):
            os.link(temp, path)
    finally:
        temp.unlink()


def _write_temp(path: Path, text: str) -> Path:
    """A file beside ``path`` with the text in it, 0600 and on disk."""
    temp = path.with_name(f".{secrets.token_hex(8)}")
    with os.fdopen(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    return temp


def _existing_secret(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        raise SettingsProblem(f"{path} can be read by others. Run: chmod 600 {path}")
    key = path.read_text().strip()
    _check_secret(key, str(path))
    return key


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsProblem(f"The settings file {path} cannot be read: {problem.strerror}.") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsProblem(f"The settings file {path} is not TOML: {problem}.") from problem


def _refuse_unknown(values: dict[str, Any], known: set[str], where: str) -> dict[str, Any]:
    unknown = sorted(set(values) - known)
    if unknown:
        raise SettingsProblem(f"{where} has a setting that does not exist: {', '.join(unknown)}.")
    return values


def _from_environment(environ: Mapping[str, str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    variables = {f"PORTAL_{key.upper()}": key for key in defaults}
    given = {name: text for name, text in environ.items() if name.startswith("PORTAL_") and name != "PORTAL_CONFIG"}
    _refuse_unknown(given, set(variables), "The environment")
    return {variables[name]: _typed(variables[name], text, defaults[variables[name]]) for name, text in given.items()}


def _typed(key: str, text: str, default: Any) -> Any:
    if isinstance(default, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise SettingsProblem(f"PORTAL_{key.upper()} must be true or false.")
        return text.lower() == "true"
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError as problem:
            raise SettingsProblem(f"PORTAL_{key.upper()} must be a whole number.") from problem
    return text


def _checked(raw: dict[str, Any]) -> Settings:
    for key, value in raw.items():
        _check_kind(key, value)
    data = _directory(raw["data"]) or ROOT / "storage"
    values = raw | {
        "data": data,
        "database_url": _database_url(raw["database_url"], data),
        "storage": _storage(raw["storage"]) or data,
        "base_url": _base_url(raw["base_url"]),
        "timezone": _timezone(raw["timezone"]),
        "trusted_proxies": tuple(_network(text) for text in raw["trusted_proxies"]),
        "allowed_types": frozenset(text.lower().lstrip(".") for text in raw["allowed_types"]),
        **_provider(raw),
    }
    for key in ("client_images", "client_csv", "client_pdf", "client_reports"):
        values[key] = _source_directory(key, raw[key])
    if raw["secret_key"]:
        _check_secret(raw["secret_key"], "secret_key")
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
        fits, kind = isinstance(value, int) and not isinstance(value, bool) and value > 0, "a whole number above zero"
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
    if not _is_origin(text):
        raise SettingsProblem("base_url must be http:// or https:// with a host and nothing behind it.")
    return text


def _timezone(name: str) -> tzinfo:
    """UTC needs no database of time zones, which a small machine may not have."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise SettingsProblem(
            f'timezone names {name!r}, and this machine knows no such zone. Write "UTC", or one like "Europe/Berlin".'
        ) from problem


def _is_origin(text: str) -> bool:
    """Scheme, host and perhaps a port, as in RFC 6454; a name and password before the host are no part of one."""
    try:
        parts = urlsplit(text)
        port_fits = parts.port != 0
    except ValueError:
        return False
    rest = (parts.path, parts.query, parts.fragment, parts.username, parts.password)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_fits and not any(rest)


def _provider(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the provider (OpenID Connect), checked one by one, and then whether they fit each other."""
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
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        parts, origin = urlsplit(""), ""
    is_private = parts.scheme == "https" or is_loopback(parts.hostname or "")
    if not _is_origin(origin) or not is_private or parts.query or parts.fragment or not text.isprintable():
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


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as problem:
        raise SettingsProblem(f"trusted_proxies has {text!r}, which is not an address or network.") from problem


def _check_secret(key: str, where: str) -> None:
    if len(key) < MINIMUM_SECRET or key.lower() in KNOWN_SECRETS:
        raise SettingsProblem(f"{where} must be a secret of at least {MINIMUM_SECRET} characters.")
