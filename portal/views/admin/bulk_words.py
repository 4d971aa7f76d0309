"""What an edit of many documents does, in words: one sentence for each of its changes."""

from markupsafe import Markup

from portal import accounts, catalog
from portal.catalog import bulk_edits
from portal.catalog.bulk_edits import Changes
from portal.errors import CategoryNotFound, UserNotFound
from portal.views.pages import breakable, full_moment

NAME = Markup('<b dir="auto">{}</b>')


def sentences_of(changes: Changes) -> list[Markup]:
    """A sentence for each change, about documents: “They go to reports / 2018.”"""
    found = [
        _place(changes),
        _category(changes),
        _tags("They get", changes.add_tags),
        _tags("They lose", changes.remove_tags),
        _field(changes),
        _asked(changes),
        _visible(changes),
        _ends(changes),
    ]
    return [sentence for sentence in found if sentence]


def verb_of(changes: Changes) -> str:
    """What the button that begins it says before and after the number of documents."""
    return {"trash": "Put {} into the trash", "back": "Bring {} back"}.get(changes.place, "Change {}")


def _place(changes: Changes) -> Markup:
    if changes.place == "trash":
        return Markup("They go into the trash. Readers do not see them any more, and their links lead nowhere.")
    return Markup("They come back from the trash to where they were.") if changes.place == "back" else Markup("")


def _category(changes: Changes) -> Markup:
    if changes.category_id is None:
        return Markup("")
    try:
        path = catalog.get_category(changes.category_id).path
    except CategoryNotFound:
        return Markup("They go to a category that is not there any more.")
    name = NAME.format(breakable(path.replace("/", " / ")))
    return Markup("They go to {}. Who may see it decides who sees them.").format(name)


def _tags(words: str, names: tuple[str, ...]) -> Markup:
    if not names:
        return Markup("")
    list_ = Markup(", ").join(NAME.format(breakable(name)) for name in names)
    return Markup("{} the {} {}.").format(words, "tag" if len(names) == 1 else "tags", list_)


def _field(changes: Changes) -> Markup:
    if changes.field_id is None:
        return Markup("")
    name = NAME.format(breakable(bulk_edits.name_of(changes.field_id)))
    if not changes.field_value:
        return Markup("Their field {} is emptied.").format(name)
    return Markup("Their field {} says {}.").format(name, NAME.format(breakable(changes.field_value)))


def _asked(changes: Changes) -> Markup:
    if changes.asked == "nobody":
        return Markup("Nobody is named any more as responsible for them.")
    if changes.responsible_id is None:
        return Markup("")
    try:
        name = accounts.get_user(changes.responsible_id).name
    except UserNotFound:
        name = accounts.erased_name(changes.responsible_id)
    return Markup("{} is responsible for them.").format(NAME.format(breakable(name)))


def _visible(changes: Changes) -> Markup:
    if changes.visible == "now":
        return Markup("Readers see them from now on. Those that are out already keep their date.")
    if changes.visible == "draft":
        return Markup("They are drafts again: readers do not see them.")
    return (
        Markup("Readers see them from {} on.").format(full_moment(changes.published_at))
        if changes.visible
        else Markup("")
    )


def _ends(changes: Changes) -> Markup:
    if changes.ends == "never":
        return Markup("Readers see them without an end.")
    return Markup("Readers see them until {}.").format(full_moment(changes.expires_at)) if changes.ends else Markup("")
