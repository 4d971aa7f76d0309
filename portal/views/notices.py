"""What a page says after something was done: a word in its address stands for a sentence of ours, without a cookie."""

from typing import Any

from flask import Flask, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

SENTENCES = {
    "account-changed": "The account is changed.",
    "account-disabled": "The account is disabled. Its sessions, tokens and one-time addresses open nothing any more.",
    "account-enabled": "The account is open again, with the password it had.",
    "app-removed": "The app is removed. Its codes open nothing any more.",
    "app-replaced": "The other app is set up. The one before opens nothing any more.",
    "bulk-dropped": "All documents stay as they are.",
    "category-added": "The category is added.",
    "category-changed": "The category is changed.",
    "category-merged": "The two are one category now. Old addresses lead to it, and links to documents go on.",
    "category-moved": "The category is moved. Its old addresses lead on to it.",
    "category-removed": "The category is removed.",
    "category-restored": "The category is back from the trash, with what went there with it.",
    "category-sealed": "The category is sealed. What is given further up ends there.",
    "category-trashed": "The category is in the trash, with all that is in it. You can bring it back from here.",
    "category-unsealed": "The seal is open. What is given further up counts there, too.",
    "distribution-dropped": "The distribution is cancelled. Nobody was given anything.",
    "document-changed": "The changes are saved.",
    "document-moved": "The document is moved. Its links still lead to it.",
    "document-published": "The document is out. Readers see it from now on.",
    "document-restored": "The document is back from the trash.",
    "document-trashed": "The document is in the trash. You can bring it back from here.",
    "field-added": "The field is added. Documents here and below can be given a value.",
    "field-changed": "The field is changed.",
    "field-moved": "The order is changed.",
    "field-removed": "The field is removed. What was written into it is kept.",
    "followed": "You follow this category. What comes out in it is told in one mail a day at most.",
    "followed-without-mail": (
        "You follow this category. This portal sends no mails yet: once it does, what comes out in it is told in one a"
        " day at most."
    ),
    "unfollowed": "You do not follow this category any more.",
    "grant-added": "The permission is given.",
    "grant-removed": "The permission is taken back, from this moment on.",
    "group-added": "The group is added.",
    "group-changed": "The group has its new name.",
    "group-joined": "The group has more people now.",
    "group-left": "One person less is in the group.",
    "factors-reset": "Their second factors are removed, and every session of theirs has ended.",
    "group-asks": "The group asks for a second factor now. Sessions of its people without one have ended.",
    "group-asks-not": "The group asks for no second factor any more.",
    "rule-changed": "The rule is changed. Sessions that do not keep to it have ended.",
    "group-removed": "The group is removed. Its people still have their accounts.",
    "identity-linked": "The two accounts are linked. You can sign in with either from now on.",
    "identity-removed": "The link is removed. Nobody signs in by it any more.",
    "link-changed": "The link is changed. Its address is the same.",
    "link-revoked": "The link is revoked. It lets nobody in any more.",
    "email-asked": "A mail is on its way to the new address: confirm it there within a day. Nothing is changed yet.",
    "email-changed": "Your address is changed. You sign in with the new one; everywhere else you were signed out.",
    "email-confirmed": "Your address is changed. Sign in with the new one.",
    "mail-dropped": "The mail is not sent. What it said is gone.",
    "mail-retried": "The mail is tried again now.",
    "mails-retried": "Every mail that was not taken is tried again now.",
    "nobody-new": "They were in the group already; nothing changed.",
    "others-ended": "Every other browser is signed out.",
    "passkey-added": "The passkey is added. You can sign in with it from now on, without a password.",
    "passkey-removed": "The passkey is removed. Take it out of your device too: it is still offered there.",
    "passkey-renamed": "The passkey has its new name.",
    "password-changed": "Your password is changed. You stay signed in here; everywhere else you were signed out.",
    "password-set": "Your password is set.",
    "person-erased": "The person is erased. What they did stays, without their name.",
    "profile-changed": "Your name and time zone are saved.",
    "proved": "You have proved who you are. Nothing was changed yet: do it again.",
    "quota-changed": "The quota is changed. What is there already stays.",
    "request-changed": "The link is changed. Its address is the same.",
    "request-reviewed": "It is marked as reviewed.",
    "request-revoked": "The link is revoked. It takes no more files; what came stays.",
    "reset-asked": "If this address has an account, a mail is on its way. What it holds works once, within an hour.",
    "scan-released": "It is released. Whoever may read it gets it again.",
    "search-changed": "The search is changed.",
    "search-removed": "The search is removed.",
    "search-saved": "The search is saved. Here is what it finds anew, whenever you come back.",
    "session-ended": "That browser is signed out.",
    "sessions-ended": "All sessions of this person have ended.",
    "token-revoked": "The token is revoked. It opens nothing any more.",
    "tokens-revoked": "All tokens of this person are revoked.",
    "version-added": "The new version is out. People download it from now on.",
    "version-known": "These are the bytes the document already has. No version was added.",
    "version-restored": "The older version is the newest now. People download it from now on.",
    "viewing-stopped": "You see the portal as yourself again.",
}


def init_app(app: Flask) -> None:
    """``done_sentence`` for every template: the sentence the address asks for, or "" for none or one we do not know."""
    app.context_processor(common)


def common() -> dict[str, Any]:
    """What every template may use."""
    return {"done_sentence": SENTENCES.get(request.args.get("done", ""), "")}


def done(word: str, endpoint: str, **values: Any) -> AnyResponse:
    """On to a page that says what was done."""
    if word not in SENTENCES:
        raise LookupError(f"there is no sentence for {word}")
    return redirect(url_for(endpoint, **values, done=word), 303)
