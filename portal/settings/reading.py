"""Where settings come from: files in TOML and the environment, the later of which win."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portal.errors import SettingsProblem
from portal.settings.checking import checked
from portal.settings.values import Settings

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = ROOT / "config" / "default.toml"
LOCAL = ROOT / "config" / "local.toml"
STORAGE = ROOT / "storage"
"""Where data goes that no setting names a place for."""


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
    return checked(raw, STORAGE)


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
