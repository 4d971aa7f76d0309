"""What one person reaches, as one statement says it."""

import pytest

from portal.models import PUBLISH, READ
from portal.reach import Reach
from tests.makers import actor, category, document, grant, group, person

pytestmark = pytest.mark.usefixtures("context")


def test_what_is_reached_by_more_than_one_grant_counts_once() -> None:
    somebody = person("Somebody")
    shelf, inner, other = category("shelf"), category("shelf/inner"), category("other")
    for place, filename in ((shelf, "a"), (inner, "b"), (inner, "c"), (other, "d")):
        document(place, filename)
    grant(shelf, user=somebody)
    grant(shelf, everyone=True)
    grant(inner, group=group("Staff", somebody), permission=PUBLISH)

    found = Reach(actor(somebody)).at(READ)

    assert (found.documents, found.highest) == (3, PUBLISH)


def test_whoever_reaches_nothing_has_no_documents_there() -> None:
    document(category("shelf"), "a")

    found = Reach(actor(person("Somebody"))).at(READ)

    assert (found.met, found.highest, found.documents) == (0, 0, 0)
