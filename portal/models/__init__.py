"""The tables: one module per noun; columns, relations and constraints, no queries."""

from portal.models.base import Base, Moment, PublicId, db_later, db_now
from portal.models.bulk import BulkEdit, BulkItem, ImportedFile, ImportRun
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
from portal.models.describing import KINDS, CategoryField, DocumentTag, FieldValue, Tag
from portal.models.factors import AuthenticatorApp, Challenge, KnownDevice, Passkey, PendingSignIn, RecoveryCode
from portal.models.following import Follow, Seen
from portal.models.keys import ApiToken, Identity, ProviderRequest
from portal.models.ledger import STATES, AuditEvent, Delegation, Download, FollowedLog, Transfer
from portal.models.mail import HouseRule, Mail, ResetRequest
from portal.models.people import AuditPerson, Group, Membership, OneTimeToken, Session, SignInAttempt, User
from portal.models.searching import INDEX_TABLES, SavedSearch, SearchChange, SearchTerm
from portal.models.shares import Pack, PackItem, ShareLink, Ticket
from portal.models.upkeep import ScrubPass

__all__ = [
    "INDEX_TABLES",
    "KINDS",
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
    "BulkEdit",
    "BulkItem",
    "Category",
    "CategoryAlias",
    "CategoryField",
    "Challenge",
    "Delegation",
    "Document",
    "DocumentTag",
    "Download",
    "FieldValue",
    "Follow",
    "FollowedLog",
    "Grant",
    "Group",
    "HouseRule",
    "Identity",
    "ImportRun",
    "ImportedFile",
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
    "SavedSearch",
    "ScrubPass",
    "SearchChange",
    "SearchTerm",
    "Seen",
    "Session",
    "ShareLink",
    "SignInAttempt",
    "SourceDirectory",
    "Tag",
    "Ticket",
    "Transfer",
    "User",
    "Verified",
    "Version",
    "db_later",
    "db_now",
]
