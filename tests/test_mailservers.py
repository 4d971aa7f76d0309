"""Addresses of mail servers as operators write them: what is understood, and what is refused without the password."""

from collections.abc import Callable
from pathlib import Path

import pytest

from portal.errors import SettingsProblem
from portal.mailservers import MailServer, mail_server, sender
from portal.settings import Settings, load


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str, str], Settings]:
    """Read the settings with this variable, and without a file of whoever runs the tests."""
    own = tmp_path / "portal.toml"
    own.touch()
    return lambda name, text: load({"PORTAL_CONFIG": str(own), name: text})


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("console:", None),
        ("smtp://mail", MailServer("mail", 25, False, False, "", "")),
        ("smtp://mail:587?starttls=required", MailServer("mail", 587, False, True, "", "")),
        ("smtps://me%40house:p%40ss%2F@mail/", MailServer("mail", 465, True, False, "me@house", "p@ss/")),
        ("smtp://[::1]:2525", MailServer("::1", 2525, False, False, "", "")),
    ],
)
def test_an_address_of_a_mail_server_is_read(url: str, server: MailServer | None) -> None:
    assert mail_server(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "console",
        "mail.example.org",
        "http://mail",
        "smtp://",
        "smtp://mail:0",
        "smtp://mail:many",
        "smtp://mail/path",
        "smtp://mail#part",
        "smtp://mail?tls=1",
        "smtp://mail?starttls",
        "smtps://mail?starttls=required",
        "smtp://user@mail",
        "smtp://:hush-hush@mail",
        "smtp://user:hush-h%C3%BCsh@mail",
        "smtp://user:hush-hush@mail:x",
        "smtp://user:hush-hush@mail?starttls=never",
    ],
)
def test_any_other_is_refused_at_the_start_and_no_password_is_said(
    read: Callable[[str, str], Settings], url: str
) -> None:
    with pytest.raises(SettingsProblem) as refusal:
        read("PORTAL_MAIL_URL", url)
    assert refusal.value.sentence.startswith("mail_url ")
    assert "hush" not in refusal.value.sentence


def test_the_password_of_the_mail_server_is_in_no_message(read: Callable[[str, str], Settings]) -> None:
    chosen = read("PORTAL_MAIL_URL", "smtp://user:hush-hush@mail")
    assert "hush" not in f"{chosen!r} {mail_server(chosen.mail_url)!r}"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a@example.org", "a@example.org"),
        ("Portal <a@example.org>", "Portal <a@example.org>"),
        ('"Doe, John" <a@[127.0.0.1]>', '"Doe, John" <a@[127.0.0.1]>'),
    ],
)
def test_a_sender_is_read(text: str, written: str) -> None:
    assert str(sender(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "Portal",
        "a@",
        "@b",
        "<>",
        "a@b, c@d",
        "a b@c",
        "Doe, John <a@b>",
        "p\u00f6rtal@example.org",
        "a@b\r\nBcc: x@y",
        "a@b\nX: y",
    ],
)
def test_any_other_sender_is_refused_at_the_start(read: Callable[[str, str], Settings], text: str) -> None:
    with pytest.raises(SettingsProblem, match=r"^mail_from must be"):
        read("PORTAL_MAIL_FROM", text)
