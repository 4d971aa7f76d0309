"""What is made of the bytes of a document for people to look at, and for the search to find."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, db_now


class Preview(Base):
    """Page images, a table or text, of all versions that have the same bytes. The row is the truth of what is to do."""

    __tablename__ = "previews"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'made', 'none', 'parked')", name="state"),
        CheckConstraint("length(sha256) = 64", name="sha256"),
        CheckConstraint("kind IN ('pages', 'image', 'table', 'text')", name="kind"),
        Index("ix_previews_waiting", "leased_until", "id", sqlite_where=text("state = 'waiting'"),
              postgresql_where=text("state = 'waiting'")),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    """``none``: there is nothing to be shown of such bytes; ``parked``: three tries came to nothing."""
    tries: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None]
    """Until then somebody is at it, or it rests after a try that failed."""
    maker: Mapped[int] = mapped_column(default=0)
    """The number of the program that made it; an older one is made anew by ``portal previews rebuild``."""
    kind: Mapped[str | None] = mapped_column(String(10))
    images: Mapped[int] = mapped_column(default=0)
    """How many images are kept, beside the thumbnail."""
    sizes: Mapped[str | None] = mapped_column(Text)
    """Width and height of each of these, as JSON."""
    total: Mapped[int | None]
    """How many pages or rows there are altogether, where that is known."""
    table: Mapped[str | None] = mapped_column("table_rows", Text, deferred=True)
    """The first rows, as JSON: ``rows`` is a list of lists of texts, the header first, and ``columns`` how many there
    are, shown or not."""
    text: Mapped[str | None] = mapped_column(Text, deferred=True)
    """The text inside, cut to what is kept: what is shown of it, and what the search knows."""
    reason: Mapped[str] = mapped_column(Text, default="")
    """The sentence that says why there is none, or why it is parked."""
    created_at: Mapped[datetime] = mapped_column(insert_default=db_now())
    made_at: Mapped[datetime | None]
