"""What can go wrong with documents: finding them, and their bytes on the way out."""

from portal.errors.kinds import NotFound, PortalError


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


class TooManyTransfers(PortalError):
    """More transfers at once than allowed."""

    status = 429
    sentence = "Too many downloads are running at once. Wait for one to finish."
    retry_after = 10


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
