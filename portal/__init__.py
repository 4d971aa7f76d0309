"""A self-hosted portal for documents: who may have which, who got what, and who has not."""

from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask
from sqlalchemy import make_url

from portal import settings as configuration
from portal import views
from portal.errors import SettingsProblem
from portal.extensions import init_database
from portal.settings import Settings, make_secret
from portal.storage import LocalStorage
from portal.views.cookies import cookie_config

__version__ = "0.1.0"

PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""For libpq, in seconds but for the second one, in milliseconds; without these a dead line is noticed after hours."""


class Application(Flask):
    """Flask for views that are plain functions."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: asking each of them at every request whether it is a coroutine costs half a guard."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """The core with every page on top of it. Raises SettingsProblem as ``create_core`` does."""
    app = create_core(settings)
    app.config.update(web_config(app.config["PORTAL"]))
    if app.config["PORTAL"].oidc_issuer:
        app.register_blueprint(provider_views())
    views.init_app(app)
    return app


def provider_views() -> Blueprint:
    """The pages of signing in at a provider. Raises SettingsProblem where the libraries for that are missing.

    They are imported only here, and by name: what they need is an extra, and takes memory in every process.
    """
    try:
        found: Blueprint = import_module("portal.views.providers").bp
    except ModuleNotFoundError as problem:
        if (problem.name or "").startswith("portal"):
            raise
        raise SettingsProblem(
            f"oidc_issuer is set, and {problem.name} is missing. "
            'Run: .venv/bin/pip install "Authlib>=1.9" "joserfc>=1.6" "requests>=2.32"'
        ) from problem
    return found


def create_core(settings: Settings | None = None) -> Flask:
    """Settings, database and storage without a door: what a command works with.

    The settings in force unless given; raises SettingsProblem when they are wrong.
    """
    settings = settings or configuration.load()
    app = Application(__name__, static_folder=None)  # views.assets serves them
    app.config.update(
        PORTAL=settings,
        SECRET_KEY=make_secret(settings),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        CLIENT_IMAGES=settings.client_images,
        CLIENT_CSV=settings.client_csv,
        CLIENT_PDF=settings.client_pdf,
        CLIENT_REPORTS=settings.client_reports,
    )
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = LocalStorage(settings.storage)
    storage.prepare()
    app.extensions["portal.storage"] = storage
    init_database(app)
    return app


def web_config(settings: Settings) -> dict[str, object]:
    """What Flask and its extensions need to know about requests."""
    return {
        "TRUSTED_HOSTS": trusted_hosts(settings),
        "SESSION_PROTECTION": None,  # sessions are rows of ours; Flask-Login only carries the person
        "WTF_CSRF_CHECK_DEFAULT": False,  # the guard asks for the token
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": False,  # share pages send no Referer; the guard checks where a form comes from
        **cookie_config(settings),
    }


def engine_options(url: str) -> dict[str, object]:
    """Pool and time-outs: a request holds a connection for milliseconds, so few serve many threads.

    PostgreSQL compiles no statements: that takes longer than ours do. psycopg prepares none by itself, only those that
    ``extensions.ask`` asks. Of a server that is not there any more, or a line to it that is dead, we know before a
    minute is over; what the URL says about that counts.
    """
    options: dict[str, object] = {"pool_size": 16, "max_overflow": 48, "pool_timeout": 10}
    if url.startswith("postgresql"):
        waits = "-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=15s -c jit=off"
        given = make_url(url).query
        patience = {name: seconds for name, seconds in PATIENCE.items() if name not in given}
        arguments = {"options": waits, "prepare_threshold": 1 << 31, **patience}
        options |= {"pool_pre_ping": True, "connect_args": arguments}
    return options


def trusted_hosts(settings: Settings) -> list[str]:
    """The hosts the portal answers for: that of the base URL, and loopback."""
    named = urlsplit(settings.base_url).hostname
    return [*([named] if named else []), "localhost", "127.0.0.1", "[::1]"]
