"""The catalog: categories, grants on them, documents, versions, and where the bytes of a version are."""

import uuid as uuids
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now

READ, PUBLISH, MANAGE = 1, 2, 3
"""Permissions of a grant, each containing the ones before it."""
PERSON = "u:"
"""How the mark of a category begins that is one person's own."""


class Category(Base):
    """A node of the tree. ``parent_id`` and ``name`` are the truth; ``path`` and ``lineage`` are derived from them."""

    __tablename__ = "categories"
    __table_args__ = (
        CheckConstraint("id <> parent_id", name="not_its_own_parent"),
        CheckConstraint("depth BETWEEN 1 AND 64", name="depth"),
        CheckConstraint("document_count >= 0", name="document_count"),
        CheckConstraint("expiry_days >= 0", name="expiry_days"),
        Index("uq_categories_live_path", "path", unique=True,
              sqlite_where=text("trashed_at IS NULL"), postgresql_where=text("trashed_at IS NULL")),
        Index("ix_categories_parent_id", "parent_id"),
        Index("ix_categories_recipient", "parent_id", "recipient_key",
              sqlite_where=text("recipient_key IS NOT NULL"), postgresql_where=text("recipient_key IS NOT NULL")),
        Index("ix_categories_trashed_at", "trashed_at", sqlite_where=text("trashed_at IS NOT NULL"),
              postgresql_where=text("trashed_at IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text, default="")
    path: Mapped[str] = mapped_column(Text)
    """Such as ``reports/2018/feb``; unique among those that are not in the trash."""
    lineage: Mapped[str | None] = mapped_column(Text, unique=True)
    """Ids from the root down, such as ``/1/7/12/``; None only between insert and the id being known."""
    depth: Mapped[int]
    is_sealed: Mapped[bool] = mapped_column(default=False)
    """Grants from above end here."""
    document_count: Mapped[int] = mapped_column(default=0)
    """Live documents directly in it, kept by the writers."""
    allowed_types: Mapped[str | None] = mapped_column(Text)
    """Endings that may be put in, without dots and with spaces between; "" for every one, None for what is above it."""
    expiry_days: Mapped[int | None]
    """How many days after its publication a new document expires; 0 for never, None for what is above it."""
    recipient_key: Mapped[str | None] = mapped_column(String(20))
    """Whose own category it is, filled by distributions: ``u:12`` is a person, ``g:3`` a group; None for others'."""
    trashed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class CategoryAlias(Base):
    """A path a category once had, so that old addresses still lead to it."""

    __tablename__ = "category_aliases"
    __table_args__ = (Index("ix_category_aliases_category_id", "category_id"),)

    path: Mapped[str] = mapped_column(Text, primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"))
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())


class Grant(Base):
    """A permission of exactly one group, one person or everyone signed in on a category and what is below it."""

    __tablename__ = "grants"
    __table_args__ = (
        CheckConstraint(
            "(CASE WHEN group_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN user_id IS NOT NULL THEN 1 ELSE 0 END)"
            " + (CASE WHEN is_everyone THEN 1 ELSE 0 END) = 1",
            name="one_principal",
        ),
        CheckConstraint("permission BETWEEN 1 AND 3", name="permission"),
        Index("uq_grants_category_group", "category_id", "group_id", unique=True,
              sqlite_where=text("group_id IS NOT NULL"), postgresql_where=text("group_id IS NOT NULL")),
        Index("uq_grants_category_user", "category_id", "user_id", unique=True,
              sqlite_where=text("user_id IS NOT NULL"), postgresql_where=text("user_id IS NOT NULL")),
        Index("uq_grants_category_everyone", "category_id", unique=True,
              sqlite_where=text("is_everyone"), postgresql_where=text("is_everyone")),
        Index("ix_grants_category_id", "category_id"),
        Index("ix_grants_group_id", "group_id"),
        Index("ix_grants_user_id", "user_id"),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    is_everyone: Mapped[bool] = mapped_column(default=False)
    permission: Mapped[int]
    granted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None when an operator granted it on the command line."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    expires_at: Mapped[datetime | None]


class Document(Base):
    """A record of the catalog: what people see, shelved in one category, with its versions behind it."""

    __tablename__ = "documents"
    __table_args__ = (
        CheckConstraint("version_count >= 0", name="version_count"),
        Index("uq_documents_category_filename", "category_id", "filename", unique=True,
              sqlite_where=text("trashed_at IS NULL"), postgresql_where=text("trashed_at IS NULL")),
        # The orders of lists, with what decides who sees a document in them, so that none is looked at in vain.
        Index("ix_documents_category_published", "category_id", "published_at", "id", "trashed_at", "expires_at"),
        Index("ix_documents_published", "published_at", "id", "category_id", "trashed_at", "expires_at"),
        Index("ix_documents_category_expires", "category_id", "expires_at", "id", "trashed_at",
              sqlite_where=text("expires_at IS NOT NULL"), postgresql_where=text("expires_at IS NOT NULL")),
        Index("ix_documents_expires", "expires_at", "id", "category_id", "trashed_at",
              sqlite_where=text("expires_at IS NOT NULL"), postgresql_where=text("expires_at IS NOT NULL")),
        Index("ix_documents_category_trashed", "category_id", "trashed_at", "id",
              sqlite_where=text("trashed_at IS NOT NULL"), postgresql_where=text("trashed_at IS NOT NULL")),
        Index("ix_documents_trashed_at", "trashed_at", "id", "category_id",
              sqlite_where=text("trashed_at IS NOT NULL"), postgresql_where=text("trashed_at IS NOT NULL")),
        Index("ix_documents_current_version_id", "current_version_id"),
        Index("ix_documents_reference", "reference", sqlite_where=text("reference <> ''"),
              postgresql_where=text("reference <> ''")),
        Index("ix_documents_responsible_id", "responsible_id", sqlite_where=text("responsible_id IS NOT NULL"),
              postgresql_where=text("responsible_id IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[uuids.UUID] = mapped_column(unique=True, insert_default=uuids.uuid4)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"))
    title: Mapped[str] = mapped_column(String(300))
    filename: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(Text, default="")
    reference: Mapped[str] = mapped_column(String(100), default="")
    """The code the organisation itself knows it by, such as a file number; "" for none, and not unique."""
    responsible_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """Whom readers may ask about it."""
    search_text: Mapped[str] = mapped_column(Text)
    """Title and filename, NFKC and casefolded: what words are looked up in."""
    search_key: Mapped[int | None] = mapped_column(BigInteger)
    """Under which number the index of words has it, see ``portal.search``; None while it is not in it."""
    current_version_id: Mapped[int | None] = mapped_column(
        ForeignKey("versions.id", name="fk_documents_current_version_id", use_alter=True)
    )
    version_count: Mapped[int] = mapped_column(default=0)
    published_at: Mapped[datetime | None]
    """None for a draft; in the future for one that is scheduled. No default: it would replace a None that was given."""
    expires_at: Mapped[datetime | None]
    trashed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class Verified:
    """What is known of the bytes a row answers for: a blob's, or those of a file that is shown in place."""

    seen_inode: Mapped[int | None] = mapped_column(BigInteger)
    """With the next two: the stamp of the file when its bytes were last written or hashed. None: never since then."""
    seen_mtime_ns: Mapped[int | None] = mapped_column(BigInteger)
    seen_ctime_ns: Mapped[int | None] = mapped_column(BigInteger)
    verified_at: Mapped[datetime | None]
    """When that was; the scrub renews it."""
    wanted_at: Mapped[datetime | None]
    """Since when somebody waits for these bytes to be hashed, which is too much work for a request."""
    damaged_at: Mapped[datetime | None]
    """Since when they are quarantined: no door gives them out until they are right again."""
    damage: Mapped[str | None] = mapped_column(String(10))
    """What is wrong, as ContentDamaged has it; None exactly when ``damaged_at`` is."""


class Version(Verified, Base):
    """One immutable edition of a document. Its bytes have exactly one place: a blob, or a path in a source."""

    __tablename__ = "versions"
    __table_args__ = (
        UniqueConstraint("document_id", "number", name="uq_versions_document_id_number"),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("size >= 0", name="size"),
        CheckConstraint("length(sha256) = 64", name="sha256"),
        CheckConstraint(
            "(CASE WHEN blob_id IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN source_id IS NOT NULL THEN 1 ELSE 0 END)"
            " + (CASE WHEN purged_at IS NOT NULL THEN 1 ELSE 0 END) = 1",
            name="one_place",
        ),
        CheckConstraint(
            "(source_id IS NULL) = (source_path IS NULL) AND (source_id IS NULL) = (source_mtime_ns IS NULL)",
            name="whole_place",
        ),
        Index("ix_versions_blob_id", "blob_id"),
        Index("ix_versions_sha256", "sha256"),
        Index("ix_versions_created_at", "created_at"),
        Index("ix_versions_source_id_path", "source_id", "source_path"),
        Index("ix_versions_wanted_at", "wanted_at", sqlite_where=text("wanted_at IS NOT NULL"),
              postgresql_where=text("wanted_at IS NOT NULL")),
        Index("ix_versions_damaged_at", "damaged_at", sqlite_where=text("damaged_at IS NOT NULL"),
              postgresql_where=text("damaged_at IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"))
    number: Mapped[int]
    filename: Mapped[str] = mapped_column(String(255))
    """The document's filename when this version came; a pinned version keeps its own."""
    note: Mapped[str] = mapped_column(Text, default="")
    restored_from_id: Mapped[int | None] = mapped_column(ForeignKey("versions.id"))
    """The older version whose bytes these are, when it was made by bringing that one back."""
    content_type: Mapped[str] = mapped_column(String(150))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    crc32: Mapped[int] = mapped_column(BigInteger)
    blob_id: Mapped[int | None] = mapped_column(ForeignKey("blobs.id"))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"))
    source_path: Mapped[str | None] = mapped_column(Text)
    source_mtime_ns: Mapped[int | None] = mapped_column(BigInteger)
    purged_at: Mapped[datetime | None]
    """When its place was given up after its time in the trash; ledger and log still name it."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class Blob(Verified, Base):
    """Bytes in our own storage, named by their SHA-256 and stored once."""

    __tablename__ = "blobs"
    __table_args__ = (
        CheckConstraint("size >= 0", name="size"),
        CheckConstraint("length(sha256) = 64", name="sha256"),
        CheckConstraint("scan_state IN ('waiting', 'clean', 'infected')", name="scan_state"),
        CheckConstraint("(finding IS NOT NULL) = (scan_state IS NOT NULL AND scan_state = 'infected')", name="finding"),
        Index("ix_blobs_scan_waiting", "id", sqlite_where=text("scan_state = 'waiting'"),
              postgresql_where=text("scan_state = 'waiting'")),
        Index("ix_blobs_infected", "id", sqlite_where=text("scan_state = 'infected'"),
              postgresql_where=text("scan_state = 'infected'")),
        Index("ix_blobs_wanted_at", "wanted_at", sqlite_where=text("wanted_at IS NOT NULL"),
              postgresql_where=text("wanted_at IS NOT NULL")),
        Index("ix_blobs_damaged_at", "damaged_at", sqlite_where=text("damaged_at IS NOT NULL"),
              postgresql_where=text("damaged_at IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    crc32: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    touched_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    """When a version last came to use it; gc leaves it alone for a day after."""
    scan_state: Mapped[str | None] = mapped_column(String(10))
    """What is known of viruses: ``waiting`` bytes are held and ``infected`` ones quarantined, which no door gives out;
    None: nobody was to look for any."""
    scanned_at: Mapped[datetime | None]
    """When somebody last looked at what is held or quarantined, or since when it is given out again; None for what was
    never held or was not looked at yet."""
    finding: Mapped[str | None] = mapped_column(String(200))
    """What the scanner calls what it found."""


class SourceDirectory(Base):
    """An existing directory indexed in place for one category; the portal never writes into it."""

    __tablename__ = "sources"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"), unique=True)
    directory: Mapped[str] = mapped_column(Text)
    ignored: Mapped[str] = mapped_column(Text, default="")
    """Patterns of paths that are left out, one a line, as in a ``.gitignore``."""
    scanned_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
