"""The log in words: one sentence for each action the core writes down."""

from datetime import datetime

from flask import url_for
from markupsafe import Markup

from portal.accounts import erased_name
from portal.audit import EventRow, Named
from portal.models import AuditEvent
from portal.sizes import size_text
from portal.views.admin.wording import ADDRESSES, FACTS, METHODS, OF_THEIR_OWN, SENTENCES
from portal.views.pages import full_moment

SEEN_AS = "{}, while seeing the portal as {}"
"""What is added where an administrator did it who saw the portal as somebody else does."""
UNKNOWN = "{who}: {action} {thing}"
HISTORIES = ("category", "document", "group", "share", "user")
"""Kinds of things the log can be narrowed to."""
NOBODY = {"operator": "The operator", "portal": "The portal", "link": "Somebody with a link"}
PERMISSIONS = {"read": "read", "publish": "publish in", "manage": "manage"}


def sentence(row: EventRow) -> Markup:
    """What happened, with links to the people and to the story of the thing; a new action stands as it is called."""
    event, whom = row.event, _whom(row)
    said = Markup(_pattern(row)).format(  # noqa: S704 - the patterns are ours, and format escapes what it puts in
        who=_name(row.who) if row.who else NOBODY.get(event.actor_kind, "Somebody"),
        whom=whom,
        thing=_thing(row),
        link=_link(row),
        at=_at(event),
        source=_path(event, "from_path"),
        target=_path(event, "to_path"),
        before=Markup(", which was {} before").format(_path(event, "from_path")) if _has_moved(event) else "",
        what=_what(event),
        action=words_of(event.action),
        permission=PERMISSIONS.get(event.details.get("permission", ""), "see"),
        of=event.details.get("of", ""),
        number=event.details.get("number", ""),
        restored=event.details.get("restored", ""),
        count=_mails(event.details.get("count", 0)),
        documents=_documents(event.details.get("count", 0)),
        files=_files(event.details.get("count", 0)),
        provider=event.details.get("provider", ""),
        role=", an administrator" if event.details.get("is_admin") else "",
        means=_means(event),
        address=Markup(ADDRESSES.get(event.details.get("purpose", ""), "an address")).format(whom=whom),  # noqa: S704
        scopes=event.details.get("scopes", "").replace(" ", ", "),
        days=event.details.get("days", ""),
        quota=_quota(event),
        finding=event.details.get("finding", ""),
        field=Markup('<span dir="auto">{}</span>').format(event.details.get("field", "")),
    )
    return said if row.seen is None else Markup(SEEN_AS).format(said, _name(row.seen))  # noqa: S704


def _what(event: AuditEvent) -> Markup:
    """What was said otherwise, after a colon; "" for an event from before the log said what."""
    words = [Markup("{}").format(FACTS.get(name, name)) for name in event.details.get("what", [])]
    words += [Markup('“<span dir="auto">{}</span>”').format(name) for name in event.details.get("fields", [])]
    return Markup(": {}").format(Markup(", ").join(words)) if words else Markup("")


def _quota(event: AuditEvent) -> str:
    quota = event.details.get("quota")
    return "none" if quota is None else size_text(quota)


def _mails(count: int) -> str:
    return "one mail" if count == 1 else f"{count:,} mails"


def _documents(count: int) -> str:
    return "one document" if count == 1 else f"{count:,} documents"


def _files(count: int) -> str:
    return "one file" if count == 1 else f"{count:,} files"


def _means(event: AuditEvent) -> str:
    """What a sign-in was tried with: ``with a password and a recovery code``, after a blank; "" where nobody knows."""
    tried = (METHODS.get(event.details.get(name) or "") for name in ("method", "second_factor"))
    words = " and ".join(word for word in tried if word)
    return f" with {words}" if words else ""


def words_of(action: str) -> str:
    """An action nobody has a sentence for yet: ``comet.seen`` is ``comet seen``."""
    return action.replace(".", " ").replace("_", " ")


def _pattern(row: EventRow) -> str:
    action = row.event.action
    if row.who is not None and row.who == row.whom and action in OF_THEIR_OWN:
        return OF_THEIR_OWN[action]
    return SENTENCES.get(action, UNKNOWN)


def _name(named: Named) -> Markup | str:
    if named.user_id is None:
        return "Somebody whose name was erased"
    href = url_for("people.edit", user_id=named.user_id)
    return Markup('<a class="who" href="{}" dir="auto">{}</a>').format(href, named.name or erased_name(named.user_id))


def _whom(row: EventRow) -> Markup | str:
    details = row.event.details
    if row.whom is not None:
        return _name(row.whom)
    if details.get("everyone"):
        return "everyone"
    if details.get("group") is not None:
        return Markup('the group <span dir="auto">{}</span>').format(details.get("group_name") or details["group"])
    return "an unknown address"


def _link(row: EventRow) -> Markup | str:
    """A link by its name, which leads to its story; one that is not there any more has none."""
    if not row.link:
        return "a link"
    href = url_for("log.show", thing=f"share-{row.event.object_id}")
    return Markup('the link <a href="{}" dir="auto">{}</a>').format(href, row.link)


def _at(event: AuditEvent) -> Markup:
    at = event.details.get("at")
    return full_moment(datetime.fromisoformat(at)) if at else Markup("")


def _path(event: AuditEvent, detail: str) -> Markup | str:
    path = event.details.get(detail)
    return Markup('<span dir="auto">{}</span>').format(path) if path else "another category"


def _has_moved(event: AuditEvent) -> bool:
    return bool(event.details.get("from_path"))


def _thing(row: EventRow) -> Markup:
    """What it was done to, which leads to its story; of a link the document behind it."""
    event = row.event
    label = Markup('<span class="published" dir="auto">{}</span>').format(event.object_label)
    kind, thing_id = event.object_type, event.object_id
    if kind == "share":
        kind, thing_id = "document", event.details.get("document")
    if kind not in HISTORIES or thing_id is None:
        return label if event.object_label else Markup("")
    href = url_for("log.show", thing=f"{kind}-{thing_id}")
    return Markup('<a href="{}">{}</a>').format(href, label if event.object_label else f"a {kind}")
