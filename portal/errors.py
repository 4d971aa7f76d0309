"""What can go wrong, as facts. Each knows its HTTP status and a sentence for people; none knows HTTP itself."""

from collections.abc import Sequence


class PortalError(Exception):
    """A refusal with a reason a person can read.

    ``status`` is the HTTP status a front door answers with, ``sentence`` what it says; a sentence given
    to the constructor replaces the one of the class. ``retry_after`` is in seconds, None when waiting does not help.
    ``field`` is the value to mend, by the name the verbs and forms have for it; "" when it is no single one.
    """

    status = 500
    sentence = "Something went wrong on our side. Nothing was changed."
    retry_after: int | None = None

    def __init__(self, sentence: str | None = None, *, retry_after: int | None = None, field: str = "") -> None:
        self.sentence = sentence or type(self).sentence
        self.field = field
        if retry_after is not None:
            self.retry_after = retry_after
        super().__init__(self.sentence)


class BadRequest(PortalError):
    """The request cannot be understood."""

    status = 400
    sentence = "The request is incomplete or mistyped."


class BadInput(PortalError):
    """The request is understood, but a value in it cannot be taken."""

    status = 422
    sentence = "One of the values cannot be used."


class UnknownAddresses(BadInput):
    """Addresses that nobody has an account with; ``addresses`` are all of them as they were written."""

    def __init__(self, addresses: Sequence[str], sentence: str, *, field: str = "") -> None:
        super().__init__(sentence, field=field)
        self.addresses = addresses


class SettingsProblem(PortalError):
    """A setting is missing, unknown or of the wrong kind; the portal does not start."""

    sentence = "A setting is wrong."


class SchemaMismatch(PortalError):
    """The database is older or newer than this program."""

    status = 503
    sentence = "The database does not fit this version of the portal. Run: portal migrate"


class NotFound(PortalError):
    """Unknown, or not for this person: from outside the two are one."""

    status = 404
    sentence = "There is nothing here, or it is not published for you."


class DocumentNotFound(NotFound):
    """No such document for this person."""

    sentence = "There is no such document."


class DownloadNotFound(NotFound):
    """No such row in the ledger, or not one for whoever asks to look at."""

    sentence = "There is no such download."


class CategoryNotFound(NotFound):
    """No such category for this person."""

    sentence = "There is no such category."


class UserNotFound(NotFound):
    """No such person."""

    sentence = "There is no person with this address."


class GroupNotFound(NotFound):
    """No such group."""

    sentence = "There is no such group."


class GrantNotFound(NotFound):
    """No such grant."""

    sentence = "There is no such grant."


class MailNotFound(NotFound):
    """No such mail in the outbox."""

    sentence = "There is no such mail."


class ShareNotFound(NotFound):
    """No such share link, or a ticket that never was."""

    sentence = "There is no such link."


class TokenNotFound(NotFound):
    """A one-time address that opens nothing."""

    sentence = "This address opens nothing. Ask an administrator for a new one."


class TokenGone(TokenNotFound):
    """One that once was real: it was used, replaced, or has expired."""

    status = 410
    sentence = "This address has expired. Ask an administrator for a new one."


class Forbidden(PortalError):
    """The person may see the thing but not do this with it."""

    status = 403
    sentence = "You may not do this here."


class SignInFailed(PortalError):
    """Unknown address, wrong password or disabled account: one answer for all three."""

    status = 401
    sentence = "This address and password do not belong together. Check both, or ask for a new password."


class PasskeyRefused(PortalError):
    """Unknown passkey, wrong signature or disabled account, and whatever else is wrong with an answer: one sentence."""

    status = 400
    sentence = "This passkey does not open anything here. Try another one, or sign in with your password."


class ChallengeGone(PasskeyRefused):
    """What the passkey signed was never asked for, was asked of somebody else, was answered already, or is too old."""

    sentence = "This took too long, or was answered already. Press the button once more."


class ProviderRefused(PortalError):
    """The provider signed somebody in, or did not, and either way they do not come in."""

    status = 403
    sentence = "You were not signed in."


class ProviderRequestGone(PortalError):
    """Somebody comes back from a provider whom this browser did not send there, or too late, or once more."""

    status = 400
    sentence = "This sign-in was not begun in this browser, took longer than ten minutes, or is over. Begin again here."


class ProviderProblem(PortalError):
    """A provider does not do what it should. ``reason`` is for the operator's log and not for the page."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class ProviderUnavailable(ProviderProblem):
    """It does not answer, or not in the way it should."""

    status = 503
    sentence = "Where you sign in does not answer just now. Nothing was changed; try again in a minute."
    retry_after = 60


class ProviderDistrusted(ProviderProblem):
    """What it said does not hold."""

    status = 403
    sentence = (
        "What came back from where you sign in cannot be trusted. Begin again; tell an administrator if it stays."
    )


class CodeWrong(PortalError):
    """A code that the app of the person does not show now, or one that was taken before."""

    status = 401
    sentence = "This is not the code, or it was used already. Wait for the next one the app shows."


class RecoveryCodeWrong(CodeWrong):
    """No recovery code of the person, or one that was used."""

    sentence = "This is none of your recovery codes, or it was used already."


class SignInOver(PortalError):
    """A sign-in that waited for its second factor and waits no more: used, expired, or guessed at too often."""

    status = 401
    sentence = "This sign-in is over: it took too long, or too many codes were wrong. Begin again."


class BearerRefused(PortalError):
    """The token of a program opens nothing (any more)."""

    status = 401
    sentence = "This token is unknown, has expired or was revoked."


class ScopeMissing(Forbidden):
    """The token of a program is good, but not for this: ``scope`` is what it lacks."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This token may not do this: it needs the scope {scope}.")
        self.scope = scope


class Conflict(PortalError):
    """The state of things does not allow it now."""

    status = 409
    sentence = "Somebody else changed this meanwhile. Look at it again."


class NameTaken(Conflict):
    """A live thing of this name is already there."""

    sentence = "There is already something with this name."


class LastAdministrator(Conflict):
    """The portal would be left without anybody to run it."""

    sentence = "This is the last administrator. Make somebody else one first."


class ShareGone(PortalError):
    """A link that once was real and lets nobody in any more."""

    status = 410
    sentence = "This link is closed."


class ShareExpired(ShareGone):
    """Its time is over."""

    sentence = "This link has expired."


class ShareUsedUp(ShareGone):
    """All its downloads are used."""

    sentence = "All downloads of this link are used."


class ShareRevoked(ShareGone):
    """Somebody revoked it."""

    sentence = "This link was revoked by the people who made it."


class SharePasswordWrong(PortalError):
    """The password of a share link is not this one."""

    status = 403
    sentence = "This is not the password of this link."


class TooManyTries(PortalError):
    """Too many failures in a row."""

    status = 429
    sentence = "Too many tries. Wait a little, then try again."
    retry_after = 900


class TooManyTransfers(PortalError):
    """More transfers at once than allowed."""

    status = 429
    sentence = "Too many downloads are running at once. Wait for one to finish."
    retry_after = 10


class Busy(PortalError):
    """Nothing is wrong, but there is no capacity just now."""

    status = 503
    sentence = "The portal is busy. Try again in a few seconds."
    retry_after = 5


class UploadRejected(PortalError):
    """The bytes or their name cannot be taken in."""

    status = 422
    sentence = "This document cannot be taken in."


class UploadIncomplete(UploadRejected):
    """Fewer bytes came than were announced."""

    status = 400
    sentence = "The upload broke off before all of it had arrived. Nothing was stored; send it again."


class UploadTooLarge(UploadRejected):
    """More bytes than allowed."""

    status = 413
    sentence = "This is larger than what may be uploaded. Nothing was stored."


class UploadTypeRejected(UploadRejected):
    """A type this category does not take, or bytes that are not what their name says."""

    status = 415
    sentence = "This type of document is not taken here."


class NothingToPack(PortalError):
    """A zip of nothing."""

    status = 422
    sentence = "There is no document in it that could be downloaded."


class ChoiceGone(PortalError):
    """A document that was chosen is not there for the person any more."""

    status = 410
    sentence = "One of the documents you chose is no longer there for you. Choose again."


class ArchiveTooLarge(PortalError):
    """More documents or bytes than one zip may hold."""

    status = 413
    sentence = "This is more than one zip may hold. Choose fewer documents."


class StorageFull(PortalError):
    """No space is left for bytes on their way in."""

    status = 507
    sentence = "There is no space left for documents. Nothing was stored."


class StorageFailed(PortalError):
    """The storage refused to write or to flush; nothing was taken in."""

    status = 503
    sentence = "The storage does not take documents just now. Nothing was stored."
    retry_after = 60


class ContentUnavailable(PortalError):
    """The catalog knows the document, but its bytes are missing, changed or not readable."""

    status = 503
    sentence = "The content of this document cannot be given out just now. The administrators can see why."
    retry_after = 300


class ContentDamaged(ContentUnavailable):
    """The bytes are not those the catalog knows, and will not be by waiting.

    ``damage`` is ``missing`` (nothing there, or it cannot be opened), ``kind`` (no regular file), ``size``, ``bytes``
    (others than those hashed) or ``unreadable`` (the disk does not give them).
    """

    def __init__(self, damage: str) -> None:
        super().__init__()
        self.damage = damage


class ContentUnverified(ContentUnavailable):
    """Something was done to the file, and nobody has read it from end to end since."""

    sentence = "This document is being checked before it is given out. Try again in a little while."
    retry_after = 10


class SourceChanged(ContentUnavailable):
    """A document of a source changed on disk since it was indexed."""

    sentence = "This document changed on disk and must be indexed again before it is given out."
