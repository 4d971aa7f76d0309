"""What every refusal is, and the kinds of it that are about nothing in particular."""


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


class Forbidden(PortalError):
    """The person may see the thing but not do this with it."""

    status = 403
    sentence = "You may not do this here."


class Conflict(PortalError):
    """The state of things does not allow it now."""

    status = 409
    sentence = "Somebody else changed this meanwhile. Look at it again."


class NameTaken(Conflict):
    """A live thing of this name is already there."""

    sentence = "There is already something with this name."


class TooManyTries(PortalError):
    """Too many failures in a row."""

    status = 429
    sentence = "Too many tries. Wait a little, then try again."
    retry_after = 900


class Busy(PortalError):
    """Nothing is wrong, but there is no capacity just now."""

    status = 503
    sentence = "The portal is busy. Try again in a few seconds."
    retry_after = 5
