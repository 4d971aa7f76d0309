"""What the portal writes down about looking after itself."""

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


class ScrubPass(Base):
    """One reading of everything that was there when it began: blobs by id, then files shown in place by version id.

    It is resumed from where it stands, whoever does it next.
    """

    __tablename__ = "scrub_passes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    active_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    """The last time it came further."""
    finished_at: Mapped[datetime | None]
    blob_id: Mapped[int] = mapped_column(default=0)
    """The last blob that is done."""
    last_blob_id: Mapped[int]
    version_id: Mapped[int] = mapped_column(default=0)
    last_version_id: Mapped[int]
    files: Mapped[int] = mapped_column(default=0)
    """Read so far, as are ``bytes``."""
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    total_bytes: Mapped[int] = mapped_column(BigInteger)
    damaged: Mapped[int] = mapped_column(default=0)
    """Files that were wrong when this pass looked at them."""
