"""What can go wrong with bytes on their way in."""

from portal.errors.kinds import Conflict, NotFound, PortalError


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


class StorageFull(PortalError):
    """No space is left for bytes on their way in."""

    status = 507
    sentence = "There is no space left for documents. Nothing was stored."


class StorageFailed(PortalError):
    """The storage refused to write or to flush; nothing was taken in."""

    status = 503
    sentence = "The storage does not take documents just now. Nothing was stored."
    retry_after = 60
