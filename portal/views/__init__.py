"""Pages for people: thin rooms on top of the core, behind one guard."""

from flask import Flask

from portal.views import (
    account,
    admin,
    assets,
    auth,
    browse,
    confirm,
    copies,
    deliveries,
    documents,
    download,
    editing,
    failures,
    following,
    guard,
    headers,
    health,
    identities,
    known,
    notices,
    pages,
    passkeys,
    previews,
    profile,
    requesting,
    reset,
    searches,
    searching,
    second,
    security,
    shares,
    tokens,
    uploads,
    viewing,
    zips,
)
from portal.views.cookies import PortalSessions

BLUEPRINTS = (
    auth.bp,
    account.bp,
    identities.bp,
    profile.bp,
    following.bp,
    reset.bp,
    tokens.bp,
    viewing.bp,
    confirm.bp,
    passkeys.bp,
    second.bp,
    security.bp,
    browse.bp,
    searching.bp,
    searches.bp,
    documents.bp,
    previews.bp,
    copies.bp,
    deliveries.bp,
    download.bp,
    shares.bp,
    requesting.bp,
    zips.bp,
    health.bp,
    editing.bp,
    uploads.bp,
    known.bp,
    *admin.BLUEPRINTS,
)


def init_app(app: Flask) -> None:
    """Everything a browser meets. The guard stands before every view."""
    app.session_interface = PortalSessions()
    guard.init_app(app)
    headers.init_app(app)
    failures.init_app(app)
    assets.init_app(app)
    pages.init_app(app)
    notices.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    guard.require_declared(app)
