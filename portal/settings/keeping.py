"""What the portal keeps for itself beside its data: the secret it makes, and where it was last served."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from portal.addresses import is_origin
from portal.errors import SettingsProblem
from portal.settings.values import Settings

MINIMUM_SECRET = 32
KNOWN_SECRETS = ("dev", "changeme", "secret", "password")


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
    return found if is_origin(found) else ""


def check_secret(key: str, where: str) -> None:
    """Raise SettingsProblem, with ``where`` it stands and without the key, unless it is one nobody guesses."""
    if len(key) < MINIMUM_SECRET or key.lower() in KNOWN_SECRETS:
        raise SettingsProblem(f"{where} must be a secret of at least {MINIMUM_SECRET} characters.")


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
    check_secret(key, str(path))
    return key
