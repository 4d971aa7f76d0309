"""Every form of the house against what nobody should send: a refusal with a sentence, never a failure of ours."""

from collections.abc import Iterator
from itertools import product
from urllib.parse import quote_from_bytes

import pytest
from werkzeug.test import TestResponse

from portal.catalog import add_field, bulk_edits, trash_category, trash_document
from portal.models import READ
from tests import makers
from tests.databases import SqliteTemplate
from tests.views.desk import Desk, left_in_tmp

BLUEPRINTS = {
    "branches",
    "bulk",
    "categories",
    "editing",
    "fields",
    "groups",
    "links",
    "people",
    "quotas",
    "trash",
    "upload",
}
LINK = {"label": "x", "message": "", "expires_at": "", "max_downloads": "", "password": ""}
# Endpoint to what stands for the variable parts of its address, and the fields it reads.
FORMS: dict[str, tuple[dict[str, object], dict[str, str]]] = {
    "bulk.change": (
        {"edit_id": 1},
        {
            "category": "other",
            "add_tags": "a, b",
            "remove_tags": "c",
            "field": "",
            "field_value": "",
            "asked": "person",
            "responsible": "bo@example.org",
            "visible": "at",
            "published_at": "2026-01-01T00:00",
            "ends": "at",
            "expires_at": "2027-01-01T00:00",
        },
    ),
    "bulk.choose": ({}, {"document": "1", "all": "1", "category": "1", "query": "report"}),
    "bulk.drop": ({"edit_id": 2}, {}),
    "bulk.start": ({"edit_id": 1}, {"seal": "x"}),
    "bulk.stop": ({"edit_id": 1}, {}),
    "categories.add": ({"category_id": 1}, {"name": "below"}),
    "categories.add_top": ({}, {"name": "top"}),
    "branches.merge": ({"category_id": 4}, {"into": "5"}),
    "branches.move": ({"category_id": 2}, {"parent": "top"}),
    "branches.seal": ({"category_id": 2}, {"seal": "close"}),
    "branches.trash": ({"category_id": 6}, {}),
    "categories.change": ({"category_id": 1}, {"name": "reports", "description": ""}),
    "categories.change_rules": (
        {"category_id": 1},
        {"takes": "these", "types": "pdf", "expires": "after", "expiry_days": "30"},
    ),
    "categories.grant": (
        {"category_id": 1},
        {"whom": "person", "group": "1", "email": "bo@example.org", "permission": "read", "expires_at": ""},
    ),
    "categories.remove": ({"category_id": 3}, {}),
    "categories.revoke": ({"category_id": 1, "grant_id": 1}, {}),
    "editing.add_link": ({"ref": 1}, LINK),
    "editing.add_version": ({"ref": 1}, {"note": "", "file": ""}),
    "editing.change": (
        {"ref": 1},
        {
            "title": "x",
            "filename": "x.pdf",
            "description": "",
            "visible": "at",
            "published_at": "2026-01-01T00:00",
            "expires_at": "",
        },
    ),
    "editing.move": ({"ref": 1}, {"category": "other"}),
    "editing.publish": ({"ref": 1}, {"from_list": "1"}),
    "editing.trash": ({"ref": 2}, {}),
    "fields.add": ({"category_id": 1}, {"name": "Year", "kind": "choice", "choices": "2025"}),
    "fields.change": ({"category_id": 1, "field_id": 1}, {"name": "Number", "choices": ""}),
    "fields.move": ({"category_id": 1, "field_id": 1}, {"way": "down"}),
    "fields.remove": ({"category_id": 1, "field_id": 2}, {}),
    "groups.add": ({}, {"name": "Board"}),
    "groups.add_members": ({"group_id": 1}, {"emails": "bo@example.org"}),
    "groups.change": ({"group_id": 1}, {"name": "Clients"}),
    "groups.remove": ({"group_id": 2}, {}),
    "groups.remove_member": ({"group_id": 1, "user_id": 2}, {}),
    "links.change": ({"link_id": 1}, {**LINK, "drop_password": "1"}),
    "links.revoke": ({"link_id": 2}, {}),
    "people.add": ({}, {"name": "Zoë", "email": "zoe@example.org", "is_admin": "1", "groups": "1"}),
    "people.change": ({"user_id": 2}, {"name": "Bo", "email": "bo@example.org", "is_admin": "1", "reference": "S-1"}),
    "people.disable": ({"user_id": 3}, {}),
    "people.enable": ({"user_id": 3}, {}),
    "people.end_sessions": ({"user_id": 2}, {}),
    "people.issue_address": ({"user_id": 2}, {}),
    "people.join": ({"user_id": 2}, {"group": "1"}),
    "people.leave": ({"user_id": 2, "group_id": 1}, {}),
    "quotas.change_of_group": ({"group_id": 1}, {"quota": "5 GB"}),
    "quotas.change_of_person": ({"user_id": 2}, {"quota": "5 GB"}),
    "trash.restore_category": ({"category_id": 7}, {}),
    "trash.restore": ({"document_id": 3}, {}),
    "upload.store": ({}, {"category": "other", "title": "", "on_conflict": "version", "draft": "1", "files": ""}),
}
SCRIPT = "<script>alert(1)</script>"
HOSTILE = {
    "empty": b"",
    "blank": b" \t ",
    "huge": b"x" * 30_000,
    "accents": ("e" + "\u0301" * 19_000).encode(),
    "NUL": b"a\x00b",
    "escape": b"\x1b[31m",
    "surrogate": b"\xed\xa0\x80",
    "no UTF-8": b"\xff\xfe",
    "23 digits": b"9" * 23,
    "somebody else's id": b"999999",
    "below zero": b"-1",
    "Arabic digit": "٣".encode(),
    "script": SCRIPT.encode(),
    "bidi": "\u202etxt.exe".encode(),
    "line break": b"a\r\nBcc: x@y.example",
    "path": b"../../etc/passwd",
    "old moment": b"0001-01-01T00:00",
    "late moment": b"9999-12-31T23:59",
}

SOME = 5
"""Of so many hostile values one is tried in every run; each field of a form meets others."""


@pytest.fixture(scope="module")
def desk(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    directory = tmp_path_factory.mktemp("forms")
    settings = makers.settings_for(sqlite_template.copy(directory / "portal.db"), directory)
    with makers.running(settings) as app:
        with app.app_context():
            furnish()
            ada = makers.person("Ada Administrator", is_admin=True)
            for _ in range(2):
                bulk_edits.plan_selected(makers.actor(ada), [1, 2])
            desk = Desk(app, ada)
        yield desk


def furnish() -> None:
    """One thing of every kind, and another for each form that removes one."""
    people = [makers.person(name) for name in ("Root", "Bo", "Chi")]
    shelves = [makers.category(path) for path in ("reports", "other", "empty", "one", "two", "late", "gone")]
    makers.group("Clients", people[1])
    makers.group("Gone")
    makers.grant(shelves[0], user=people[1], permission=READ)
    for name in ("annual.pdf", "minutes.pdf", "old.pdf"):
        document = makers.document(shelves[0], name, name.encode())
        makers.link(document)
    trash_document(None, document.id)
    trash_category(None, shelves[-1].id)
    for name in ("Number", "Due"):
        add_field(None, shelves[0].id, name, "text")


def post(desk: Desk, endpoint: str, fields: dict[str, bytes]) -> TestResponse:
    """Send the fields as these very bytes, whatever they are as text."""
    values, _ = FORMS[endpoint]
    path = desk.app.url_map.bind("localhost").build(endpoint, values, method="POST")
    body = "&".join(f"{name}={quote_from_bytes(value)}" for name, value in fields.items())
    headers = {"X-CSRFToken": desk.token()}
    return desk.client.post(path, data=body, content_type="application/x-www-form-urlencoded", headers=headers)


def test_every_form_of_the_house_is_tried(desk: Desk) -> None:
    posting = {
        rule.endpoint
        for rule in desk.app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] in BLUEPRINTS and "POST" in (rule.methods or ())
    }
    assert posting == set(FORMS)


@pytest.mark.parametrize("every", [SOME, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("endpoint", sorted(FORMS))
def test_what_nobody_should_send_is_refused_with_a_sentence(desk: Desk, endpoint: str, every: int) -> None:
    good = {name: value.encode() for name, value in FORMS[endpoint][1].items()}
    for field, what in list(product([*good, "unknown", "id"], HOSTILE))[::every]:
        answer = post(desk, endpoint, good | {field: HOSTILE[what]})
        told = (endpoint, field, what, answer.status_code)
        assert answer.status_code in (200, 303, 400, 403, 404, 409, 415, 422), told
        assert SCRIPT not in answer.text, told
        assert "Traceback" not in answer.text, told
        is_refused = answer.status_code >= 400
        assert not is_refused or 'class="notice stop"' in answer.text or "<h1>" in answer.text, told
    assert left_in_tmp(desk.app) == []


@pytest.mark.parametrize("endpoint", sorted(FORMS))
def test_a_form_without_any_field_is_no_failure_of_ours(desk: Desk, endpoint: str) -> None:
    assert post(desk, endpoint, {}).status_code < 500


PAGES = (
    "/admin/people?q={}&state={}&after={}",
    "/admin/links?state={}&after={}",
    "/admin/downloads?document={}&person={}&link={}&email={}&state={}&after={}",
    "/admin/log?action={}&email={}&person={}&thing={}&after={}",
    "/admin/bulk?after={}",
    "/admin/trash?q={}&category={}&by={}&from={}&to={}&after={}&done={}",
    "/admin/upload?category={}",
    "/documents/1/links?after={}",
)


@pytest.mark.parametrize("page", PAGES)
def test_what_nobody_should_ask_is_answered_as_if_it_were_not_there(desk: Desk, page: str) -> None:
    for what, value in HOSTILE.items():
        if len(value) > 20_000:
            continue  # the server refuses such an address before we see it
        address = page.format(*[quote_from_bytes(value)] * page.count("{}"))
        answer = desk.client.get(address)
        assert answer.status_code == (404 if what == "NUL" else 200), (page, what)
        assert SCRIPT not in answer.text, (page, what)
