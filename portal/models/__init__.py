"""The tables: one module per noun; columns, relations and constraints, no queries."""

from portal.models.base import Base, Moment, PublicId, db_later, db_now
from portal.models.catalog import (
    MANAGE,
    PUBLISH,
    READ,
    Blob,
    Category,
    CategoryAlias,
    Document,
    Grant,
    SourceDirectory,
    Verified,
    Version,
)
from portal.models.factors import AuthenticatorApp, Challenge, KnownDevice, Passkey, PendingSignIn, RecoveryCode
from portal.models.keys import ApiToken, Identity, ProviderRequest
from portal.models.ledger import STATES, AuditEvent, Delegation, Download, FollowedLog, Transfer
from portal.models.mail import HouseRule, Mail, ResetRequest
from portal.models.people import AuditPerson, Group, Membership, OneTimeToken, Session, SignInAttempt, User
from portal.models.shares import Pack, PackItem, ShareLink, Ticket
from portal.models.upkeep import ScrubPass

__all__ = [
    "MANAGE",
    "PUBLISH",
    "READ",
    "STATES",
    "ApiToken",
    "AuditEvent",
    "AuditPerson",
    "AuthenticatorApp",
    "Base",
    "Blob",
    "Category",
    "CategoryAlias",
    "Challenge",
    "Delegation",
    "Document",
    "Download",
    "FollowedLog",
    "Grant",
    "Group",
    "HouseRule",
    "Identity",
    "KnownDevice",
    "Mail",
    "Membership",
    "Moment",
    "OneTimeToken",
    "Pack",
    "PackItem",
    "Passkey",
    "PendingSignIn",
    "ProviderRequest",
    "PublicId",
    "RecoveryCode",
    "ResetRequest",
    "ScrubPass",
    "Session",
    "ShareLink",
    "SignInAttempt",
    "SourceDirectory",
    "Ticket",
    "Transfer",
    "User",
    "Verified",
    "Version",
    "db_later",
    "db_now",
]
