"""Settings: where they come from, what is refused, and what is never said aloud."""

import dataclasses
import os
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from portal import create_app
from portal import settings as configuration
from portal.errors import SettingsProblem
from portal.settings import DEFAULTS, Settings, last_address, load, make_secret, reading, remember_address

SECRET = "not to be seen by anybody at all, ever"
SECRETS = ("secret_key", "metrics_token", "database_url", "oidc_client_secret")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file of settings of this test, empty to begin with."""
    file = tmp_path / "own.toml"
    file.touch()
    return file


def load_with(own: Path, environ: dict[str, str] | None = None, **overrides: Any) -> Settings:
    return load({"PORTAL_CONFIG": str(own)} | (environ or {}), **overrides)


def test_without_any_choice_the_defaults_hold(own: Path) -> None:
    settings = load_with(own)
    assert settings.name == "Portal"
    assert settings.data == settings.storage == configuration.ROOT / "storage"
    assert settings.database_url == f"sqlite:///{settings.data}/portal.db"
    assert settings.sources == {}


def test_a_file_wins_over_the_defaults_the_environment_over_the_file_and_a_command_over_both(own: Path) -> None:
    assert load_with(own).name == "Portal"
    own.write_text('name = "from the file"\nmax_upload = 5')
    assert load_with(own).name == "from the file"
    environ = {"PORTAL_NAME": "from the environment"}
    assert load_with(own, environ).name == "from the environment"
    assert load_with(own, environ, name="from the command").name == "from the command"
    assert load_with(own, environ).max_upload == 5


def test_the_file_beside_the_defaults_is_read_unless_another_is_named(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = tmp_path / "local.toml"
    local.write_text('name = "local"')
    monkeypatch.setattr(reading, "LOCAL", local)
    assert load({}).name == "local"
    assert load_with(own).name == "Portal"


def test_a_file_that_is_named_but_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match=r"missing\.toml cannot be read"):
        load({"PORTAL_CONFIG": str(tmp_path / "missing.toml")})


def test_a_file_that_is_no_toml_is_refused_without_repeating_it(own: Path) -> None:
    own.write_text(f'secret_key = "{SECRET}')
    with pytest.raises(SettingsProblem, match=r"own\.toml is not TOML") as problem:
        load_with(own)
    assert SECRET not in problem.value.sentence


def test_an_unknown_key_in_a_file_is_refused_by_name(own: Path) -> None:
    own.write_text("max_uplaod = 5")
    with pytest.raises(SettingsProblem, match=r"own\.toml has a setting that does not exist: max_uplaod\."):
        load_with(own)


def test_an_unknown_key_of_a_command_is_refused_by_name(own: Path) -> None:
    with pytest.raises(SettingsProblem, match="nmae"):
        load_with(own, nmae="x")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("max_upload = true", "max_upload must be a whole number above zero"),
        ("max_upload = 0", "max_upload must be a whole number above zero"),
        ("max_upload = 1.5", "max_upload must be a whole number above zero"),
        ('clamd = "3310"', "clamd must be"),
        ('clamd = "localhost"', "clamd must be"),
        ('clamd = "unix:run/clamd.ctl"', "clamd must be"),
        ('clamd = "http://127.0.0.1:3310"', "clamd must be"),
        ("quota = -1", "quota must be a whole number, or 0 for none"),
        ('max_upload = "5"', "max_upload must be a whole number above zero"),
        ("name = 5", "name must be a text"),
        ('trusted_proxies = "127.0.0.1"', "trusted_proxies must be a list of texts"),
        ("trusted_proxies = [127]", "trusted_proxies must be a list of texts"),
        ('trusted_proxies = ["nowhere"]', "'nowhere', which is not an address or network"),
        ('allowed_types = "pdf"', "allowed_types must be a list of texts"),
        ('client_pdf = "/dev/null"', "client_pdf names /dev/null, which is not a directory"),
        ('storage = "s3://bucket/documents"', "storage must be a directory"),
        ('offload = "apache"', "offload must be"),
        ('database_url = "mysql://host/name"', "database_url must begin with"),
        ('secret_key = "short"', "secret_key must be a secret of at least 32 characters"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_its_key(own: Path, line: str, reason: str) -> None:
    own.write_text(line)
    with pytest.raises(SettingsProblem, match=re.escape(reason)):
        load_with(own)


@pytest.mark.parametrize("text", ["five", "", "5.0", "0"])
def test_a_number_in_the_environment_must_be_one(own: Path, text: str) -> None:
    with pytest.raises(SettingsProblem, match=r"(?i)max_upload must be a whole number"):
        load_with(own, {"PORTAL_MAX_UPLOAD": text})


def test_lists_in_the_environment_are_separated_by_commas(own: Path) -> None:
    settings = load_with(own, {"PORTAL_TRUSTED_PROXIES": "127.0.0.1, 10.1.2.3/8,", "PORTAL_ALLOWED_TYPES": ".PDF,csv"})
    assert [str(network) for network in settings.trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8"]
    assert settings.allowed_types == {"pdf", "csv"}


def test_the_kind_of_a_setting_comes_from_the_defaults_whatever_a_file_says(own: Path) -> None:
    own.write_text('max_upload = "many"')
    assert load_with(own, {"PORTAL_MAX_UPLOAD": "5"}).max_upload == 5


@pytest.mark.parametrize(
    "text",
    [
        "docs.example.org",
        "ftp://docs.example.org",
        "https://",
        "https://:443",
        "https://docs.example.org/portal",
        "https://docs.example.org?a=b",
        "https://docs.example.org#a",
        "https://ada:pw@docs.example.org",
        "https://docs.example.org:port",
        "https://docs.example.org:99999",
        "https://[::1",
    ],
)
def test_an_address_with_more_or_less_than_scheme_and_host_is_refused(own: Path, text: str) -> None:
    with pytest.raises(SettingsProblem, match="base_url must be"):
        load_with(own, base_url=text)


@pytest.mark.parametrize(
    ("text", "kept", "is_secure"),
    [
        ("", "", False),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000", False),
        ("https://docs.example.org", "https://docs.example.org", True),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", True),
    ],
)
def test_the_scheme_of_the_address_decides_about_security(own: Path, text: str, kept: str, is_secure: bool) -> None:
    settings = load_with(own, base_url=text)
    assert (settings.base_url, settings.is_secure) == (kept, is_secure)


def test_relative_directories_are_taken_from_where_the_portal_is_started(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_with(own, data="data", storage="bytes")
    assert (settings.data, settings.storage) == (tmp_path / "data", tmp_path / "bytes")


def test_reading_settings_creates_nothing(own: Path, tmp_path: Path) -> None:
    load_with(own, data=str(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_directories_to_index_belong_to_their_categories(own: Path, tmp_path: Path) -> None:
    settings = load_with(own, client_pdf=str(tmp_path), client_reports=str(tmp_path))
    assert settings.sources == {"pdf": tmp_path, "reports": tmp_path}


def test_no_secret_is_shown_by_repr(own: Path) -> None:
    url = f"postgresql://portal:{SECRET}@db.example.org/portal"
    shown = repr(load_with(own, secret_key=SECRET, metrics_token=SECRET, database_url=url))
    assert SECRET not in shown
    assert not [key for key in SECRETS if key in shown]


@pytest.mark.parametrize("key", SECRETS)
def test_no_secret_is_repeated_when_it_is_refused(own: Path, key: str) -> None:
    with pytest.raises(SettingsProblem) as problem:
        load({"PORTAL_CONFIG": str(own)}, **{key: [SECRET]})
    assert key in problem.value.sentence
    assert SECRET not in problem.value.sentence


def test_the_zone_of_the_portal_is_known_by_its_name(own: Path) -> None:
    assert load_with(own).timezone is UTC
    assert str(load_with(own, {"PORTAL_TIMEZONE": "Europe/Berlin"}).timezone) == "Europe/Berlin"


@pytest.mark.parametrize("name", ["", "Mars/Base", "Europe", "../etc/passwd", "/etc/localtime", "a\0b", "x" * 5000])
def test_a_zone_that_is_none_is_refused_with_its_name(own: Path, name: str) -> None:
    with pytest.raises(SettingsProblem) as problem:
        load_with(own, timezone=name)
    assert f"timezone names {name!r}" in problem.value.sentence


@pytest.mark.parametrize("key", ["dev", "changeme", "secret", "password", "x" * 31])
def test_a_signing_key_that_can_be_guessed_is_refused_and_not_repeated(own: Path, key: str) -> None:
    with pytest.raises(SettingsProblem) as problem:
        load_with(own, {"PORTAL_SECRET_KEY": key})
    assert f"{key!r}" not in problem.value.sentence


def test_every_key_is_a_field_and_every_field_a_key() -> None:
    keys = tomllib.loads(DEFAULTS.read_text(encoding="utf-8"))
    assert list(keys) == [field.name for field in dataclasses.fields(Settings)]


def test_every_key_has_a_comment_with_its_variable() -> None:
    paragraphs = DEFAULTS.read_text(encoding="utf-8").split("\n\n")[1:]
    for paragraph in paragraphs:
        comment = " ".join(line for line in paragraph.splitlines() if line.startswith("#"))
        keys = list(tomllib.loads(paragraph))
        named = re.findall(r"PORTAL_[A-Z_]+", comment.rpartition("[")[2])
        assert named == [f"PORTAL_{key.upper()}" for key in keys], paragraph
    assert sum(len(tomllib.loads(paragraph)) for paragraph in paragraphs) == len(dataclasses.fields(Settings))


def test_the_signing_key_is_made_once_and_only_for_its_owner(own: Path, tmp_path: Path) -> None:
    settings = load_with(own, data=str(tmp_path / "data"))
    key = make_secret(settings)
    assert len(key) >= 32
    assert make_secret(settings) == key
    assert [file.name for file in settings.secrets_dir.iterdir()] == ["secret_key"]
    assert (settings.secrets_dir / "secret_key").stat().st_mode & 0o777 == 0o600


def test_what_is_made_for_the_signing_key_is_closed_to_others(own: Path, tmp_path: Path) -> None:
    settings = load_with(own, data=str(tmp_path / "data"))
    make_secret(settings)
    assert [place.stat().st_mode & 0o777 for place in (settings.data, settings.secrets_dir)] == [0o700, 0o700]


def test_a_chosen_signing_key_is_used_and_not_written_down(own: Path, tmp_path: Path) -> None:
    settings = load_with(own, data=str(tmp_path / "data"), secret_key=SECRET)
    assert make_secret(settings) == SECRET
    assert not settings.data.exists()


def test_many_starters_at_once_agree_on_one_signing_key(own: Path, tmp_path: Path) -> None:
    settings = load_with(own, data=str(tmp_path / "data"))
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: make_secret(settings), range(64)))
    assert len(keys) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_signing_key_that_others_can_reach_is_refused_with_what_to_do(own: Path, tmp_path: Path, mode: int) -> None:
    settings = load_with(own, data=str(tmp_path / "data"))
    make_secret(settings)
    os.chmod(settings.secrets_dir / "secret_key", mode)
    with pytest.raises(SettingsProblem, match=r"can be read by others\. Run: chmod 600"):
        make_secret(settings)


def test_a_damaged_signing_key_is_refused_and_not_repeated(own: Path, tmp_path: Path) -> None:
    settings = load_with(own, data=str(tmp_path / "data"))
    make_secret(settings)
    (settings.secrets_dir / "secret_key").write_text("oh dear")
    with pytest.raises(SettingsProblem, match="at least 32 characters") as problem:
        make_secret(settings)
    assert "oh dear" not in problem.value.sentence


@pytest.mark.parametrize("name", ["PORTAL_FOO", "PORTAL_BASEURL", "PORTAL_base_url", "PORTAL_"])
def test_a_variable_that_stands_for_no_setting_is_refused_by_name_alone(own: Path, name: str) -> None:
    with pytest.raises(SettingsProblem) as problem:
        load_with(own, {name: SECRET, "PORTALS": "are no matter of ours"})
    assert problem.value.sentence == f"The environment has a setting that does not exist: {name}."


def test_the_address_of_the_last_start_is_remembered_for_its_owner_until_one_is_set(own: Path, tmp_path: Path) -> None:
    settings = load_with(own, data=str(tmp_path))
    assert last_address(settings) == ""
    for address in ("http://127.0.0.1:8101", "http://[::1]:9000"):
        remember_address(settings, address)
        assert last_address(settings) == address
    assert (tmp_path / "address").stat().st_mode & 0o777 == 0o600
    assert last_address(dataclasses.replace(settings, base_url="https://a.example")) == "https://a.example"


@pytest.mark.parametrize("content", [b"", b"file:///etc", b"http://a.example/b", b"\xff", b"nonsense"])
def test_a_remembered_address_that_is_none_counts_for_nothing(own: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "address").write_bytes(content)
    assert last_address(load_with(own, data=str(tmp_path))) == ""


def test_the_application_does_not_start_with_a_wrong_setting(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_CONFIG", str(own))
    monkeypatch.setenv("PORTAL_MAX_UPLOAD", "much")
    with pytest.raises(SettingsProblem, match="PORTAL_MAX_UPLOAD"):
        create_app()


ISSUER = "https://id.example.org/realms/house"
PROVIDER: dict[str, Any] = {"oidc_issuer": ISSUER, "oidc_client_id": "portal"}


def test_without_an_issuer_there_is_no_provider_whatever_else_is_set(own: Path) -> None:
    assert load_with(own).oidc_issuer == ""
    assert load_with(own, oidc_create_accounts=True, oidc_scopes=[]).oidc_issuer == ""


def test_a_provider_needs_its_issuer_and_what_it_calls_the_portal(own: Path) -> None:
    settings = load_with(own, **PROVIDER)
    assert (settings.oidc_issuer, settings.oidc_scopes) == (ISSUER, ("openid", "email", "profile"))
    assert (settings.oidc_link_by_email, settings.oidc_trust_email, settings.oidc_create_accounts) == (
        True,
        False,
        False,
    )


def test_the_settings_of_a_provider_can_stand_in_the_environment(own: Path) -> None:
    environ = {
        "PORTAL_OIDC_ISSUER": ISSUER,
        "PORTAL_OIDC_CLIENT_ID": "portal",
        "PORTAL_OIDC_CREATE_ACCOUNTS": "True",
        "PORTAL_OIDC_LINK_BY_EMAIL": "false",
        "PORTAL_OIDC_ALLOWED_DOMAINS": "Example.org, @example.com",
        "PORTAL_OIDC_GROUPS_CLAIM": "groups",
        "PORTAL_OIDC_GROUPS": "staff=Staff,a=b=Board",
    }
    settings = load_with(own, environ)
    assert (settings.oidc_create_accounts, settings.oidc_link_by_email) == (True, False)
    assert settings.oidc_allowed_domains == {"example.org", "example.com"}
    assert settings.oidc_groups == (("staff", "Staff"), ("a=b", "Board"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"oidc_issuer": "http://id.example.org"}, "oidc_issuer must be an https:// address"),
        ({"oidc_issuer": "id.example.org"}, "oidc_issuer must be an https:// address"),
        ({"oidc_issuer": "https://user@id.example.org"}, "oidc_issuer must be an https:// address"),
        ({"oidc_issuer": "https://id.example.org?a=b"}, "oidc_issuer must be an https:// address"),
        ({"oidc_issuer": "https://[::1"}, "oidc_issuer must be an https:// address"),
        ({"oidc_client_id": ""}, "oidc_client_id must be what the provider calls this portal"),
        ({"oidc_client_secret": "geheim\n"}, "oidc_client_secret has characters"),
        ({"oidc_scopes": ["email"]}, 'oidc_scopes must have "openid"'),
        ({"oidc_scopes": "openid"}, "oidc_scopes must be a list of texts"),
        ({"oidc_name": " "}, "oidc_name must be what people know the provider by"),
        ({"oidc_create_accounts": "yes"}, "oidc_create_accounts must be true or false"),
        ({"oidc_create_accounts": 1}, "oidc_create_accounts must be true or false"),
        ({"oidc_create_accounts": True}, "would let everybody in whom the provider knows"),
        ({"oidc_allowed_groups": ["staff"]}, "oidc_groups_claim must name the claim"),
        ({"oidc_groups": ["staff=Staff"]}, "oidc_groups_claim must name the claim"),
        ({"oidc_groups": ["staff"], "oidc_groups_claim": "groups"}, "oidc_groups has 'staff'"),
        ({"oidc_groups": ["=Staff"], "oidc_groups_claim": "groups"}, "oidc_groups has '=Staff'"),
        ({"oidc_allowed_domains": ["*.example.org"]}, "oidc_allowed_domains has '\\*.example.org'"),
        ({"oidc_allowed_domains": ["example"]}, "oidc_allowed_domains has 'example'"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_provider_that_cannot_work_is_refused_with_a_reason(own: Path, values: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingsProblem, match=reason) as caught:
        load_with(own, **PROVIDER | values)
    assert "geheim" not in caught.value.sentence


@pytest.mark.parametrize(
    "values",
    [
        {"oidc_issuer": "http://localhost:9400"},
        {"oidc_issuer": "http://127.0.0.1:9400/"},
        {"oidc_create_accounts": True, "oidc_allowed_domains": ["*"]},
        {"oidc_create_accounts": True, "oidc_allowed_groups": ["staff"], "oidc_groups_claim": "groups"},
    ],
    ids=str,
)
def test_a_provider_that_can_work_is_taken(own: Path, values: dict[str, Any]) -> None:
    settings = load_with(own, **PROVIDER | values)
    assert settings.oidc_issuer == (PROVIDER | values)["oidc_issuer"]


@pytest.mark.parametrize("text", ["", "yes", "1", "on"])
def test_a_flag_in_the_environment_is_true_or_false(own: Path, text: str) -> None:
    with pytest.raises(SettingsProblem, match="PORTAL_OIDC_LINK_BY_EMAIL must be true or false"):
        load_with(own, {"PORTAL_OIDC_LINK_BY_EMAIL": text})
