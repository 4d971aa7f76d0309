"""What is put into the outbox: letters of every kind, in which nothing that people typed passes for more than words."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select

from portal.addresses import setup_address
from portal.extensions import db, transaction
from portal.models import Mail
from portal.notices import KINDS, add_mail
from portal.notices.texts import TEMPLATES
from portal.settings import Settings
from tests import makers

UNTIL = datetime(2026, 12, 5, 13, 20, tzinfo=UTC)
HOSTILE = 'Eve\r\nBcc: all@example.org\r\n\r\n<a href="http://evil.example">\u202e&'
ADDRESS = setup_address("http://localhost", "a" * 43)


def values_of(kind: str, **others: object) -> dict[str, object]:
    values: dict[str, object] = {name: f"some {name}" for name in KINDS[kind]}
    moments = {name: UNTIL for name in ("until", "moment") if name in values}
    lines = {name: [f"some {name}"] for name in ("documents", "refs", "searches") if name in values}
    return values | moments | lines | ({"address": ADDRESS} if "address" in values else {}) | others


def the_mail() -> Mail:
    makers.release()
    return db.session.scalars(select(Mail)).one()


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_a_letter_in_two_forms_that_says_what_it_was_given(kind: str) -> None:
    add_mail(kind, user_id=None, email="ada@example.org", **values_of(kind))

    mail = the_mail()
    assert mail.subject
    assert mail.text is not None
    assert mail.html is not None
    for value in values_of(kind).values():
        words = "5 December 2026, 13:20 UTC" if isinstance(value, datetime) else str(value)
        words = value[0] if isinstance(value, list) else "and more" if value == "some has_more" else words
        assert words in mail.text
        assert words in mail.html
    assert mail.text.endswith("\n-- \nPortal\nhttp://localhost\n")
    assert "\n\n\n" not in mail.text
    assert re.search(r"\sstyle=|<style|<script|<img|<link", mail.html) is None
    assert (mail.state, mail.tries, mail.problem, mail.sent_at) == ("waiting", 0, "", None)


def test_every_template_belongs_to_a_kind() -> None:
    parts = {"frame.html", "end.txt", "warning.txt", "warning.html"}
    named = {f"{kind}.{ending}" for kind in KINDS for ending in ("txt", "html")}
    assert {file.name for file in (TEMPLATES / "mail").iterdir()} == named | parts


@pytest.mark.usefixtures("context")
def test_what_people_typed_adds_no_header_no_line_and_no_mark_up() -> None:
    add_mail("invitation", user_id=None, email="ada@example.org", **values_of("invitation", name=HOSTILE))

    mail = the_mail()
    assert mail.text is not None
    assert mail.html is not None
    assert "\nBcc" not in mail.text
    assert "Hello Eve Bcc: all@example.org <a href=" in mail.text
    assert "evil.example&#34;&gt;" in mail.html
    assert '<a href="http://evil' not in mail.html
    assert "\u202e" not in mail.text + mail.html


def test_no_line_break_gets_into_a_subject(settings: Settings) -> None:
    with makers.core(replace(settings, name="Papers\r\nBcc: all@example.org")):
        add_mail("account_erased", user_id=None, email="ada@example.org")
        assert the_mail().subject == "Your account at Papers Bcc: all@example.org was erased"


@pytest.mark.usefixtures("context")
def test_moments_are_those_of_the_zone_of_the_person() -> None:
    ada = makers.person("Ada")
    makers.change(ada, timezone="Europe/Berlin")

    add_mail("reset", user_id=ada.id, email=ada.email, **values_of("reset"))

    assert "until 5 December 2026, 14:20 CET" in (the_mail().text or "")


@pytest.mark.usefixtures("context")
def test_values_that_do_not_fit_the_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="takes"):
        add_mail("reset", user_id=None, email="ada@example.org", name="Ada")


def test_a_mail_is_part_of_the_transaction_of_the_change(context: Flask) -> None:
    def fail() -> None:
        with transaction():
            add_mail("account_erased", user_id=None, email="ada@example.org")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert db.session.scalars(select(Mail)).all() == []


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://papers.example.org:8443", "papers.example.org"),
        ("https://[2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("http://127.0.0.1:8000", "[127.0.0.1]"),
        ("https://m\u00fcnchen.example", "xn--mnchen-3ya.example"),
        (f"https://{'a' * 63}.example", "portal.invalid"),
    ],
)
def test_each_mail_has_a_message_id_of_its_own(settings: Settings, base_url: str, host: str) -> None:
    with makers.core(replace(settings, base_url=base_url)):
        add_mail("account_erased", user_id=None, email="ada@example.org")
        assert re.fullmatch(rf"<[0-9a-f]{{32}}@{re.escape(host)}>", the_mail().message_id)
