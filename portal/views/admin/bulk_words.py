"""What an edit of many documents does, in words: one sentence for each of its changes."""

from collections.abc import Iterator

from markupsafe import Markup

from portal import accounts, catalog
from portal.catalog import bulk_edits
from portal.catalog.bulk_edits import Changes
from portal.errors import CategoryNotFound, UserNotFound
from portal.views.pages import breakable, full_moment, plural

NAME = Markup('<b dir="auto">{}</b>')
SENTENCES = {
    "trash": (
        Markup("They go into the trash. Readers do not see them any more, and their links lead nowhere."),
        Markup("They went into the trash."),
    ),
    "back": (
        Markup("They come back from the trash to where they were."),
        Markup("They came back from the trash to where they were."),
    ),
    "nowhere": (
        Markup("They go to a category that is not there any more."),
        Markup("They went to a category that is not there any more."),
    ),
    "category": (
        Markup("They go to {}. Who may see it decides who sees them."),
        Markup("They went to {}."),
    ),
    "tag": (Markup("They get the tag {}."), Markup("They got the tag {}.")),
    "tags": (Markup("They get the tags {}."), Markup("They got the tags {}.")),
    "no tag": (Markup("They lose the tag {}."), Markup("They lost the tag {}.")),
    "no tags": (Markup("They lose the tags {}."), Markup("They lost the tags {}.")),
    "emptied": (Markup("Their field {} is emptied."), Markup("Their field {} was emptied.")),
    "field": (Markup("Their field {} says {}."), Markup("Their field {} was made to say {}.")),
    "nobody": (
        Markup("Nobody is named any more as responsible for them."),
        Markup("Nobody was named any more as responsible for them."),
    ),
    "person": (Markup("{} is responsible for them."), Markup("{} became responsible for them.")),
    "now": (
        Markup("Readers see them from now on. Those that are out already keep their date."),
        Markup("Readers saw them from then on. Those that were out already kept their date."),
    ),
    "draft": (
        Markup("They are drafts again: readers do not see them."),
        Markup("They became drafts again."),
    ),
    "at": (Markup("Readers see them from {} on."), Markup("It was said that readers see them from {} on.")),
    "never": (Markup("Readers see them without an end."), Markup("Their end was taken away.")),
    "until": (Markup("Readers see them until {}."), Markup("It was said that readers see them until {}.")),
}
"""What is going to be done, and what was done once it is over."""

Said = tuple[str, tuple[Markup, ...]]
"""Which sentence, and what stands in it."""


def sentences_of(changes: Changes, *, is_over: bool = False) -> list[Markup]:
    """A sentence for each change, about documents: “They go to reports / 2018”, or once it is over: “They went”."""
    return [SENTENCES[name][is_over].format(*words) for name, words in _said(changes)]


def verb_of(changes: Changes) -> str:
    """What the button that begins it says before and after the number of documents."""
    return {"trash": "Put {} into the trash", "back": "Bring {} back"}.get(changes.place, "Change {}")


def _said(changes: Changes) -> Iterator[Said]:
    if changes.place:
        yield changes.place, ()
    if changes.category_id is not None:
        yield _category(changes.category_id)
    for sign, names in (("", changes.add_tags), ("no ", changes.remove_tags)):
        if names:
            list_ = Markup(", ").join(NAME.format(breakable(name)) for name in names)
            yield f"{sign}{plural(len(names), 'tag', 'tags')}", (list_,)
    if changes.field_id is not None:
        yield _field(changes.field_id, changes.field_value)
    if changes.asked == "nobody":
        yield "nobody", ()
    elif changes.responsible_id is not None:
        yield "person", (_person(changes.responsible_id),)
    if changes.visible:
        yield changes.visible, (full_moment(changes.published_at),)
    if changes.ends:
        yield ("never", ()) if changes.ends == "never" else ("until", (full_moment(changes.expires_at),))


def _category(category_id: int) -> Said:
    try:
        path = catalog.get_category(category_id).path
    except CategoryNotFound:
        return "nowhere", ()
    return "category", (NAME.format(breakable(path.replace("/", " / "))),)


def _field(field_id: int, value: str) -> Said:
    name = NAME.format(breakable(bulk_edits.name_of(field_id)))
    return ("field", (name, NAME.format(breakable(value)))) if value else ("emptied", (name,))


def _person(user_id: int) -> Markup:
    try:
        name = accounts.get_user(user_id).name
    except UserNotFound:
        name = accounts.erased_name(user_id)
    return NAME.format(breakable(name))
