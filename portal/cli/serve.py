"""`portal serve`: gunicorn in this process, with threads enough for slow clients."""

import errno
import gc
import math
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from portal import accounts, create_app, downloads, settings, uploads
from portal.addresses import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    default_base_url,
    is_loopback,
    is_private,
    setup_address,
)
from portal.cli.beside import begin_scrubbing
from portal.cli.failures import Refusal
from portal.cli.installation import opened
from portal.cli.keeping import Keeper
from portal.cli.logs import Log, send_messages_to_stderr
from portal.cli.output import progress, say
from portal.cli.worker import CUTTING_SECONDS, Worker
from portal.downloads.lines import lines
from portal.errors import PortalError
from portal.extensions import close_connections
from portal.mailservers import CONSOLE
from portal.settings import Settings

THREADS = 2200
"""A slow reader holds a thread for as long as it reads: so many as ``transfers_all`` allows must keep nobody waiting.
They are started when they are needed."""
SPARE = 10
"""Of so many threads one sends nothing: it is left for pages and small answers."""
CONNECTIONS = 4000
OPEN_FILES = 16384
"""Connections, with the files and databases behind them; a worker that cannot open one more would end."""
FINISHING_SECONDS = 30
"""How long a worker that is to end goes on with what it is sending; then it cuts it."""
END_SECONDS = 5
"""A worker that ends waits so long for what it does beside its requests, which stops within half a second."""
UNSENT = 128 * 1024
"""Bytes that wait in the kernel without having been sent, on each line. By itself it takes up to 4 MiB from us, which a
reader who leaves never got, and which the ledger would hold for handed over."""


class Server(BaseApplication):
    """gunicorn with settings of ours alone: no command line, no file and no environment of its own.

    Each worker makes the application for itself (no ``preload_app``): no connection, lock or pool that was opened
    before the fork can be shared by mistake, and a reload reads the settings anew. The modules are shared all the same.
    """

    def __init__(self, options: dict[str, object], *, has_worker: bool = True) -> None:
        self._options = options
        self._has_worker = has_worker
        self._scrubbing: threading.Thread | None = None
        super().__init__()

    def load_config(self) -> None:
        """Take the options; gunicorn's defaults stand for the rest."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:  # type: ignore[override]  # the stubs know WSGI by its bare signature
        """The application of one worker, with the settings in force.

        What is there now stays: looking through all of it for what nobody uses, as Python does now and then, would hold
        a request for a tenth of a second each time.
        """
        lines.limit(most_lines(self.cfg.threads))
        app = create_app()
        gc.collect()
        gc.freeze()
        return app

    def run(self) -> None:
        """Serve; ends by SystemExit."""
        master = Keeper if self._has_worker else Arbiter
        master(self).run()

    def work_beside(self, is_alive: Callable[[], bool]) -> None:
        """Begin what a worker does beside its requests, until it is told to end."""
        if isinstance(self.callable, Flask):
            self._scrubbing = begin_scrubbing(self.callable, is_alive)

    def close(self) -> None:
        """Close the databases of a worker that ends, so that SQLite tidies up its journal."""
        if self._scrubbing is not None:
            self._scrubbing.join(END_SECONDS)
        if isinstance(self.callable, Flask):
            close_connections(self.callable)


host_option = click.option("--host", default=DEFAULT_HOST, show_default=True, help="The address to listen on.")
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0 takes any free one."
)


@click.command("serve")
@host_option
@port_option
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option("--threads", type=click.IntRange(1, CONNECTIONS - 1), default=THREADS, show_default=True, help="In each.")
@click.option("--no-worker", is_flag=True, help="Start no process that sends mails: `portal worker` runs elsewhere.")
def serve(host: str, port: int, workers: int, threads: int, no_worker: bool) -> None:
    """Serve the portal until it is told to stop (SIGTERM waits up to 30 seconds for downloads)."""
    run(host, port, workers=workers, threads=threads, has_worker=not no_worker)


def run(
    host: str,
    port: int,
    *,
    workers: int = 1,
    threads: int = THREADS,
    has_worker: bool = True,
    greet: Callable[[str], None] | None = None,
) -> None:
    """Listen, prepare, ``greet`` with the base URL, serve; ends by SystemExit.

    Raises PortalError and Refusal before anything is served.
    """
    with bind(host, port) as listener:
        address = default_base_url(host, listener.getsockname()[1])
        chosen = _with_base_url(address)
        prepare(chosen)
        settings.remember_address(chosen, chosen.base_url)
        if greet is not None:
            greet(chosen.base_url)
        _warn_if_readable(host, chosen.base_url)
        send_messages_to_stderr()
        _allow_open_files()
        _warn_if_printed(chosen)
        chosen_options = options(listener.detach(), workers, threads, lambda: _announce(address))
        server = Server(chosen_options, has_worker=has_worker)
    server.run()


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not listening yet: so the port is known, and nobody waits for a refused start."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)  # lines have it from here
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as problem:
        taken = problem.errno == errno.EADDRINUSE
        reason = "the port is taken; choose another with --port" if taken else problem.strerror
        raise Refusal(f"Cannot listen on {host}:{port}: {reason}.") from problem
    return listener


def prepare(chosen: Settings) -> None:
    """What is done once before anybody is served: sources looked through, broken transfers closed, setup offered."""
    with opened(chosen):
        is_alone = chosen.database_url.startswith("sqlite")
        downloads.sweep(0 if is_alone else downloads.SILENT_SECONDS)
        for path, directory in chosen.sources.items():
            _rescan(path, directory)
        if not accounts.has_users():
            token = accounts.issue_token(None, "setup")
            click.echo(f"Setup: {setup_address(chosen.base_url, token)}")


def options(descriptor: int, workers: int, threads: int, announce: Callable[[], None]) -> dict[str, object]:
    """The settings of gunicorn. A heartbeat is the loop's own, whatever the threads do: no download is too long."""
    return {
        "bind": f"fd://{descriptor}",
        "worker_class": Worker,
        "workers": workers,
        "threads": threads,
        "worker_connections": CONNECTIONS,
        "keepalive": 30,
        "timeout": 120,
        "graceful_timeout": FINISHING_SECONDS + CUTTING_SECONDS + END_SECONDS,  # of the master; see _prepare
        "limit_request_line": 8190,  # as much as gunicorn allows: a query of 900 characters fits in any script
        "limit_request_fields": 100,
        "limit_request_field_size": 8190,
        "control_socket_disable": True,
        "forwarded_allow_ips": "",  # the portal itself reads X-Forwarded-For, from proxies it was told about
        "secure_scheme_headers": {},
        "preload_app": False,
        "proc_name": "portal",
        "errorlog": "-",
        "loglevel": "warning",
        "logger_class": Log,
        "post_fork": lambda _, worker: _prepare(worker),
        "post_worker_init": lambda worker: _begin(worker, announce),
        "worker_exit": lambda _, worker: worker.app.close(),
    }


def most_lines(threads: int) -> int:
    """On how many lines a process of so many threads sends at once."""
    return max(1, threads - math.ceil(threads / SPARE))


def _begin(worker: ThreadWorker, announce: Callable[[], None]) -> None:
    if worker.age == 1:
        announce()
    if isinstance(worker.app, Server):
        worker.app.work_beside(lambda: worker.alive)


def _with_base_url(address: str) -> Settings:
    """The settings, with the address of this server for a base URL that is not set; workers read the environment."""
    chosen = settings.load()
    if chosen.base_url:
        return chosen
    os.environ["PORTAL_BASE_URL"] = address
    return settings.load()


def _warn_if_readable(host: str, base_url: str) -> None:
    if not is_private(base_url) or (base_url.startswith("http:") and not is_loopback(host)):
        say(f"Passwords and documents travel unencrypted by {base_url}. Put a proxy with TLS in front of the portal.")


def _warn_if_printed(chosen: Settings) -> None:
    if chosen.mail_url == CONSOLE and not is_loopback(urlsplit(chosen.base_url).hostname or ""):
        say("Mails are printed here, one-time addresses and all, and not sent: PORTAL_MAIL_URL names no mail server.")


def _rescan(path: str, directory: Path) -> None:
    """Look a source through again; one that cannot be read does not keep the rest from being served."""
    try:
        with progress(f"Looking through {path}") as tell:
            report = uploads.index_directory(None, directory, path, progress=tell, is_cautious=True)
    except PortalError as refusal:
        say(f"{path}: {refusal.sentence}")
        return
    for problem in report.problems:
        say(problem)


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _prepare(worker: Worker) -> None:
    """Let a worker end when it is told, and before its master loses patience.

    Until it has handlers of its own it has those of the master, which only take note of a signal.
    """
    worker.cfg.set("graceful_timeout", FINISHING_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def _announce(address: str) -> None:
    click.echo(f"Listening at {address}")
