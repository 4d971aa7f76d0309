"""Why somebody may see a document or a category, or may not; and who may: for those who may publish there."""

from dataclasses import dataclass

from flask import Blueprint, Response, request

from portal import access, accounts, catalog
from portal.catalog import Holder, parse_ref
from portal.errors import NotFound, UserNotFound
from portal.models import MANAGE, PUBLISH, Category, Document, User
from portal.views import forms
from portal.views.admin import house
from portal.views.guard import allow, person

bp = Blueprint("why", __name__, url_prefix="/admin")

QUERY_LENGTH = 200
OFFERED = 12
"""Of more people than this who are called alike, the first are offered."""


@dataclass(frozen=True)
class Subject:
    """What is asked about: a category, or a document in it."""

    category: Category
    document: Document | None
    level: int
    """The permission of who asks; a manager knows which groups have which permission, a publisher need not."""

    @property
    def address(self) -> dict[str, object]:
        """What the address of the page names it by."""
        if self.document is not None:
            return {"document": self.document.uuid}
        return {"category": self.category.id}

    @property
    def document_id(self) -> int | None:
        """Of the document, if it is one."""
        return self.document.id if self.document is not None else None


@bp.get("/why")
@allow("publisher")
def show() -> Response:
    """Why ``?person=`` may see ``?document=`` or ``?category=``; without a person who may, narrowed by ``?q=``."""
    subject = _subject()
    sought = request.args.get("q", "")[:QUERY_LENGTH].strip()
    rows, after = _people(subject, sought)
    user = _person(subject) or (rows[0].user if sought and len(rows) == 1 else None)
    return house.show(
        "admin/why.html",
        subject=subject,
        reasons=_explain(subject, user) if user is not None else None,
        names_groups=subject.level >= MANAGE,
        rows=rows,
        after=after,
        sought=sought,
    )


def _subject() -> Subject:
    """Raises NotFound for what is none, and for whoever may not publish there."""
    document = None
    if "document" in request.args:
        document = catalog.find_document(parse_ref(request.args["document"]))
        category_id = document.category_id if document is not None else access.NO_CATEGORY
    else:
        category_id = forms.query_id("category") or access.NO_CATEGORY
    level = access.permission_on(person(), category_id)
    if category_id == access.NO_CATEGORY or level < PUBLISH:
        raise NotFound
    return Subject(catalog.get_category(category_id), document, level)


def _explain(subject: Subject, user: User) -> catalog.Reasons:
    if subject.document is not None:
        return catalog.explain_document(user, subject.document.id)
    return catalog.explain_category(user, subject.category.id)


def _people(subject: Subject, sought: str) -> tuple[list[Holder], int | None]:
    """Who may see it; of those called as is sought, for an administrator everybody, for others who has that address.

    Who may publish is told of no account but these: the portal has no list of people for them.
    """
    here, after = subject.category.id, forms.query_id("after")
    if not sought:
        return catalog.list_holders(here, subject.document_id, after=after)
    if person().is_admin:
        found = accounts.list_people(sought, limit=OFFERED)
        return [_holder(subject, user) for user in found.people], None
    exact = accounts.find_user(sought)
    if exact is not None and exact.erased_at is None:
        return [_holder(subject, exact)], None
    return catalog.list_holders(here, subject.document_id, query=sought, after=after)


def _holder(subject: Subject, user: User) -> Holder:
    reasons = _explain(subject, user)
    return Holder(user, reasons.level if reasons.may_read else 0)


def _person(subject: Subject) -> User | None:
    """Whom the address names. Raises NotFound for nobody, and where whoever asks may not know of them."""
    user_id = forms.query_id("person")
    if user_id is None:
        return None
    if not person().is_admin and not catalog.is_holder(user_id, subject.category.id, subject.document_id):
        raise UserNotFound
    return accounts.get_user(user_id)
