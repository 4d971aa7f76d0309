"""The tables: one module per noun; columns, relations and constraints, no queries."""

from portal.models.base import Base, Moment, PublicId, db_later, db_now
from portal.models.bulk import BulkEdit, BulkItem, ImportedFile, ImportRun
from portal.models.catalog import (
    MANAGE,
    PERSON,
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
from portal.models.distributing import Distribution, DistributionLine
from portal.models.factors import AuthenticatorApp, Challenge, KnownDevice, Passkey, PendingSignIn, RecoveryCode
from portal.models.following import Follow, Seen
from portal.models.keys import ApiToken, Identity, ProviderRequest
from portal.models.ledger import STATES, AuditEvent, Delegation, Download, FollowedLog, Transfer
from portal.models.mail import HouseRule, Mail, ResetRequest
from portal.models.people import AuditPerson, Group, Membership, OneTimeToken, Session, SignInAttempt, User
from portal.models.previews import Preview
from portal.models.searching import INDEX_TABLES, SavedSearch, SearchChange, SearchTerm
from portal.models.shares import Pack, PackItem, ShareLink, Ticket
from portal.models.upkeep import ScrubPass
from portal.models.uploads import FileRequest, Submission, Upload

__all__ = [
    "INDEX_TABLES",
    "KINDS",
    "MANAGE",
    "PERSON",
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
    "Distribution",
    "DistributionLine",
    "Document",
    "DocumentTag",
    "Download",
    "FieldValue",
    "FileRequest",
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
    "Preview",
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
    "Submission",
    "Tag",
    "Ticket",
    "Transfer",
    "Upload",
    "User",
    "Verified",
    "Version",
    "db_later",
    "db_now",
]
