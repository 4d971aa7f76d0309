"""What can go wrong with links that lead to documents, or ask for files: for whoever comes by one."""

from portal.errors.kinds import NotFound, PortalError


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
