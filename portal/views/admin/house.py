"""The frame of the pages for publishers and administrators, and their forms when they are shown again."""

from typing import Any

from flask import Response, render_template, request

from portal import access, addresses
from portal.errors import PortalError
from portal.views.guard import person
from portal.views.pages import answer
from portal.views.requests import base_url


class Form:
    """One form of a page: as it was when the page was made, or as it was typed when it was refused."""

    def __init__(self, problem: PortalError | None) -> None:
        self.problem = problem

    def value(self, name: str, stored: object = "") -> object:
        """What stands in a field."""
        return request.form.get(name, "") if self.problem else stored

    def is_ticked(self, name: str, stored: bool = False, value: str = "1") -> bool:
        """Whether a box is ticked; of several with one name, the one with this value."""
        return value in request.form.getlist(name) if self.problem else stored

    def wrong(self, name: str) -> str:
        """The sentence under a field; "" for one that is well."""
        return self.problem.sentence if self.problem and self.problem.field == name else ""


def show(template: str, *, problem: PortalError | None = None, **values: Any) -> Response:
    """A page of the house. With a ``problem`` the form it came from is shown again, with the status of the problem."""
    who = person()

    def form(endpoint: str) -> Form:
        return Form(problem if request.endpoint == endpoint else None)

    page = render_template(template, who=who, manages=access.manages_somewhere(who), form=form, **values)
    return answer(page, problem)


def share_address(token: str) -> str:
    """The absolute address of a share link."""
    return addresses.share_address(base_url(), token)


def request_address(token: str) -> str:
    """The absolute address of a file request."""
    return addresses.request_address(base_url(), token)


def setup_address(token: str) -> str:
    """The absolute address of a one-time token."""
    return addresses.setup_address(base_url(), token)
