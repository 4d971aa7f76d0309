"""The log in words: one sentence for each action the core writes down."""

from datetime import datetime

from flask import url_for
from markupsafe import Markup

from portal.accounts import erased_name
from portal.audit import EventRow, Named
from portal.models import AuditEvent
from portal.views.pages import full_moment

SENTENCES = {
    "access.denied": "{who} asked for a page that is not theirs",
    "blob.damaged": "{who} found the content of {thing} damaged; nobody gets it until it is right again",
    "blob.healed": "{who} found the content of {thing} right again",
    "blob.removed": "{who} removed damaged content that no document used any more",
    "app.added": "{who} set up an app that shows codes",
    "app.removed": "The app of {whom} that shows codes was removed",
    "app.replaced": "{who} set up another app that shows codes",
    "category.added": "{who} added the category {thing}",
    "category.changed": "{who} changed the category {thing}{before}",
    "category.moved": "{who} moved the category {thing}{before}",
    "category.removed": "{who} removed the category {thing}",
    "category.sealed": "{who} sealed {thing}: permissions from above end there",
    "category.unsealed": "{who} opened the seal of {thing}",
    "document.added": "{who} added {thing}",
    "document.changed": "{who} changed what is said about {thing}",
    "document.end_removed": "{who} let readers see {thing} without an end",
    "document.end_set": "{who} let readers see {thing} only until {at}",
    "document.moved": "{who} moved {thing} from {source} to {target}",
    "document.published": "{who} published {thing}",
    "document.purged": "{who} removed the bytes of {thing} for good after its time in the trash",
    "document.restored": "{who} brought {thing} back from the trash",
    "document.scheduled": "{who} scheduled {thing} for {at}",
    "document.trashed": "{who} put {thing} into the trash",
    "document.withdrawn": "{who} made {thing} a draft: readers do not see it",
    "grant.added": "{who} gave {whom} permission to {permission} {thing}",
    "grant.removed": "{who} took permission for {thing} from {whom}",
    "group.added": "{who} added the group {thing}",
    "group.asks": "{who} asks everybody in the group {thing} for a second factor",
    "group.asks_not": "{who} asks nobody in the group {thing} for a second factor any more",
    "group.changed": "{who} renamed a group; it is {thing} now",
    "group.joined": "{who} put {whom} into the group {thing}",
    "group.left": "{who} took {whom} out of the group {thing}",
    "group.removed": "{who} removed the group {thing}",
    "identity.linked": "{who} linked the account of {whom} with one at {provider}",
    "identity.removed": "{who} removed the link of {whom} with an account at {provider}",
    "factor.reset": "{who} removed the second factors of {whom}",
    "log.exported": "{who} exported the log, or a part of it",
    "mail.all_retried": "{who} had {count} that no server took tried again",
    "mail.dropped": "{who} decided not to send a mail to {whom}",
    "mail.retried": "{who} had a mail to {whom} tried again",
    "pack.added": "{who} chose documents to download as {thing}.zip",
    "passkey.added": "{who} added a passkey",
    "passkey.copied": "A passkey of {whom} was refused: it counted back, so somebody may have a copy of it",
    "passkey.removed": "{who} removed a passkey",
    "passkey.renamed": "{who} renamed a passkey",
    "people.exported": "{who} took the list of all people",
    "portal.restored": "{who} restored the portal from a backup",
    "recovery.issued": "{who} got new recovery codes",
    "recovery.used": "{who} used a recovery code",
    "rule.changed": "{who} changed of whom a second factor is asked: {of}",
    "session.all_ended": "{who} signed {whom} out everywhere",
    "session.confirmed": "{who} proved once more who they are",
    "session.ended": "{who} signed out",
    "session.others_ended": "{who} ended all other sessions of their own",
    "session.refused": "A sign-in as {whom} was refused",
    "session.started": "{who} signed in",
    "share.added": "{who} made {link} to {thing}",
    "share.changed": "{who} changed {link} to {thing}",
    "share.refunded": "A download of {thing} that never began was given back to {link}",
    "share.revoked": "{who} revoked {link} to {thing}",
    "share.used": "Somebody with {link} took a download of {thing}",
    "source.damaged": "{who} found the file of {thing} damaged; nobody gets it until it is right again",
    "source.healed": "{who} found the file of {thing} right again",
    "token.added": "{who} made a token for programs of {whom}: {scopes}, {days} days",
    "token.issued": "{who} made {address}",
    "token.revoked": "{who} revoked a token for programs of {whom}: {scopes}",
    "user.added": "{who} added {whom}{role}",
    "user.changed": "{who} changed the account of {whom}{role}",
    "user.disabled": "{who} disabled the account of {whom}",
    "user.email_asked": "{who} asked to change their address",
    "user.email_changed": "{who} changed the address of {whom}",
    "user.enabled": "{who} opened the account of {whom} again",
    "user.erased": "{who} erased {whom} for good",
    "user.password_changed": "{who} set the password of {whom}",
    "user.profile_changed": "{who} changed their own name or time zone",
    "version.added": "{who} published version {number} of {thing}",
    "view.ended": "{who} stopped seeing the portal as {whom}",
    "view.started": "{who} began to see the portal as {whom}",
}
"""``who`` did it, to ``thing``, which is named as it was called then; ``whom`` is a person, a group or everyone."""

CHOICES = {
    "access.denied": "Page refused",
    "blob.damaged": "Content found damaged",
    "blob.healed": "Content right again",
    "blob.removed": "Damaged content removed",
    "app.added": "App set up",
    "app.removed": "App removed",
    "app.replaced": "App replaced",
    "category.added": "Category added",
    "category.changed": "Category changed",
    "category.moved": "Category moved",
    "category.removed": "Category removed",
    "category.sealed": "Category sealed",
    "category.unsealed": "Seal of a category opened",
    "document.added": "Document added",
    "document.changed": "Document changed",
    "document.end_removed": "End of a document taken away",
    "document.end_set": "End of a document set",
    "document.moved": "Document moved",
    "document.published": "Document published",
    "document.purged": "Document gone for good",
    "document.restored": "Document back from the trash",
    "document.scheduled": "Document scheduled",
    "document.trashed": "Document put into the trash",
    "document.withdrawn": "Document made a draft",
    "grant.added": "Permission given",
    "grant.removed": "Permission taken back",
    "group.added": "Group added",
    "group.asks": "Group asks for a second factor",
    "group.asks_not": "Group asks for no second factor",
    "group.changed": "Group renamed",
    "group.joined": "Person put into a group",
    "group.left": "Person taken out of a group",
    "group.removed": "Group removed",
    "identity.linked": "Account linked with a provider",
    "identity.removed": "Link with a provider removed",
    "factor.reset": "Second factors removed",
    "log.exported": "Log exported",
    "mail.all_retried": "All mails tried again",
    "mail.dropped": "Mail not sent",
    "mail.retried": "Mail tried again",
    "pack.added": "Documents chosen for a zip",
    "passkey.added": "Passkey added",
    "passkey.copied": "Passkey refused as a copy",
    "passkey.removed": "Passkey removed",
    "passkey.renamed": "Passkey renamed",
    "people.exported": "List of people taken",
    "portal.restored": "Portal restored from a backup",
    "recovery.issued": "Recovery codes made",
    "recovery.used": "Recovery code used",
    "rule.changed": "Rule for second factors changed",
    "session.all_ended": "Person signed out everywhere",
    "session.confirmed": "Proved once more who they are",
    "session.ended": "Sign-out",
    "session.others_ended": "Sign-out of all other browsers",
    "session.refused": "Sign-in refused",
    "session.started": "Sign-in",
    "share.added": "Link made",
    "share.changed": "Link changed",
    "share.refunded": "Download given back to a link",
    "share.revoked": "Link revoked",
    "share.used": "Link used",
    "source.damaged": "File in place found damaged",
    "source.healed": "File in place right again",
    "token.added": "Token for programs made",
    "token.issued": "One-time address made",
    "token.revoked": "Token for programs revoked",
    "user.added": "Account added",
    "user.changed": "Account changed",
    "user.disabled": "Account disabled",
    "user.email_asked": "Change of address asked for",
    "user.email_changed": "Address of an account changed",
    "user.enabled": "Account enabled",
    "user.erased": "Person erased",
    "user.password_changed": "Password set",
    "user.profile_changed": "Own name or time zone changed",
    "version.added": "Version published",
    "view.ended": "Portal seen as somebody else: end",
    "view.started": "Portal seen as somebody else: begin",
}
"""What the choice on the page of the log calls each action."""
GROUPS: dict[str, tuple[str, set[str]]] = {
    "accounts": ("Accounts", {"user", "token", "identity", "passkey", "app", "recovery", "factor"}),
    "sign-ins": ("Sign-ins and refusals", {"session", "access"}),
    "permissions": ("Groups and permissions", {"group", "grant"}),
    "documents": ("Documents", {"document", "version", "pack", "blob", "source"}),
    "categories": ("Categories", {"category"}),
    "links": ("Links", {"share"}),
    "portal": ("The portal", set()),
}
"""What actions are grouped by: the word in the address, the words of the choice, and how the actions begin. Whatever
begins otherwise is about the portal."""
OF_THEIR_OWN = {
    "user.email_changed": "{who} confirmed their new address",
    "identity.linked": "{who} linked their account with one at {provider}",
    "identity.removed": "{who} removed the link of their account with one at {provider}",
    "token.added": "{who} made a token for programs: {scopes}, {days} days",
    "token.revoked": "{who} revoked a token for programs: {scopes}",
    "user.password_changed": "{who} set a new password",
}
"""The same where somebody did it to themselves."""
ADDRESSES = {
    "setup": "the address for the first setup",
    "invitation": "an invitation for {whom}",
    "reset": "an address for a new password for {whom}",
    "email": "an address that confirms the new email of {whom}",
}
"""What a one-time address was made for."""
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
        action=words_of(event.action),
        permission=PERMISSIONS.get(event.details.get("permission", ""), "see"),
        of=event.details.get("of", ""),
        number=event.details.get("number", ""),
        count=_mails(event.details.get("count", 0)),
        provider=event.details.get("provider", ""),
        role=", an administrator" if event.details.get("is_admin") else "",
        address=Markup(ADDRESSES.get(event.details.get("purpose", ""), "an address")).format(whom=whom),  # noqa: S704
        scopes=event.details.get("scopes", "").replace(" ", ", "),
        days=event.details.get("days", ""),
    )
    return said if row.seen is None else Markup(SEEN_AS).format(said, _name(row.seen))  # noqa: S704


def actions_of(group: str) -> list[str]:
    """The actions of a group, by their words."""
    known = set().union(*(beginnings for _, beginnings in GROUPS.values()))

    def belongs(action: str) -> bool:
        noun = action.partition(".")[0]
        return noun in GROUPS[group][1] or (group == "portal" and noun not in known)

    return sorted(filter(belongs, CHOICES), key=lambda action: CHOICES[action])


def _mails(count: int) -> str:
    return "one mail" if count == 1 else f"{count:,} mails"


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
