"""Second factors of people in tests: apps set up long ago, and the codes they show. All need an application context."""

import pyotp

from portal.accounts.apps import add_app, find_app, make_secret
from portal.accounts.recovery import issue_recovery_codes
from portal.models import User
from tests.makers import actor, change, now

STEP = 30


def code_of(secret: str, steps: int = 0) -> str:
    """What an app with this secret shows by the database's clock, or did or will so many half minutes from now."""
    return pyotp.TOTP(secret).generate_otp(int(now().timestamp()) // STEP + steps)


def with_app(user: User) -> str:
    """The secret of an app that was set up long ago, so that the present code was not taken yet."""
    secret = make_secret()
    add_app(actor(user), user.id, secret, code_of(secret))
    app = find_app(user.id)
    assert app is not None
    change(app, last_counter=0)
    return secret


def with_recovery_codes(user: User) -> list[str]:
    """The recovery codes of a person."""
    return issue_recovery_codes(actor(user), user.id)


def wrong(secret: str) -> str:
    """Six digits that an app with this secret shows at no time near now."""
    near = {code_of(secret, steps) for steps in range(-3, 4)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in near)
