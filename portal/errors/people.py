"""What can go wrong with people: who they are, how they come in, and what is theirs."""

from collections.abc import Sequence

from portal.errors.kinds import BadInput, Conflict, Forbidden, NotFound, PortalError


class UnknownAddresses(BadInput):
    """Addresses that nobody has an account with; ``addresses`` are all of them as they were written."""

    def __init__(self, addresses: Sequence[str], sentence: str, *, field: str = "") -> None:
        super().__init__(sentence, field=field)
        self.addresses = addresses


class UserNotFound(NotFound):
    """No such person."""

    sentence = "There is no person with this address."


class GroupNotFound(NotFound):
    """No such group."""

    sentence = "There is no such group."


class MailNotFound(NotFound):
    """No such mail in the outbox."""

    sentence = "There is no such mail."


class TokenNotFound(NotFound):
    """A one-time address that opens nothing."""

    sentence = "This address opens nothing. Ask an administrator for a new one."


class TokenGone(TokenNotFound):
    """One that once was real: it was used, replaced, or has expired."""

    status = 410
    sentence = "This address has expired. Ask an administrator for a new one."


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


class LastAdministrator(Conflict):
    """The portal would be left without anybody to run it."""

    sentence = "This is the last administrator. Make somebody else one first."
