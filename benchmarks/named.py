"""The portal with one page more, which says who is signed in and nothing else: what finding the person costs."""

from portal import create_app
from portal.views.guard import allow, person

app = create_app()


@app.get("/name")
@allow("signed in")
def name() -> str:
    """The name of the person signed in."""
    return person().name
