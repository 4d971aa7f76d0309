"""Getting an installation ready, and looking whether it is."""

from collections.abc import Callable
from dataclasses import replace

import click
from sqlalchemy.exc import DBAPIError

from portal import accounts, create_app, downloads, notices, previews, schema, settings
from portal.addresses import absolute
from portal.cli.failures import first_line
from portal.cli.installation import opened, require_schema
from portal.cli.output import counted, say
from portal.errors import PortalError, ProviderProblem, SettingsProblem
from portal.extensions import close_connections, db
from portal.mailservers import mail_server
from portal.settings import Settings
from portal.sizes import size_text
from portal.storage import LocalStorage
from portal.tokens import make_token
from portal.uploads import list_sources
from portal.uploads.clamd import scanner_at


@click.command
def migrate() -> None:
    """Bring the database to the schema of this version; make it when there is none. May be repeated."""
    chosen = settings.load()
    chosen.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    schema.migrate(chosen.database_url)
    click.echo(f"The database is at schema {schema.head()}.")


@click.command
def check() -> None:
    """Look whether the settings can be read, the schema fits, the storage takes and gives back bytes, previews
    can be made, and the mail server lets the portal in.

    With nginx in front: whether it is believed, and reports what it sends. With a virus scanner: whether it answers,
    and what it never looks at. With a provider (OpenID Connect): whether it answers, and whether the groups it fills
    are there.
    """
    chosen = settings.load()
    click.echo(f"settings  data in {chosen.data}")
    results = [
        _reported("schema", _check_schema, chosen),
        _reported("storage", _check_storage, chosen),
        _reported("sources", _check_sources, chosen),
        _reported("previews", _check_previews, chosen),
        _reported("mail", _check_mail, chosen),
    ]
    if all(results) and chosen.offload != "none":
        results.append(_reported("offload", _check_offload, chosen))
    if chosen.clamd:
        results.append(_reported("clamd", _check_clamd, chosen))
        if all(results):
            _name_unscanned(chosen)
    if all(results) and chosen.oidc_issuer:
        results.append(_reported("provider", _check_provider, chosen))
    if not all(results):
        raise click.exceptions.Exit(1)


def _reported(what: str, look: Callable[[Settings], str], chosen: Settings) -> bool:
    """Print one line: what was found, or on stderr why it will not do."""
    try:
        click.echo(f"{what:<8}  {look(chosen)}")
    except PortalError as problem:
        click.echo(f"{what:<8}  {problem.sentence}", err=True)
    except DBAPIError as problem:
        click.echo(f"{what:<8}  The database does not answer: {first_line(problem.orig)}.", err=True)
    else:
        return True
    return False


def _check_provider(chosen: Settings) -> str:
    """A group that is missing is a remark: people come in without it."""
    app = create_app(replace(chosen, secret_key=chosen.secret_key or make_token()))  # looking makes no secret
    with app.app_context():
        try:
            missing = sorted({name for _, name in chosen.oidc_groups if accounts.find_group(name) is None})
        finally:
            db.session.remove()
            close_connections(app)
    if missing:
        say(f"oidc_groups names groups that are not there: {', '.join(missing)}.")
    try:
        app.extensions["portal.provider"].check()
    except ProviderProblem as problem:
        raise SettingsProblem(f"The provider {chosen.oidc_issuer} will not do: {problem.reason}.") from problem
    back = absolute(settings.last_address(chosen), "/login/provider/callback")
    return f"{chosen.oidc_issuer} answers; it must know the address {back}"


def _check_schema(chosen: Settings) -> str:
    require_schema(chosen.database_url)
    return f"at {schema.head()}, as this version needs it"


def _check_sources(chosen: Settings) -> str:
    missing = [f"{path} ({directory})" for path, directory in chosen.sources.items() if not directory.is_dir()]
    if missing:
        raise SettingsProblem(f"The directory of {', '.join(missing)} is not there.")
    return ", ".join(chosen.sources) or "none"


def _check_storage(chosen: Settings) -> str:
    storage = LocalStorage(chosen.storage)
    storage.prepare()
    storage.check()
    return f"{size_text(storage.free_bytes())} free in {storage.root}"


def _check_mail(chosen: Settings) -> str:
    server = mail_server(chosen.mail_url)
    if server is None:
        return "printed by the worker: no mail server is set"
    try:
        notices.try_server(server, chosen)
    except notices.NotTaken as problem:
        reason = str(problem).rstrip(".")
        raise SettingsProblem(f"The mail server {server.name} does not let the portal in: {reason}.") from problem
    return f"{server.name} answers"


def _check_previews(chosen: Settings) -> str:
    """Without a fence the portal works as well, with less to look at: that is a remark, too."""
    try:
        previews.try_fence(chosen)
    except previews.FenceMissing as problem:
        say(f"This machine cannot put a fence around what makes previews, so none are made: {problem}.")
        return "none are made"
    return f"made behind a fence of {chosen.preview_memory_mib} MiB and {chosen.preview_seconds} seconds each"


def _check_clamd(chosen: Settings) -> str:
    if not scanner_at(chosen.clamd).is_alive():
        raise SettingsProblem(f"The virus scanner at {chosen.clamd} does not answer: what comes in is held.")
    return f"{chosen.clamd} answers"


def _name_unscanned(chosen: Settings) -> None:
    """A remark: whoever runs a scanner may believe that it looks at everything."""
    with opened(replace(chosen, secret_key=chosen.secret_key or make_token())):  # looking makes no secret
        shown = {*chosen.sources, *(source.path for source in list_sources())}
    if shown:
        say(f"Nobody looks for viruses in the files of directories shown in place: {', '.join(sorted(shown))}.")


def _check_offload(chosen: Settings) -> str:
    """Remarks on what would go wrong slowly; none of it keeps the portal from working."""
    if not chosen.trusted_proxies:
        say("trusted_proxies is empty: everybody who comes through nginx counts as one network.")
    with opened(replace(chosen, secret_key=chosen.secret_key or make_token())):  # looking makes no secret
        late = downloads.count_late_reports()
    if late:
        words = counted(late, "transfer", "transfers")
        say(f"{words} handed over more than an hour ago and not reported. Is `portal ledger follow` running?")
    return f"{chosen.offload} sends the documents in {chosen.storage / 'blobs'}"
