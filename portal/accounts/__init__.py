"""People: accounts, groups, sessions, one-time addresses, passwords and the throttle on guessing."""

from portal.accounts.groups import add_group, find_group, get_group, join_group, leave_group, list_groups, list_members
from portal.accounts.passwords import check_password, hash_password, require_good_password
from portal.accounts.people import (
    actor_of,
    add_user,
    change_user,
    disable_user,
    email_key,
    enable_user,
    find_user,
    get_user,
    has_users,
    list_people,
    set_password,
)
from portal.accounts.sessions import (
    SignedIn,
    end_other_sessions,
    end_session,
    find_session,
    list_sessions,
    note_visit,
    sign_in,
    sign_out,
)
from portal.accounts.throttle import clear_try, record_try
from portal.accounts.tokens import find_token, issue_token, spend_setup_token, spend_token

__all__ = [
    "SignedIn",
    "actor_of",
    "add_group",
    "add_user",
    "change_user",
    "check_password",
    "clear_try",
    "disable_user",
    "email_key",
    "enable_user",
    "end_other_sessions",
    "end_session",
    "find_group",
    "find_session",
    "find_token",
    "find_user",
    "get_group",
    "get_user",
    "has_users",
    "hash_password",
    "issue_token",
    "join_group",
    "leave_group",
    "list_groups",
    "list_members",
    "list_people",
    "list_sessions",
    "note_visit",
    "record_try",
    "require_good_password",
    "set_password",
    "sign_in",
    "sign_out",
    "spend_setup_token",
    "spend_token",
]
