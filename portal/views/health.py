"""For machines: alive, ready, and figures for whoever has the token."""

import hmac
import threading
import time
from datetime import UTC, datetime

from flask import Blueprint, Response, current_app, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from portal import catalog, downloads, integrity
from portal.errors import NotFound, PortalError
from portal.extensions import db, settings, storage
from portal.models import STATES, Blob, Document, ShareLink, User
from portal.views.guard import allow

bp = Blueprint("health", __name__)

KEPT_SECONDS = 5
NOT_READY = ("degraded", 503)


@bp.get("/healthz")
@allow("anyone")
def alive() -> Response:
    """The process answers."""
    return _word("ok", 200)


@bp.get("/readyz")
@allow("anyone")
def ready() -> Response:
    """Database and storage answer too; one word, whoever asks.

    Not ready is 503. With documents that are damaged, or held for a virus scanner that is away, it serves all the
    others, so it says degraded and is still 200: nobody should be sent away from them.
    """
    readiness: Readiness = current_app.extensions.setdefault("portal.readiness", Readiness())
    return _word(*readiness.answer())


@bp.get("/metrics")
@allow("anyone")
def metrics() -> Response:
    """Figures in the format of Prometheus, for the holder of the token; for everybody else there is nothing here."""
    token = settings().metrics_token
    given = request.headers.get("Authorization", "")
    if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise NotFound
    registry = CollectorRegistry()
    registry.register(Figures())
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4; charset=utf-8")


class Readiness:
    """What the last look at database and storage came to, kept for some seconds in each process.

    The look writes and flushes; anybody may ask, and must not be able to keep the disk busy by asking.
    """

    def __init__(self) -> None:
        self.until = 0.0
        """The moment of ``time.monotonic`` when it is time to look again."""
        self._found: tuple[str, int] | None = None
        self._looking = threading.Lock()

    def answer(self) -> tuple[str, int]:
        """Word and status. One looks at a time; whoever asks meanwhile is told what is known already."""
        if self._looking.acquire(blocking=self._found is None):
            try:
                self._look_again()
            finally:
                self._looking.release()
        return self._found or NOT_READY

    def _look_again(self) -> None:
        if time.monotonic() >= self.until:
            self._found = _look()
            self.until = time.monotonic() + KEPT_SECONDS


def _look() -> tuple[str, int]:
    try:
        is_any_damaged, is_any_late = integrity.is_any_damaged(), catalog.is_any_late()
        storage().check()
    except (SQLAlchemyError, PortalError, OSError) as problem:
        current_app.logger.warning("not ready: %s", type(problem).__name__)
        return NOT_READY
    if is_any_late:
        current_app.logger.warning("what came in waits for the virus scanner, or for the worker")
    return "degraded" if is_any_damaged or is_any_late else "ready", 200


class Figures:
    """Counted from the tables at the moment of asking, so that every worker says the same."""

    def collect(self) -> list[GaugeMetricFamily]:
        """One family for each figure."""
        counts = {
            "portal_documents": select(func.count()).select_from(Document).where(Document.trashed_at.is_(None)),
            "portal_people": select(func.count()).select_from(User).where(User.disabled_at.is_(None)),
            "portal_share_links": select(func.count()).select_from(ShareLink),
            "portal_blob_bytes": select(func.coalesce(func.sum(Blob.size), 0)),
        }
        families = [
            GaugeMetricFamily(name, name.removeprefix("portal_").replace("_", " "), db.session.scalars(count).one())
            for name, count in counts.items()
        ]
        return [*families, self._downloads(), self._free(), *self._scrub(), *self._scans()]

    def _scans(self) -> list[GaugeMetricFamily]:
        counts = catalog.count_scans()
        return [
            _gauge("portal_held_files", "files that wait to be looked at for viruses", counts.waiting),
            _gauge("portal_infected_files", "files in which a virus was found", counts.infected),
        ]

    def _scrub(self) -> list[GaugeMetricFamily]:
        """Files that are quarantined, and the passes of the scrub; no age before the first has ended."""
        damaged = integrity.count_damaged().files
        last, this = integrity.find_last(), integrity.find_running() or integrity.find_last()
        age = [(datetime.now(UTC) - last.finished_at).total_seconds()] if last and last.finished_at else []
        read = [this.bytes] if this else []
        return [
            _gauge("portal_damaged_files", "files that are quarantined because their bytes are wrong", damaged),
            _gauge("portal_scrub_age_seconds", "since the last whole pass of the scrub ended", *age),
            _gauge("portal_scrub_bytes", "read by the pass that runs, or else by the last one", *read),
        ]

    def _downloads(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily("portal_downloads", "downloads by state", labels=["state"])
        now = downloads.state_now()
        counted = select(now, func.count()).group_by(now)
        found = dict(db.session.execute(counted).all())
        for state in STATES:
            family.add_metric([state], found.get(state, 0))
        return family

    def _free(self) -> GaugeMetricFamily:
        return GaugeMetricFamily("portal_storage_free_bytes", "free space of the storage", storage().free_bytes())


def _gauge(name: str, words: str, *values: float) -> GaugeMetricFamily:
    """A figure without labels; without a value there is none to tell yet."""
    family = GaugeMetricFamily(name, words, labels=[])
    for value in values:
        family.add_metric([], value)
    return family


def _word(word: str, status: int) -> Response:
    return Response(f"{word}\n", status, mimetype="text/plain")
