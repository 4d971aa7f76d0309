"""Who of those the provider signs in may come in here, as whom, and in which groups."""

import logging
from dataclasses import replace

from portal.accounts.factors import hold_rules
from portal.accounts.groups import find_group, join_group, leave_group
from portal.accounts.history import record_refusal
from portal.accounts.identities import find_identity, link_identity, note_use
from portal.accounts.people import actor_of, add_user, find_user, get_user
from portal.accounts.spelling import email_key
from portal.actors import PORTAL
from portal.errors import BadInput, Conflict, NameTaken, ProviderRefused
from portal.extensions import lock_on, settings, transaction
from portal.models import Identity, User
from portal.openid import Proof
from portal.settings import EVERY_DOMAIN

log = logging.getLogger("portal")


def admit(proof: Proof, *, network: str, agent: str) -> int:
    """The id of the person this is here; their groups follow what the provider says.

    An account that is linked is the person whatever else is said. Else the account of the same verified address is
    linked, if that is wanted, or a new one made, if that is. Raises ProviderRefused with what the person can do.
    """
    try:
        with transaction():
            if settings().oidc_groups:
                hold_rules()
            lock_on(f"identity:{proof.issuer}:{proof.subject}")
            require_allowed(proof)
            identity = find_identity(proof) or _link(proof, network)
            user = get_user(identity.user_id)
            if user.disabled_at is not None:
                raise ProviderRefused(_unknown())
            note_use(identity, proof)
            _follow_groups(user, proof, network)
        return user.id
    except ProviderRefused:
        record_refusal(_person_meant(proof), "provider", network=network, agent=agent)
        raise


def require_allowed(proof: Proof) -> None:
    """Raise ProviderRefused unless the settings let this account at the provider be used here."""
    domains, groups = settings().oidc_allowed_domains, settings().oidc_allowed_groups
    is_of_domain = not domains or EVERY_DOMAIN in domains or (is_verified(proof) and proof.domain in domains)
    if not is_of_domain or (groups and groups.isdisjoint(proof.groups)):
        raise ProviderRefused(
            f"{_name()} signed you in, but the account you used there is not among those that may come in here. "
            "Use another one, or ask an administrator of this portal."
        )


def is_verified(proof: Proof) -> bool:
    """Whether the address belongs to the person, by the word of the provider or, for a directory, of the operator."""
    if proof.is_email_verified is None:
        return settings().oidc_trust_email and bool(proof.email)
    return proof.is_email_verified and bool(proof.email)


def _person_meant(proof: Proof) -> int | None:
    """Whom a refused sign-in was about: who is linked, or has that address."""
    identity = find_identity(proof)
    if identity is not None:
        return identity.user_id
    user = _owner(proof)
    return user.id if user is not None else None


def _owner(proof: Proof) -> User | None:
    """Whose account has this very address, by the word of the provider.

    Not one that only looks alike or folds to the same key: those are other mailboxes, which others may have.
    """
    user = find_user(proof.email) if is_verified(proof) else None
    return user if user is not None and _is_same_mailbox(user.email, proof.email) else None


def _is_same_mailbox(one: str, other: str) -> bool:
    return one == other or (one.isascii() and other.isascii() and one.lower() == other.lower())


def _link(proof: Proof, network: str) -> Identity:
    """The link of somebody who comes for the first time."""
    user = _owner(proof)
    if user is not None:
        return _link_known(user, proof, network)
    if not (settings().oidc_create_accounts and is_verified(proof)):
        raise ProviderRefused(_unknown())
    try:
        user = add_user(replace(PORTAL, network=network), proof.email, proof.name or proof.email.partition("@")[0])
    except (BadInput, NameTaken) as problem:
        raise ProviderRefused(_unknown()) from problem
    return link_identity(replace(actor_of(user), network=network), user.id, proof)


def _link_known(user: User, proof: Proof, network: str) -> Identity:
    if user.disabled_at is not None:
        raise ProviderRefused(_unknown())
    if not settings().oidc_link_by_email:
        raise ProviderRefused(
            f"{_name()} signed you in, but that account is not linked with the one you have here. Sign in with your "
            "password, and link the two: Your account, How you sign in."
        )
    try:
        return link_identity(replace(actor_of(user), network=network), user.id, proof)
    except Conflict as problem:  # the address belonged to another account there before
        raise ProviderRefused(_unknown()) from problem


def _follow_groups(user: User, proof: Proof, network: str) -> None:
    """Into the groups that the claim stands for, and out of the others it could stand for; no group else is touched."""
    pairs, portal = settings().oidc_groups, replace(PORTAL, network=network)
    wanted = {email_key(name) for value, name in pairs if value in proof.groups}
    for key, name in {email_key(name): name for _, name in pairs}.items():
        group = find_group(name)
        if group is None:
            log.warning("oidc_groups names the group %r, which is not there", name)
        elif key in wanted:
            join_group(portal, group.id, user.id)
        else:
            leave_group(portal, group.id, user.id)


def _unknown() -> str:
    """One sentence for whoever has no account, a disabled one, or one that is not theirs any more."""
    return (
        f"{_name()} signed you in, but there is no account here that is open to you. "
        "Ask an administrator of this portal for one."
    )


def _name() -> str:
    name = settings().oidc_name
    return name[:1].upper() + name[1:]
