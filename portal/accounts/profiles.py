"""What people say of themselves: their name, and the zone they read moments in."""

from sqlalchemy import update

from portal import audit
from portal.accounts.people import get_user
from portal.accounts.sessions import SignedIn
from portal.accounts.spelling import email_key, require_name
from portal.errors import UserNotFound
from portal.extensions import transaction
from portal.models import AuditPerson
from portal.zones import require_zone


def change_profile(person: SignedIn, *, name: str, timezone: str) -> bool:
    """Change one's own name and zone ("" for that of the portal); False when they are so already. Raises BadInput."""
    name, zone = require_name(name), require_zone(timezone)
    if person.user_id is None:
        raise UserNotFound
    with transaction() as session:
        user = get_user(person.user_id)
        changed = {"name": user.name != name, "timezone": user.timezone != zone}
        if not any(changed.values()):
            return False
        user.name, user.name_key, user.timezone = name, email_key(name), zone
        session.execute(update(AuditPerson).where(AuditPerson.user_id == user.id).values(name=name))
        parts = [part for part, is_new in changed.items() if is_new]
        audit.record_event("user.profile_changed", actor=person, thing=("user", user.id), parts=parts)
    return True
