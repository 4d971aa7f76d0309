"""Sabotage twins: each takes one line out of a copy of the package and expects the test that guards it to fail.

A guard nobody has seen fail proves nothing. If the line is no longer there, the twin fails too.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.guarding import ENDED
from tests.forking import ROOT, Forks

pytestmark = [pytest.mark.twin, pytest.mark.faults]

COPIED = ("portal", "tests", "migrations", "config", "pyproject.toml")
PASSED, FAILED = ENDED, ENDED + 1
"""What pytest exits with when all tests that it ran passed, or some failed."""


@dataclass(frozen=True)
class Twin:
    """One line of the package, what stands there instead, and the test that must notice."""

    name: str
    file: str
    line: str
    instead: str
    test: str


TWINS = [
    Twin(
        "fsync",
        "portal/storage/incoming.py",
        "            os.fsync(self._descriptor)\n",
        "            pass\n",
        "tests/storage/test_local.py -k flush",
    ),
    Twin(
        "used < max",
        "portal/shares/links.py",
        "        or_(ShareLink.max_downloads.is_(None), ShareLink.used < ShareLink.max_downloads),\n",
        "",
        "tests/shares -k 'limit and sqlite'",
    ),
    Twin(
        "one copy by a ticket",
        "portal/downloads/ledger.py",
        "            budgets.require_budget(last, edition.size, edition.size if is_scattered else length_of(wanted))\n",
        "            pass\n",
        "tests/downloads/test_budgets.py -k 'twelve_who_fetch_all and sqlite'",
    ),
    Twin(
        "readable on the download line",
        "portal/catalog/editions.py",
        "    return Prepared(editions(number).where(named, access.visible(level)))\n",
        "    return Prepared(editions(number).where(named))\n",
        "tests/views/test_download.py -k 'without_the_right and sqlite'",
    ),
    Twin(
        "a route without permission",
        "portal/views/__init__.py",
        "    guard.require_declared(app)\n",
        "",
        "tests/views/test_guard.py -k without_a_permission",
    ),
    Twin(
        "the last block waits for the ledger",
        "portal/downloads/sending.py",
        "            self._tell(where)\n        self._offered = where\n",
        "            pass\n        self._offered = where\n",
        "tests/downloads/test_sending.py -k 'no_last_block and sqlite'",
    ),
    Twin(
        "the last block the kernel sends waits for the ledger",
        "portal/downloads/sending.py",
        "            self._tell(where)\n        began = time.monotonic()\n",
        "            pass\n        began = time.monotonic()\n",
        "tests/downloads/test_direct.py -k before_the_last_block",
    ),
    Twin(
        "no member of a zip ends before its row",
        "portal/downloads/zipping.py",
        "            self._tell(block)\n            return block.where, content\n",
        "            return block.where, content\n",
        "tests/downloads/test_zipping.py -k 'no_member_ends and sqlite'",
    ),
    Twin(
        "no member of a zip the kernel sends ends before its row",
        "portal/downloads/zipping.py",
        "            self._tell(block)\n        began",
        "        began",
        "tests/downloads/test_zip_direct.py -k no_member_ends",
    ),
    Twin(
        "ranges of one download are merged",
        "portal/downloads/ledger.py",
        "        merged = merge([*had, *handed, *before])\n",
        "        merged = merge(handed)\n",
        "tests/downloads/test_sending.py -k 'whoever_comes_back and sqlite'",
    ),
    Twin(
        "what an answer offered is known when its worker dies",
        "portal/downloads/transfers.py",
        "        for gap in gaps:\n",
        "        for gap in ():\n",
        "tests/downloads/test_going_on.py -k at_once_is_believed",
    ),
    Twin(
        "a blob of another size is not opened",
        "portal/storage/local.py",
        "        if opened.size != size:\n",
        "        if opened.size < 0:\n",
        "tests/storage/test_local.py -k another_size",
    ),
    Twin(
        "delegated before the redirect",
        "portal/downloads/delegations.py",
        "    return ledger.racing(lambda find: _delegate(claim, edition, span, name, find))\n",
        "    return Delegated(edition, span, name, uuid4())\n",
        "tests/offload/test_redirect.py -k 'committed_before and sqlite'",
    ),
    Twin(
        "a report counts once",
        "portal/downloads/delegations.py",
        '_TAKE = delete(Delegation).where(Delegation.uuid == bindparam("this"))',
        '_TAKE = select(Delegation.start, Delegation.stop).where(Delegation.uuid == bindparam("this"))  # ',
        "tests/offload/test_delegations.py -k 'read_twice and sqlite'",
    ),
    Twin(
        "nginx looks at no range the portal did not",
        "config/nginx.conf",
        "                max_ranges 0;  # the portal decided: all of it, whatever Range says\n",
        "",
        "tests/offload/test_answers.py -k 'any_condition or oracle'",
    ),
    Twin(
        "the length check of an upload",
        "portal/views/requests.py",
        '            environ.pop("wsgi.input_terminated", None)\n',
        "            pass\n",
        "tests/faults/test_arrivals.py -k shorter_than_announced",
    ),
    Twin(
        "the offset of a go",
        "portal/uploads/resumable/receiving.py",
        "    if offset != there:\n",
        "    if offset < 0:\n",
        "tests/views/test_uploads.py -k another_place",
    ),
    Twin(
        "a go is on the disk before its offset is told",
        "portal/uploads/resumable/receiving.py",
        "    partial.flush()\n",
        "",
        "tests/uploads/test_resumable.py -k 'does_not_flush and sqlite'",
    ),
    Twin(
        "a row knows what its bytes have before they leave their file",
        "portal/uploads/resumable/finishing.py",
        "            commit(upload, partial, sha256=received.sha256)\n",
        "            pass\n",
        "tests/faults/test_upload_kills.py -k 'acknowledged and r9'",
    ),
    Twin(
        "nothing is kept of what nobody may send any more",
        "portal/uploads/resumable/finishing.py",
        "    _require_publisher(actor, get_progress(upload.id).target)\n",
        "",
        "tests/uploads/test_resumable.py -k 'any_more_are_not_kept and sqlite'",
    ),
    Twin(
        "the right to publish is asked again where an upload is written down",
        "portal/uploads/resumable/finishing.py",
        "        access.require_permission(actor, category_id, PUBLISH)  # first: ",
        "        # ",
        "tests/uploads/test_resumable.py -k 'is_asked_for_again and sqlite-category'",
    ),
    Twin(
        "where an upload goes is held before its row",
        "portal/uploads/resumable/finishing.py",
        "            target = _hold_target(actor, upload)\n            facts = _close(upload)\n",
        "            facts = _close(upload)\n            target = _hold_target(actor, upload)\n",
        "tests/uploads/test_finishing_beside.py -k dropped",
    ),
    Twin(
        "what is there already is told where one may publish, and nowhere else",
        "portal/uploads/knowing.py",
        "    shown = access.shown_categories(actor, PUBLISH).subquery()\n",
        "    shown = access.shown_categories(actor).subquery()\n",
        "tests/views/test_known.py -k 'only_read and sqlite'",
    ),
    Twin(
        "the comparison of a file with what was seen of it",
        "portal/downloads/opening.py",
        "        if opened.stamp != edition.seen or edition.damage is not None:\n",
        "        if edition.damage is not None:\n",
        "tests/faults/test_damage.py -k at_random",
    ),
    Twin(
        "the comparison of hashes",
        "portal/downloads/looking.py",
        '    damage = None if found == kept.sha256 else "unreadable" if found is None else "bytes"\n',
        '    damage = "unreadable" if found is None else None\n',
        "tests/integrity/test_scrubbing.py -k 'finds_rot and sqlite'",
    ),
    Twin(
        "the last look at a file before its last block leaves",
        "portal/downloads/sending.py",
        "            if len(block) == where.length and (not self._is_last(where) or self._opened.is_unchanged()):\n",
        "            if len(block) == where.length:\n",
        "tests/downloads/test_damage.py -k breaks_it_off",
    ),
    Twin(
        "a mail that is claimed is nobody else's",
        "portal/notices/sending.py",
        "values(tries=Mail.tries + 1, due_at=db_later(LEASE_SECONDS), ",
        "values(tries=Mail.tries + 1, ",
        "tests/notices/test_sending.py -k 'nobody_ended and sqlite'",
    ),
    Twin(
        "a mail is written off when it was taken, and not before",
        "portal/notices/sending.py",
        "            try:\n                carrier.carry",
        "            _write_off(mail)\n            try:\n                carrier.carry",
        "tests/faults/test_mail_kills.py -k 'recipient and sqlite'",
    ),
    Twin(
        "what became of a document is written with its change",
        "portal/catalog/bulk_edits/running.py",
        "            _write(edit_id, document_id, _change(edit_id, document_id))\n",
        "            verdict = _change(edit_id, document_id)\n"
        "        with transaction():\n"
        "            _write(edit_id, document_id, verdict)\n",
        "tests/faults/test_bulk_kills.py -k 'unwritten and sqlite'",
    ),
    Twin(
        "a category of one reader's own is sealed",
        "portal/catalog/recipients.py",
        "    seal_category(actor, category.id, True)\n",
        "",
        "tests/uploads/test_distributing.py -k 'only_its_person and sqlite'",
    ),
    Twin(
        "a category that others read too is given nothing",
        "portal/catalog/recipients.py",
        "        _require_alone(category, own_id, recipient)\n",
        "",
        "tests/uploads/test_distributing.py -k 'theirs_alone_any_more and sqlite'",
    ),
    Twin(
        "what became of a file is written where it is filed",
        "portal/uploads/distributing/running.py",
        '    upload.state, upload.outcome, upload.blob_id = "done", outcome.kind, None\n',
        '    db.session.commit()\n    upload.state, upload.outcome, upload.blob_id = "done", outcome.kind, None\n',
        "tests/faults/test_distribution_kills.py -k 'committed and sqlite'",
    ),
    Twin(
        "a distribution does what was looked at",
        "portal/uploads/distributing/running.py",
        "        if plan.seal != seal or ",
        "        if ",
        "tests/uploads/test_distributing.py -k 'looked_at and sqlite'",
    ),
    Twin(
        "a file request takes no more than it says",
        "portal/uploads/requesting/receiving.py",
        "is_live(), has_places, has_room)",
        "is_live())",
        "tests/uploads/test_requesting.py -k 'exceed_a_limit and sqlite'",
    ),
    Twin(
        "the room of a file request is taken with what fills it",
        "portal/uploads/requesting/receiving.py",
        "    _reserve(request, len(files), total)\n",
        "    _reserve(request, len(files), total)\n    session.commit()\n",
        "tests/faults/test_request_kills.py -k 'wholly and q8-1'",
    ),
    Twin(
        "a challenge that is used up",
        "portal/accounts/passkeys/challenges.py",
        "        spent = delete(Challenge).where(*live).returning(Challenge.id)\n",
        "        spent = select(Challenge.id).where(*live)\n",
        "tests/accounts/test_passkeys.py -k 'answered_once and sqlite'",
    ),
    Twin(
        "the counter of a passkey",
        "portal/accounts/passkeys/signing.py",
        "    rises = Passkey.sign_count < count if count else Passkey.sign_count == 0\n",
        "    rises = Passkey.id == passkey_id\n",
        "tests/accounts/test_passkeys.py -k 'does_not_rise and sqlite'",
    ),
    Twin(
        "a passkey that makes sure of the person",
        "portal/accounts/passkeys/signing.py",
        "            require_user_verification=True,\n",
        "",
        "tests/accounts/test_passkeys.py -k 'without_making_sure and sqlite'",
    ),
    Twin(
        "headers that no thread waits for",
        "portal/cli/worker.py",
        "            return super().handle(conn) if self._has_head(conn) else AWAITED\n",
        "            return super().handle(conn)\n",
        "tests/cli/test_heads.py -k 'hold_no_thread and letter'",
    ),
    Twin(
        "a password that is counted before it is looked at",
        "portal/accounts/entering.py",
        "    with one_try(*guess_limits(email, network, find_device(email, devices))):\n",
        "    if True:\n",
        "tests/accounts/test_throttle.py -k 'eleventh and sqlite'",
    ),
    Twin(
        "a code that is counted before it is looked at",
        "portal/accounts/second.py",
        "    with one_try(*limits):\n",
        "    if True:\n",
        "tests/accounts/test_second.py -k 'counted_before and sqlite'",
    ),
    Twin(
        "a code that is taken once",
        "portal/accounts/apps.py",
        "AuthenticatorApp.last_counter < counter)\n",
        "AuthenticatorApp.last_counter <= counter)\n",
        "tests/accounts/test_second.py -k 'worth_nothing_at_the_next and sqlite'",
    ),
    Twin(
        "a recovery code that is gone with its use",
        "portal/accounts/recovery.py",
        "    if db.session.execute(delete(RecoveryCode).where(*mine)",
        "    if db.session.execute(delete(RecoveryCode).where(*mine, RecoveryCode.id < 0)",
        "tests/accounts/test_second.py -k 'recovery_code_lets_in and sqlite'",
    ),
    Twin(
        "a session that ends with signing out",
        "portal/accounts/sessions.py",
        "        session.execute(delete(Session).where(Session.id == person.session_id))\n",
        "",
        "tests/accounts/test_sessions.py -k 'copied_before and sqlite'",
    ),
    Twin(
        "nobody is led elsewhere after signing in",
        "portal/views/guard.py",
        '    if not is_plain or not target.startswith("/") or target.startswith("//"):\n',
        '    if not target.startswith("/"):\n',
        "tests/views/test_second.py -k 'led_elsewhere and sqlite'",
    ),
    Twin(
        "a revoked token opens nothing",
        "portal/accounts/bearers.py",
        "    .where(ApiToken.revoked_at.is_(None), ApiToken.expires_at > db_now())\n",
        "    .where(ApiToken.expires_at > db_now())\n",
        "tests/accounts/test_api_tokens.py -k 'revoked_token and sqlite'",
    ),
    Twin(
        "a token does no more than its scope",
        "portal/views/guard.py",
        "    if needed not in held:\n        raise ScopeMissing(needed)\n",
        "",
        "tests/views/test_tokens.py -k 'scope_that_is_missing and sqlite'",
    ),
    Twin(
        "whoever sees the portal as somebody else changes nothing",
        "portal/views/guard.py",
        "    if asked.method not in SAFE:\n        raise Forbidden(NOTHING_CHANGES.format(who.name))\n",
        "",
        "tests/views/test_viewing.py -k 'nothing_can_be_changed and sqlite'",
    ),
    Twin(
        "an address that confirms an email sets no password",
        "portal/accounts/tokens.py",
        "    if found.user_id is None or found.purpose not in SETS_PASSWORD:\n",
        "    if found.user_id is None:\n",
        "tests/accounts/test_readdressing.py -k 'sets_no_password and sqlite'",
    ),
    Twin(
        "an address that was corrected takes what was sent to the old one with it",
        "portal/accounts/people.py",
        "    spend_open_tokens(user.id)\n",
        "",
        "tests/accounts/test_people.py -k 'old_one_is_free and sqlite'",
    ),
    Twin(
        "a reset ends every session",
        "portal/accounts/people.py",
        "Session.id != (keep_session or 0)",
        "Session.id == 0",
        "tests/accounts/test_resetting.py -k 'ends_every_session and sqlite'",
    ),
    Twin(
        "three resets in an hour",
        "portal/accounts/resetting.py",
        "        if user is not None and user.disabled_at is None and _count_recent(user) < MOST_MAILS:\n",
        "        if user is not None and user.disabled_at is None:\n",
        "tests/accounts/test_resetting.py -k 'three_mails and sqlite'",
    ),
    Twin(
        "a list does what was shown",
        "portal/accounts/inviting.py",
        "    if seal is not None and plan.seal != seal:\n",
        "    if False:\n",
        "tests/accounts/test_inviting.py -k 'what_was_shown and sqlite'",
    ),
    Twin(
        "a quota is looked at where the room is taken",
        "portal/accounts/quotas.py",
        "        if used + size > limit.most:\n",
        "        if used > limit.most:\n",
        "tests/accounts/test_quotas.py -k 'begin_at_once and sqlite'",
    ),
    Twin(
        "no door gives out what has a virus",
        "portal/downloads/opening.py",
        "    require_released(edition)\n",
        "",
        "tests/uploads/test_scanning.py -k 'quarantined_while and sqlite'",
    ),
    Twin(
        "no copy of what has a virus is called good",
        "portal/views/delivery.py",
        "    require_released(edition)\n",
        "",
        "tests/views/test_scans.py -k 'condition and infected'",
    ),
    Twin(
        "what comes in waits to be looked at",
        "portal/catalog/scans.py",
        "    return WAITING\n",
        "    return None\n",
        "tests/uploads/test_scanning.py -k 'before_the_scanner and sqlite'",
    ),
    Twin(
        "the fence of calls around what looks at documents",
        "portal/previews/fenced/running.py",
        "        filter_self()\n",
        "",
        "tests/previews/test_fence.py -k 'has_no_network'",
    ),
    Twin(
        "the limit of memory of what looks at documents",
        "portal/previews/fenced/limits.py",
        "        (resource.RLIMIT_AS, task.memory),\n",
        "",
        "tests/previews/test_fence.py -k 'too_much_memory'",
    ),
    Twin(
        "what looks at documents makes sure of its fence",
        "portal/previews/fenced/running.py",
        "        _require_fenced()\n",
        "",
        "tests/previews/test_fence.py -k 'without_a_fence'",
    ),
    Twin(
        "images are there before a row says so",
        "portal/previews/making.py",
        "            storage().albums.keep(claimed.sha256, MAKER, [image.data for image in outcome.images])\n",
        "            write_off(claimed, outcome, maker.kind, MAKER)\n",
        "tests/previews/test_making.py -k 'full_disk and sqlite'",
    ),
    Twin(
        "nothing is shown of bytes that are damaged",
        "portal/previews/showing.py",
        "sound.where(Version.id == edition.version_id, is_given_out()).exists()\n",
        "sound.where(Version.id == edition.version_id).exists()\n",
        "tests/views/test_previews.py -k 'bytes_that_are_damaged'",
    ),
    Twin(
        "no image is shown of bytes that are held back",
        "portal/views/previews.py",
        "    require_released(edition)\n",
        "",
        "tests/views/test_previews.py -k 'held_back_are_refused'",
    ),
    Twin(
        "the predicate behind the tokens of search",
        "portal/search/reaching.py",
        "    return set((run if more is not None else ask)(statement, **values).scalars())\n",
        "    return {key & IDS for key in keys}\n",
        "tests/search/test_finding.py -k 'the_predicate_decides and sqlite'",
    ),
]


@pytest.fixture(scope="module")
def guards() -> Iterator[Forks]:
    """The process whose forks run the guarding tests."""
    with Forks("tests.faults.guarding") as process:
        yield process


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package with its tests; a twin leaves it as it was."""
    copy = tmp_path_factory.mktemp("twins")
    for name in COPIED:
        take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        take(ROOT / name, copy / name)
    yield copy
    shutil.rmtree(copy)


@pytest.mark.timeout(300)
def test_every_guard_passes_before_anything_is_taken_out(guards: Forks, copy: Path) -> None:
    """All of them at once: one by one they would cost as much as the twins."""
    tests = [twin.test for twin in TWINS]
    assert guards.order(copy=str(copy), tests=tests, options=[]) == PASSED, guards.output


@pytest.mark.timeout(300)
@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_the_guard_notices(guards: Forks, twin: Twin, copy: Path) -> None:
    file = copy / twin.file
    source = file.read_text()
    assert source.count(twin.line) == 1, f"the line of the twin is not there any more: {twin.line!r}"
    file.write_text(source.replace(twin.line, twin.instead))
    try:
        assert guards.order(copy=str(copy), tests=[twin.test], options=["-x"]) == FAILED, guards.output
    finally:
        shutil.copy2(ROOT / twin.file, file)
