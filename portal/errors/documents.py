"""What can go wrong with documents: finding them, links to them, and their bytes on the way in and out."""

from portal.errors.kinds import Conflict, NotFound, PortalError


class DocumentNotFound(NotFound):
    """No such document for this person."""

    sentence = "There is no such document."


class VersionGone(PortalError):
    """A version of a document the person may read, whose bytes were removed for good."""

    status = 410
    sentence = "The bytes of this version were removed for good. The page of the document has those that are left."


class BulkEditNotFound(NotFound):
    """No such edit of many documents, or somebody else's."""

    sentence = "There is no such change of many documents."


class DistributionNotFound(NotFound):
    """No such distribution, or somebody else's."""

    sentence = "There is no such distribution."


class DownloadNotFound(NotFound):
    """No such row in the ledger, or not one for whoever asks to look at."""

    sentence = "There is no such download."


class CategoryNotFound(NotFound):
    """No such category for this person."""

    sentence = "There is no such category."


class GrantNotFound(NotFound):
    """No such grant."""

    sentence = "There is no such grant."


class ShareNotFound(NotFound):
    """No such share link, or a ticket that never was."""

    sentence = "There is no such link."


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


class TooManyTransfers(PortalError):
    """More transfers at once than allowed."""

    status = 429
    sentence = "Too many downloads are running at once. Wait for one to finish."
    retry_after = 10


class RequestNotFound(NotFound):
    """No such file request, or a receipt that never was."""

    sentence = "There is no such link."


class RequestGone(PortalError):
    """A file request that once was real and takes nothing any more."""

    status = 410
    sentence = "This link takes no more files."


class RequestExpired(RequestGone):
    """Its time is over."""

    sentence = "The time for sending files by this link is over."


class RequestFull(RequestGone):
    """It has all the files or bytes it takes."""

    sentence = "This link has received all the files it takes."


class RequestRevoked(RequestGone):
    """Somebody revoked it."""

    sentence = "This link was revoked by the people who made it."


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


class QuotaExceeded(UploadRejected):
    """More bytes than the quota of a person, a group or everybody has room for."""

    status = 413
    sentence = "There is no room left for this in your quota. Nothing was stored."


class UploadTypeRejected(UploadRejected):
    """A type this category does not take, or bytes that are not what their name says."""

    status = 415
    sentence = "This type of document is not taken here."


class UploadNotFound(NotFound):
    """No such upload of this person."""

    sentence = "There is no such upload."


class UploadGone(PortalError):
    """An upload that once was under way and takes nothing any more."""

    status = 410
    sentence = "This upload is over: it was cancelled, or nothing came for too long. Start it again."


class UploadRefused(PortalError):
    """An upload that came to its end and was not taken in; ``status`` and sentence are those of the refusal."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class UploadMisplaced(Conflict):
    """Bytes that do not go on where the last ones ended."""

    sentence = "These bytes do not follow those that are there. Ask how many are there, and go on from there."


class UploadBusy(PortalError):
    """Somebody writes to this upload just now."""

    status = 423
    sentence = "Somebody is sending this upload just now. Try again in a moment."
    retry_after = 1


class ProtocolUnknown(PortalError):
    """A version of a protocol that is not spoken here."""

    status = 412


class TypeNotTaken(PortalError):
    """A body of a type that this address does not take."""

    status = 415


class ChecksumWrong(PortalError):
    """Bytes that are not those their sender hashed (tus 1.0, checksum)."""

    status = 460
    sentence = "These bytes are not those that were sent. None of them was kept; send them again."


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
    retry_after: int | None = 300


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


class ContentHeld(ContentUnavailable):
    """Nobody has looked at the bytes for viruses yet, and somebody is to."""

    sentence = "This document is looked at for viruses before it is given out. Try again in a little while."
    retry_after = 30


class ContentQuarantined(ContentUnavailable):
    """A virus was found in the bytes."""

    status = 403
    sentence = "A virus was found in this document. It is not given out."
    retry_after = None


class ScannerUnavailable(PortalError):
    """The virus scanner does not answer, or not as it should."""

    status = 503
    sentence = "The virus scanner does not answer."
    retry_after = 60


class ScannerRefused(PortalError):
    """The virus scanner answers, but cannot look at these bytes."""

    status = 503
    sentence = "The virus scanner cannot look at this."


class SourceChanged(ContentUnavailable):
    """A document of a source changed on disk since it was indexed."""

    sentence = "This document changed on disk and must be indexed again before it is given out."
