"""People and groups. Passwords come on standard input or are set by the person; they never stand in a command."""

from typing import BinaryIO

import click

from portal import accounts, catalog
from portal.accounts.quotas import change_quota_of_person, room_of_person
from portal.accounts.references import change_reference
from portal.accounts.rules import reset_factors
from portal.addresses import default_base_url, setup_address
from portal.cli.inputs import get_group, get_user, read_list, read_password
from portal.cli.installation import opened
from portal.cli.output import (
    as_json,
    at_most,
    counted,
    moment_json,
    moment_text,
    print_columns,
    print_json_array,
    print_texts,
    say,
)
from portal.errors import BadInput
from portal.extensions import settings
from portal.models import User
from portal.settings import last_address
from portal.sizes import read_size, size_text

PAGE = 500

password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@click.group
def user() -> None:
    """Add people, change them, limit what they put in, give them one-time addresses, list, import, erase them."""


@user.command("add")
@click.argument("email")
@click.option("--name", required=True, help="What the person is called.")
@click.option("--admin", is_flag=True, help="May do everything.")
@password_stdin
def add_user(email: str, name: str, admin: bool, password_stdin: bool) -> None:
    """Add a person. Without a password, print a one-time address where they set one, for seven days.

    It also goes to them by mail, where PORTAL_MAIL_URL names a mail server.
    """
    password = read_password() if password_stdin else None
    with opened():
        if password is None:
            invited, token = accounts.invite_user(None, email, name, is_admin=admin)
            _print_invitation(invited, token)
        else:
            added = accounts.add_user(None, email, name, password, is_admin=admin)
            click.echo(f"{added.name} has an account now: {added.email}")


@user.command("reset")
@click.argument("email")
def reset_user(email: str) -> None:
    """Print a one-time address where a person sets a password. Until then the old one works, if there is one.

    It also goes to them by mail, where PORTAL_MAIL_URL names a mail server.
    """
    with opened():
        person = get_user(email)
        time = "for a day" if person.password_hash else "for seven days"
        token = accounts.issue_address(None, person.id)
        _print_address(token, f"{person.name} sets a password at this address. It works once, {time}{_mailed(person)}.")


@user.command("readdress")
@click.argument("email")
@click.argument("new_email", metavar="NEW")
def readdress_user(email: str, new_email: str) -> None:
    """Give a person another email address. Password and sessions stay; one-time addresses made before work no more.

    For who never signed in, print a new one, which works for seven days and goes to the new address by mail, too,
    where PORTAL_MAIL_URL names a mail server.
    """
    with opened():
        one = get_user(email)
        changed, token = accounts.correct_user(None, one.id, name=one.name, is_admin=one.is_admin, email=new_email)
        if token is None:
            click.echo(f"{changed.name} signs in as {changed.email} now.")
        else:
            say(f"{changed.name} has the address {changed.email} now.")
            _print_invitation(changed, token)


@user.command("disable")
@click.argument("email")
def disable_user(email: str) -> None:
    """Keep a person out: sessions, one-time addresses and API tokens end at once. The password stays."""
    with opened():
        one = get_user(email)
        accounts.disable_user(None, one.id)
        click.echo(f"{one.name} is disabled: nobody signs in as {one.email}.")


@user.command("enable")
@click.argument("email")
def enable_user(email: str) -> None:
    """Let a disabled person in again, with the password they had."""
    with opened():
        one = get_user(email)
        accounts.enable_user(None, one.id)
        click.echo(f"{one.name} may sign in as {one.email} again.")


@user.command("erase")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase_user(email: str, yes: bool) -> None:
    """Erase a person for good: name, address and everything to sign in with. What they did stays, without a name."""
    with opened():
        one = get_user(email)
        if not yes:
            click.confirm(f"Erase {one.name} ({one.email}) for good?", abort=True, err=True)
        old = one.email
        click.echo(f"{old} is erased. The ledger calls them {catalog.erase_person(None, one.id)} from now on.")


@user.command("quota")
@click.argument("email")
@click.argument("size")
def limit_user(email: str, size: str) -> None:
    """Let a person put in at most SIZE, such as 500MB or 1.5GB, or none for no limit. What is there already stays."""
    with opened():
        one, quota = get_user(email), read_size(size)
        change_quota_of_person(None, one.id, quota)
        click.echo(f"{one.name} has put in {size_text(room_of_person(one.id).used)}{at_most(quota)}.")


@user.command("reference")
@click.argument("email")
@click.argument("reference")
def refer_to_user(email: str, reference: str) -> None:
    """Give a person the REFERENCE by which the organisation knows them, such as a staff number; "" for none."""
    with opened():
        one = change_reference(None, get_user(email).id, reference)
        click.echo(f"{one.name} has {f'the reference {one.reference}' if one.reference else 'no reference'} now.")


@user.command("import")
@click.argument("file", metavar="FILE.csv", type=click.File("rb"))
@click.option("--group", "group_names", metavar="GROUP", multiple=True, help="Put everybody into it, too.")
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@click.option("--skip-broken", is_flag=True, help="Take the others when some lines cannot be taken.")
def import_users(file: BinaryIO, group_names: tuple[str, ...], dry_run: bool, skip_broken: bool) -> None:
    """Invite everybody in FILE.csv, a CSV with the columns email, name, groups and reference, or lines with addresses.

    - is standard input. All of them or nobody: when a line cannot be taken, nothing is done, unless told to skip it.
    Who has an account joins the groups and gets the reference. Invitations go out by mail where PORTAL_MAIL_URL names a
    mail server; otherwise each is printed, as address of the person, comma, one-time address.
    """
    text = read_list(file)
    with opened():
        group_ids = [get_group(name).id for name in group_names]
        plan = accounts.plan_invitations(text, group_ids)
        for row in plan.rows:
            if row.kind == accounts.BROKEN:
                say(f"Line {row.line}: {row.email}: {row.problem}")
        if dry_run:
            _print_plan(plan)
            return
        if plan.counts["broken"] and not skip_broken:
            lines = counted(plan.counts["broken"], "line", "lines")
            raise BadInput(f"{lines} cannot be taken. Nothing was done; --skip-broken takes the others.")
        invited = accounts.invite_all(None, text, group_ids, plan.seal)
        _say_invited(invited)


@user.command("export")
def export_users() -> None:
    """Print everybody as a CSV, which `portal user import` reads again."""
    with opened():
        print_texts(accounts.export_people(None))


@user.command("reset-factors")
@click.argument("email")
def reset_factors_of_user(email: str) -> None:
    """Remove app, passkeys and recovery codes of a person who lost them. They are signed out; the password stays."""
    with opened():
        one = get_user(email)
        had_some = reset_factors(None, one.id)
        click.echo(f"{one.name} has no second factor {'any more' if had_some else 'to remove'}.")


@user.command("list")
@as_json
def list_users(as_json: bool) -> None:
    """List everybody with an account, by name."""
    with opened():
        people = _all_people()
    if as_json:
        print_json_array(_person(one) for one in people)
        return
    print_columns(("Name", "Address", "Role", "Account", "Last here"), [_columns(one) for one in people])


def _print_plan(plan: accounts.Plan) -> None:
    for row in plan.rows:
        joins = ", ".join(plan.names[group_id] for group_id in sorted(row.groups))
        if row.kind == accounts.NEW:
            click.echo(f"{row.email}: would be invited as {row.name}{', into ' if joins else ''}{joins}")
        elif row.kind == accounts.KNOWN and joins:
            click.echo(f"{row.email}: has an account, would join {joins}")
        if row.kind == accounts.KNOWN and row.reference:
            click.echo(f"{row.email}: has an account, would get the reference {row.reference}")
    counts = plan.counts
    click.echo(
        f"{counted(counts['new'], 'person', 'people')} would be invited, {counts['joining']:,} of"
        f" {counted(counts['known'], 'account', 'accounts')} would join groups, {counts['broken']:,} cannot be taken."
    )


def _say_invited(invited: accounts.Invited) -> None:
    """One-time addresses on standard output, for programs, where no mail brings them to people."""
    base_url = last_address(settings())
    by_mail, number = accounts.sends_mail(), counted(len(invited.people), "person is", "people are")
    say(f"{number} invited{' by mail' if by_mail else ''}, {invited.joined:,} joined groups.")
    if invited.referred:
        say(f"{counted(invited.referred, 'account has a reference', 'accounts have references')} now.")
    if by_mail:
        return
    for person, token in invited.people:
        click.echo(f"{person.email},{setup_address(base_url, token)}")
    if invited.people:
        warn_of_default(base_url)


def _print_invitation(person: User, token: str) -> None:
    time = f"It works once, for seven days{_mailed(person)}."
    _print_address(token, f"{person.name} chooses a password at this address. {time}")


def _mailed(person: User) -> str:
    """How a sentence about a one-time address ends where it also leaves by mail."""
    return f", and was mailed to {person.email}" if accounts.sends_mail() else ""


def _print_address(token: str, sentence: str) -> None:
    """The address alone on standard output, for programs; what it is beside it, for people."""
    say(sentence)
    base_url = last_address(settings())
    click.echo(setup_address(base_url, token))
    warn_of_default(base_url)


def warn_of_default(base_url: str) -> None:
    """Say where a printed address leads when neither a setting nor an earlier start says where the portal is."""
    if not base_url:
        say(f"PORTAL_BASE_URL is not set: this address is right if the portal is at {default_base_url()}.")


def _all_people() -> list[User]:
    page = accounts.list_people(limit=PAGE)
    people = page.people
    while page.after is not None:
        page = accounts.list_people(after=page.after, limit=PAGE)
        people = people + page.people
    return people


def _person(one: User) -> dict[str, object]:
    return {
        "id": one.id,
        "uuid": str(one.uuid),
        "email": one.email,
        "name": one.name,
        "reference": one.reference,
        "is_admin": one.is_admin,
        "has_password": one.password_hash is not None,
        "disabled_at": moment_json(one.disabled_at),
        "seen_at": moment_json(one.seen_at),
    }


def _columns(one: User) -> tuple[str, ...]:
    role = "administrator" if one.is_admin else ""
    return one.name, one.email, role, accounts.state_of_person(one), moment_text(one.seen_at)
