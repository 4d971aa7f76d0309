"""Categories: for administrators all, for managers theirs; who may see them, in words and in rows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import select

from portal import accounts, catalog
from portal.extensions import db
from portal.models import MANAGE, PUBLISH, Category, Grant
from portal.settings import Settings
from tests import makers
from tests.views.desk import Desk, said, sentence


@dataclass
class World:
    """``firm/tax/2026`` and ``other``; Mia manages ``firm/tax``, Pam only publishes there."""

    app: Flask
    admin: Desk
    manager: Desk
    publisher: Desk
    ids: dict[str, int]

    def path(self, category: str, action: str = "") -> str:
        return f"/admin/categories/{self.ids[category]}{action}"

    def category(self, path: str) -> Category:
        """The category as it stands now."""
        with self.app.app_context():
            return db.session.get_one(Category, self.ids[path])

    def grants(self, path: str) -> list[Grant]:
        """What was given on this very category."""
        with self.app.app_context():
            return list(db.session.scalars(select(Grant).where(Grant.category_id == self.ids[path])))


@pytest.fixture
def world(sqlite_settings: Settings) -> Iterator[World]:
    with makers.running(sqlite_settings) as app:
        with app.app_context():
            paths = ("firm", "firm/tax", "firm/tax/2026", "other")
            shelves = {path: makers.category(path) for path in paths}
            people = makers.person("Ada", is_admin=True), makers.person("Mia"), makers.person("Pam")
            makers.grant(shelves["firm/tax"], user=people[1], permission=MANAGE)
            makers.grant(shelves["firm/tax"], user=people[2], permission=PUBLISH)
            makers.document(shelves["firm/tax"])
            ids = {path: shelf.id for path, shelf in shelves.items()}
            ada, mia, pam = (Desk(app, person) for person in people)
            made = World(app, ada, mia, pam, ids)
        yield made


def text(page: str) -> str:
    """The words of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")).split())


def test_the_tree_shows_what_one_manages_with_counts_that_add_up(world: World) -> None:
    admin, manager = world.admin.read("/admin/categories"), world.manager.read("/admin/categories")

    assert re.findall(r'class="deep-(\d)"><a [^>]*>([^<]+)</a>', admin) == [
        ("0", "firm"),
        ("1", "tax"),
        ("2", "2026"),
        ("0", "other"),
    ]
    assert re.findall(r'class="deep-(\d)"><a [^>]*>([^<]+)</a>', manager) == [("0", "firm/tax"), ("1", "2026")]
    assert "All 1" in text(admin)
    assert "at the top" not in manager
    assert "You manage no category" in world.publisher.read("/admin/categories")


def test_neighbours_whose_names_sort_between_do_not_break_the_tree(world: World) -> None:
    with world.app.app_context():
        makers.category("firm-old")
    page = world.admin.read("/admin/categories")

    assert re.findall(r'class="deep-\d"><a [^>]*>([^<]+)</a>', page.replace("<wbr>", "")) == [
        "firm",
        "tax",
        "2026",
        "firm-old",
        "other",
    ]


def test_what_one_does_not_manage_is_not_there(world: World) -> None:
    actions = ("", "/children", "/move", "/remove", "/grants", "/grants/1/remove")
    nothing = world.manager.client.get("/admin/categories/999")
    for desk, path in ((world.manager, "other"), (world.manager, "firm"), (world.publisher, "firm/tax")):
        answer = desk.client.get(world.path(path))
        assert (answer.status_code, answer.data) == (404, nothing.data)
        desk.read(world.path(path, "/remove"), 404)
        for action in actions:
            assert desk.send(world.path(path, action), name="x").status_code == 404
    assert world.category("other").name == "other"
    assert len(world.grants("firm/tax")) == 2


def test_a_category_below_a_seal_is_not_shown_to_who_manages_above_it(world: World) -> None:
    with world.app.app_context():
        makers.change(catalog.get_category(world.ids["firm/tax/2026"]), is_sealed=True)

    assert "2026" not in text(world.manager.read("/admin/categories"))
    assert "2026" not in text(world.manager.read(world.path("firm/tax")))
    world.manager.read(world.path("firm/tax/2026"), 404)


def test_managers_add_below_and_administrators_at_the_top(world: World) -> None:
    added = world.manager.send(world.path("firm/tax", "/children"), name="2027")
    assert said(world.manager, added) == "The category is added."
    refused = world.manager.send("/admin/categories", name="mine")
    assert refused.status_code == 403
    assert said(world.admin, world.admin.send("/admin/categories", name="new")) == "The category is added."

    with world.app.app_context():
        found = set(db.session.scalars(select(Category.path)))
    assert found == {"firm", "firm/tax", "firm/tax/2026", "firm/tax/2027", "other", "new"}


def test_a_category_can_be_sealed_from_the_start(world: World) -> None:
    answer = world.admin.send(world.path("firm/tax", "/children"), name="board", is_sealed="1")
    assert said(world.admin, answer) == "The category is added."
    assert "It is sealed" in text(world.admin.read(answer.location))
    assert "board" not in world.manager.read("/admin/categories")

    own = world.manager.send(world.path("firm/tax", "/children"), name="mine", is_sealed="1")
    assert said(world.manager, own) == "The category is added."
    assert own.location.startswith("/admin/categories?")


def crumbs(page: str) -> list[tuple[str, str]]:
    """The breadcrumb of a page: address, if it leads anywhere, and words."""
    found = re.findall(r'<ol class="crumbs">(.*?)</ol>', page, re.DOTALL)[0]
    lines = re.findall(r"<li[^>]*>(.*?)</li>", found, re.DOTALL)
    return [(re.findall(r'href="([^"]+)"', line)[0] if "href" in line else "", text(line)) for line in lines]


def test_the_breadcrumb_shows_what_a_category_is_in_and_leads_where_one_may_go(world: World) -> None:
    path = world.path("firm/tax/2026")
    assert crumbs(world.manager.read(path)) == [
        ("/admin/categories", "Categories"),
        ("", "firm"),
        (world.path("firm/tax"), "tax"),
        ("", "2026"),
    ]
    assert crumbs(world.admin.read(f"{path}/remove"))[1:] == [
        (world.path("firm"), "firm"),
        (world.path("firm/tax"), "tax"),
        (path, "2026"),
        ("", "Remove"),
    ]


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("", 422, "A category needs a name."),
        ("..", 422, "“..” has a meaning of its own in addresses. Choose another name."),
        ("download", 422, "“download” has a meaning of its own in addresses. Choose another name."),
        ("a/b", 422, "A category name cannot contain “/”. Make one category inside the other instead."),
        ("x" * 101, 422, "A category name has at most 100 characters."),
        ("a\u2028b", 422, "A category name cannot contain line breaks or other control characters."),
        ("a\x00b", 422, "A text holds characters that cannot be seen. Type it again."),
        ("2026", 409, "There is already a category called 2026 here."),
    ],
)
def test_a_name_that_cannot_be_is_refused_where_it_was_typed(world: World, name: str, status: int, reason: str) -> None:
    answer = world.manager.send(world.path("firm/tax", "/children"), name=name)

    assert answer.status_code == status
    assert sentence(answer) == reason
    assert 'href="#child"' in answer.text
    assert '<input id="name" name="name" type="text" value="tax"' in answer.text


def test_a_category_is_renamed_and_described(world: World) -> None:
    answer = world.admin.send(world.path("firm"), name="house", description="All of it.", is_sealed="1", parent_id="4")

    assert said(world.admin, answer) == "The category is changed."
    firm = world.category("firm")
    assert (firm.path, firm.description, firm.is_sealed, firm.parent_id) == ("house", "All of it.", False, None)
    assert world.category("firm/tax/2026").path == "house/tax/2026"


def test_a_seal_is_closed_and_opened_after_a_page_that_says_who_loses_and_gains(world: World) -> None:
    page = text(world.admin.read(world.path("firm/tax/2026", "/seal")))
    assert "Two people will not see it any more: Mia and Pam ." in page
    assert "Nobody sees it who does not see it now." in page

    answer = world.admin.send(world.path("firm/tax/2026", "/seal"), seal="close")
    assert said(world.admin, answer) == "The category is sealed. What is given further up ends there."
    assert "It is sealed" in text(world.admin.read(world.path("firm/tax/2026")))
    assert "Two people will see it for the first time: Mia and Pam ." in text(
        world.admin.read(world.path("firm/tax/2026", "/seal"))
    )
    world.admin.send(world.path("firm/tax/2026", "/seal"), seal="open")
    assert not world.category("firm/tax/2026").is_sealed


def test_who_seals_themselves_out_is_not_left_on_an_error(world: World) -> None:
    answer = world.manager.send(world.path("firm/tax/2026", "/seal"), seal="close")

    assert said(world.manager, answer) == "The category is sealed. What is given further up ends there."
    assert answer.location.startswith("/admin/categories?")
    world.manager.read(world.path("firm/tax/2026"), 404)


def test_a_category_moves_with_what_is_below_it(world: World) -> None:
    page = world.admin.read(world.path("firm/tax"))
    choice = page[page.index('id="parent"') :].partition("</select>")[0]
    offered = re.findall(r'<option value="(\w+)"[^>]*>', choice)
    assert offered == ["top", str(world.ids["firm"]), str(world.ids["other"])]

    assert said(world.admin, world.admin.send(world.path("firm/tax", "/move"), parent=str(world.ids["other"])))
    assert world.category("firm/tax/2026").path == "other/tax/2026"
    world.admin.send(world.path("firm/tax", "/move"), parent="top")
    assert world.category("firm/tax/2026").path == "tax/2026"


def test_a_category_moves_nowhere_it_cannot_hang(world: World) -> None:
    below = world.admin.send(world.path("firm", "/move"), parent=str(world.ids["firm/tax"]))
    foreign = world.manager.send(world.path("firm/tax/2026", "/move"), parent=str(world.ids["other"]))
    nothing = world.manager.send(world.path("firm/tax/2026", "/move"), parent="999")
    top = world.manager.send(world.path("firm/tax/2026", "/move"), parent="top")
    empty = world.manager.send(world.path("firm/tax/2026", "/move"), parent="")

    assert (below.status_code, sentence(below)) == (409, "A category cannot be moved below itself.")
    assert (foreign.status_code, sentence(foreign)) == (nothing.status_code, sentence(nothing))
    assert (foreign.status_code, top.status_code, empty.status_code) == (404, 403, 422)
    assert world.category("firm/tax/2026").path == "firm/tax/2026"


def test_only_an_empty_category_is_removed(world: World) -> None:
    full = world.manager.send(world.path("firm/tax", "/remove"))
    assert full.status_code == 409
    assert sentence(full) == "Only an empty category can be removed; what is in the trash counts."
    assert "Remove firm/tax/2026 ?" in text(world.manager.read(world.path("firm/tax/2026", "/remove")))

    answer = world.manager.send(world.path("firm/tax/2026", "/remove"))

    assert said(world.manager, answer) == "The category is removed."
    world.admin.read(world.path("firm/tax/2026"), 404)


def test_a_permission_is_given_to_everyone_a_group_or_a_person_and_taken_back(world: World) -> None:
    with world.app.app_context():
        group = makers.group("Clients").id
    path = world.path("firm/tax/2026", "/grants")
    fields = [
        {"whom": "everyone", "permission": "read"},
        {"whom": "group", "group": str(group), "permission": "publish", "expires_at": "2100-01-01T00:00"},
        {"whom": "person", "email": "PAM@example.org", "permission": "manage"},
    ]
    assert [said(world.manager, world.manager.send(path, form)) for form in fields] == [
        "Everyone signed in may read firm/tax/2026 from now on.",
        "The group Clients may read and publish in firm/tax/2026 from now on.",
        "Pam may read, publish in and manage firm/tax/2026 from now on.",
    ]

    page = text(world.manager.read(world.path("firm/tax/2026")))
    assert "Everyone signed in may read. Clients may also publish. Mia and Pam may also publish and manage." in page
    grants = world.grants("firm/tax/2026")
    assert [(grant.is_everyone, grant.permission) for grant in grants] == [(True, 1), (False, 2), (False, 3)]
    world.publisher.read(world.path("firm/tax/2026"))

    for grant in grants:
        answer = world.manager.send(world.path("firm/tax/2026", f"/grants/{grant.id}/remove"))
        assert said(world.manager, answer).startswith("The permission is taken back")
    assert world.grants("firm/tax/2026") == []
    world.publisher.read(world.path("firm/tax/2026"), 404)


def test_the_form_of_a_permission_chooses_nobody_by_itself(world: World) -> None:
    with world.app.app_context():
        makers.group("Clients")
    page = world.manager.read(world.path("firm/tax"))
    form = page[page.index("Let somebody in") : page.index("Give the permission")]

    assert form.count('type="radio"') == 3
    assert " checked" not in form
    assert '<option value="">None</option><option value="1">Clients</option>' in form


def test_a_notice_names_nobody_that_the_address_alone_names(world: World) -> None:
    foreign = world.grants("firm/tax")[0]

    assert "Mia may" not in world.admin.read(f"{world.path('other')}?done=grant-added&given={foreign.id}")


def test_a_second_permission_of_the_same_person_replaces_the_first(world: World) -> None:
    for permission in ("read", "publish"):
        fields = {"whom": "person", "email": "pam@example.org", "permission": permission}
        world.manager.send(world.path("firm/tax/2026", "/grants"), fields)

    assert [grant.permission for grant in world.grants("firm/tax/2026")] == [PUBLISH]


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        (
            {"whom": "everyone", "email": "pam@example.org"},
            422,
            "An email is filled in, but the permission is not for a person. Choose “A person”, or empty the field.",
        ),
        (
            {"whom": "group", "group": "1", "email": "pam@example.org"},
            422,
            "An email is filled in, but the permission is not for a person. Choose “A person”, or empty the field.",
        ),
        (
            {"whom": "person", "group": "1", "email": "pam@example.org"},
            422,
            "A group is chosen, but the permission is not for a group. Choose “A group”, or empty the field.",
        ),
        ({"whom": ""}, 422, "Choose one of what is offered here."),
        ({"whom": "everybody"}, 422, "Choose one of what is offered here."),
        ({"permission": "own"}, 422, "Choose one of what is offered here."),
        ({"whom": "group", "group": ""}, 422, "Something has to be chosen here."),
        ({"whom": "group", "group": "999"}, 404, "There is no such group."),
        ({"whom": "group", "group": "9" * 23}, 422, "This is not a whole number above zero."),
        (
            {"whom": "person", "email": "x@y.example"},
            404,
            "There is no account with this address. An administrator can add the person.",
        ),
        ({"expires_at": "soon"}, 422, "This is not a date and time."),
    ],
)
def test_a_permission_that_cannot_be_is_not_given(
    world: World, fields: dict[str, str], status: int, reason: str
) -> None:
    form = {"whom": "everyone", "permission": "read", "email": "", "expires_at": "2100-01-01T00:00"} | fields
    answer = world.manager.send(world.path("firm/tax/2026", "/grants"), form)

    assert answer.status_code == status
    assert sentence(answer) == reason
    assert f'value="{form["email"]}"' in answer.text
    assert f'value="{form["expires_at"]}"' in answer.text
    assert world.grants("firm/tax/2026") == []


def test_a_permission_is_taken_back_only_where_it_was_given(world: World) -> None:
    inherited = world.grants("firm/tax")[1]
    answer = world.manager.send(world.path("firm/tax/2026", f"/grants/{inherited.id}/remove"))

    assert answer.status_code == 404
    assert len(world.grants("firm/tax")) == 2


def test_inherited_permissions_say_where_they_come_from(world: World) -> None:
    with world.app.app_context():
        makers.grant(catalog.get_category(world.ids["firm"]), group=makers.group("Staff"), permission=PUBLISH)
        over = makers.grant(catalog.get_category(world.ids["firm"]), everyone=True)
        makers.change(over, expires_at=makers.now(days=-1))
        accounts.disable_user(None, makers.person("Dan").id)
    page = text(world.manager.read(world.path("firm/tax/2026")))

    assert "Staff Group May publish firm –" in page
    assert "Pam pam@example.org May publish firm/tax" in page
    assert "Everyone signed in May read firm over since" in page
    assert "Pam and Staff may also publish." in page
    assert "may read." not in page
    assert 'href="/admin/categories/1"' not in world.manager.read(world.path("firm/tax/2026"))


def test_a_seal_hides_what_comes_from_above(world: World) -> None:
    with world.app.app_context():
        makers.change(catalog.get_category(world.ids["firm/tax/2026"]), is_sealed=True)

    assert "Nobody but administrators." in text(world.admin.read(world.path("firm/tax/2026")))


@pytest.mark.parametrize(
    ("fields", "whom"),
    [({"group": "1"}, "The group Clients"), ({"email": "pam@example.org", "group": ""}, "Pam")],
)
def test_a_group_or_an_email_alone_says_whom_a_permission_is_for(
    world: World, fields: dict[str, str], whom: str
) -> None:
    with world.app.app_context():
        assert makers.group("Clients").id == 1
    path = world.path("firm/tax/2026", "/grants")
    assert "required" not in re.findall(r'<input type="radio" name="whom"[^>]*>', world.manager.read(path[:-7]))[0]

    answer = world.manager.send(path, {"permission": "read"} | fields)

    assert said(world.manager, answer) == f"{whom} may read firm/tax/2026 from now on."


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"group": "", "email": ""}, "Choose a group, type the email of a person, or choose everyone signed in."),
        ({"group": "1", "email": "pam@example.org"}, "A group is chosen and an email is filled in."),
    ],
)
def test_neither_or_both_give_no_permission(world: World, fields: dict[str, str], reason: str) -> None:
    answer = world.manager.send(world.path("firm/tax/2026", "/grants"), {"permission": "read"} | fields)

    assert answer.status_code == 422
    assert sentence(answer).startswith(reason)
    assert world.grants("firm/tax/2026") == []


def test_a_page_says_what_a_move_comes_to_and_changes_nothing(world: World) -> None:
    page = text(world.admin.read(world.path("firm/tax", f"/move?parent={world.ids['other']}")))

    assert "Move firm / tax into other ?" in page
    assert "One document and one category below it go with it." in page
    assert "Nothing changes: the same people see it" in page
    assert world.category("firm/tax").path == "firm/tax"
    assert "Move firm / tax to the top?" in text(world.admin.read(world.path("firm/tax", "/move?parent=top")))
    for parent, status in (("", 422), ("x", 422), (str(world.ids["other"]), 404)):
        world.manager.read(world.path("firm/tax/2026", f"/move?parent={parent}"), status)


def test_a_page_says_what_merging_comes_to_before_it_is_done(world: World) -> None:
    with world.app.app_context():
        makers.document(makers.category("firm/tax"), "same.pdf", b"%PDF-1.7 one")
        makers.document(makers.category("other"), "same.pdf", b"%PDF-1.7 two")
        makers.category("other/2026")
        makers.grant(makers.category("other"), group=makers.group("Clients", makers.person("Cleo")))
    page = text(world.admin.read(world.path("firm/tax", f"/merge?into={world.ids['other']}")))

    assert "Merge firm / tax into other ?" in page
    assert "firm / tax / 2026 and other / 2026" in page
    assert "same.pdf becomes same (2).pdf" in page
    assert "two permissions that were given on what merges" in page
    assert "One person will see it for the first time: Cleo ." in page
    assert "Two people will not see it any more: Mia and Pam ." in page
    answer = world.admin.send(world.path("firm/tax", "/merge"), into=str(world.ids["other"]))
    assert said(world.admin, answer).startswith("The two are one category now.")
    assert world.admin.client.get("/categories/firm/tax").location == "/categories/other"


def test_what_cannot_be_merged_says_why_where_it_was_chosen(world: World) -> None:
    for into, status in (("", 422), (str(world.ids["firm/tax/2026"]), 409), ("999", 404)):
        world.admin.read(world.path("firm/tax", f"/merge?into={into}"), status)
        assert world.admin.send(world.path("firm/tax", "/merge"), into=into).status_code == status
    assert world.manager.send(world.path("firm/tax", "/merge"), into=str(world.ids["other"])).status_code == 404


def test_a_category_goes_into_the_trash_and_comes_back_from_there(world: World) -> None:
    page = text(world.manager.read(world.path("firm/tax", "/trash")))
    assert "One document and one category below it go with it." in page
    answer = world.manager.send(world.path("firm/tax", "/trash"))
    assert said(world.manager, answer).startswith("The category is in the trash")
    world.manager.read(world.path("firm/tax"), 404)
    assert "firm / tax" not in text(world.publisher.read("/admin/", 404))

    assert "firm / tax With one document and one category below it. Since" in text(world.manager.read("/admin/trash"))
    answer = world.manager.send(f"/admin/trash/categories/{world.ids['firm/tax']}/restore")
    assert said(world.manager, answer).startswith("The category is back from the trash")
    assert "The trash is empty" in world.manager.read("/admin/trash")
    assert world.manager.send(f"/admin/trash/categories/{world.ids['firm/tax']}/restore").status_code == 404


@pytest.fixture
def sealed(world: World) -> World:
    """The same with ``firm/tax/2026`` sealed against Mia, and a second document in it."""
    with world.app.app_context():
        inner = makers.category("firm/tax/2026", is_sealed=True)
        makers.document(inner, "secret.pdf")
    return world


def test_what_is_sealed_below_is_not_counted_for_who_cannot_trash_it(sealed: World) -> None:
    page = sealed.manager.read(sealed.path("firm/tax", "/trash"), 409)
    answer = sealed.manager.send(sealed.path("firm/tax", "/trash"))

    assert (answer.status_code, sentence(answer)) == (
        409,
        "Something below this category is sealed, and not yours to manage. Ask an administrator.",
    )
    assert sentence(answer) in page
    for words in (text(page), text(answer.text)):
        assert "two documents" not in words.lower()
        assert "one category below it" not in words.lower()
    assert "Two documents and one category below it go with it." in text(
        sealed.admin.read(sealed.path("firm/tax", "/trash"))
    )


def test_a_move_counts_for_its_maker_what_is_theirs(sealed: World) -> None:
    with sealed.app.app_context():
        catalog.add_grant(None, sealed.ids["other"], catalog.Principal(user_id=2), "manage")
    path = sealed.path("firm/tax", f"/move?parent={sealed.ids['other']}")

    assert "One document goes with it." in text(sealed.manager.read(path))
    assert "Two documents and one category below it go with it." in text(sealed.admin.read(path))


def test_a_move_that_cannot_be_is_refused_before_it_is_asked_about(world: World) -> None:
    with world.app.app_context():
        makers.category("other/tax")
    for path, parent in (("firm", "firm"), ("firm", "firm/tax"), ("firm/tax", "other")):
        page = world.admin.read(world.path(path, f"/move?parent={world.ids[parent]}"), 409)
        assert sentence(world.admin.send(world.path(path, "/move"), parent=str(world.ids[parent]))) in page


def test_rules_for_new_documents_are_saved_shown_and_told_on_the_page_to_upload(world: World) -> None:
    rules = {"takes": "these", "types": ".PDF, docx", "expires": "after", "expiry_days": "30"}
    answer = world.admin.send(world.path("firm", "/rules"), rules)
    assert said(world.admin, answer) == "The category is changed."

    page = text(world.admin.read(world.path("firm/tax")))
    assert "Taken are DOCX, PDF. A new document expires 30 days after it is published" in page
    offered = text(world.admin.read("/admin/upload"))
    assert "firm/tax (only DOCX, PDF; expires 30 days after it is published)" in offered
    refused = world.admin.send("/admin/upload", category="firm/tax", files=[("a.txt", b"text")])
    assert refused.status_code == 415
    assert sentence(refused) == "a.txt is of a type that this category does not take. Taken are: DOCX, PDF."
    world.admin.send(world.path("firm", "/rules"), takes="these", types="htm")
    assert world.admin.send("/admin/upload", category="firm/tax", files=[("a.html", b"text")]).status_code == 200
    world.admin.send(world.path("firm", "/rules"), takes="inherit", expires="never")
    assert (world.category("firm").allowed_types, world.category("firm").expiry_days) == (None, 0)


@pytest.mark.parametrize(
    "rules",
    [
        {"takes": "these", "types": " "},
        {"takes": "these", "types": "a/b"},
        {"takes": "some"},
        {"expires": "after", "expiry_days": ""},
        {"expires": "after", "expiry_days": "-1"},
        {"expires": "after", "expiry_days": "99999"},
    ],
)
def test_rules_that_cannot_be_are_refused_where_they_were_typed(world: World, rules: dict[str, str]) -> None:
    refused = world.admin.send(world.path("firm", "/rules"), rules)

    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text


def test_fields_are_added_changed_put_in_order_and_removed(world: World) -> None:
    fields = world.path("firm", "/fields")
    assert said(world.admin, world.admin.send(fields, name="Number", kind="number")).startswith("The field is added.")
    world.admin.send(fields, name="Year", kind="choice", choices="2025\r\n2026\r\n")
    assert "Year A choice 2025, 2026 here" in text(world.admin.read(fields))
    world.admin.send(f"{fields}/2", name="Tax year", choices="2026")
    world.admin.send(f"{fields}/2/move", way="up")
    page = text(world.admin.read(fields))
    assert page.index("Tax year") < page.index("Number A number")
    assert "Number A number firm" in text(world.manager.read(world.path("firm/tax", "/fields")))
    answer = world.admin.send(f"{fields}/2/remove")
    assert said(world.admin, answer) == "The field is removed. What was written into it is kept."

    refused = world.manager.send(world.path("firm/tax", "/fields"), name="number", kind="text")
    assert (refused.status_code, sentence(refused)) == (
        409,
        "There is already a field called number here or further up.",
    )
    world.admin.read(f"{fields}/2", 404)
    world.admin.read(world.path("firm/tax", "/fields/1"), 404)
    world.manager.read(fields, 404)
