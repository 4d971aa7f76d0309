"""Finding: every operator means the same on both databases, and the one predicate decides about each document."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, text

from portal import search
from portal.actors import Actor
from portal.catalog import change_category, describing, move_category
from portal.errors import BadRequest
from portal.extensions import db, transaction
from portal.models import PUBLISH, Category, CategoryField, Document, DocumentTag, FieldValue, Tag, User
from portal.search import catch_up, finding, reaching, walking
from portal.search.asking import resolve
from portal.search.reaching import Keys
from portal.search.rows import IDS, scope_fact
from portal.search.terms import distance, forget_terms
from tests import makers
from tests.databases import POSTGRESQL_ONLY, SQLITE_ONLY

pytestmark = pytest.mark.usefixtures("context")

PAST = datetime(2020, 1, 1, tzinfo=UTC)
ADMIN = Actor(user_id=None, is_admin=True)


@pytest.fixture
def shelf() -> Category:
    return makers.category("reports/2018")


@pytest.fixture
def library(shelf: Category) -> dict[str, Document]:
    """A few documents of several kinds, by a short name; the later in the list, the newer."""
    ada, bob = makers.person("Ada Byron"), makers.person("Bob Śliwa")
    contracts = makers.category("Contracts/Leases of 2018")
    made = {
        "invoice": makers.document(shelf, "Rechnung-2024_0815.pdf", title="Rechnung für Müller & Söhne"),
        "report": makers.document(shelf, "annual-report.docx", title="The annual report", created_by_id=ada.id),
        "sheet": makers.document(contracts, "figures.XLSX", title="Annual figures", responsible_id=bob.id),
        "tokyo": makers.document(contracts, "tokyo.pdf", title="東京都の報告書", reference="AZ 12/345-b"),
        "described": makers.document(contracts, "x.txt", title="Lease", description="With the annual cost. Report it."),
        "crêpes": makers.document(contracts, "Cre\u0302pes.pdf", title="Crêpes à l’orange", created_by_id=ada.id),
    }
    for year, document in enumerate(made.values(), 2018):
        makers.change(document, published_at=datetime(year, 3, 1, tzinfo=UTC))
    _tag(made["invoice"], "Paid bills")
    _tag(made["report"], "Paid")
    _fill(made["sheet"], "Cost centre", "CC-4711")
    return made


def _tag(document: Document, name: str) -> None:
    with transaction() as session:
        tag = Tag(name=name, name_key=search.folded(name))
        session.add(tag)
        session.flush()
        session.execute(insert(DocumentTag).values(document_id=document.id, tag_id=tag.id))
        search.index_documents([document.id])


def _fill(document: Document, name: str, value: str) -> None:
    with transaction() as session:
        field = CategoryField(category_id=document.category_id, name=name, name_key=search.folded(name), kind="text")
        session.add(field)
        session.flush()
        session.execute(insert(FieldValue).values(document_id=document.id, field_id=field.id, value=value))
        search.index_documents([document.id])


def found(query: str, actor: Actor = ADMIN) -> list[int]:
    return search.find(actor, search.parse(query)).document_ids


CASES = [
    ("annual", "described sheet report"),
    ("ANNUAL figures", "sheet"),
    ("annual report", "described report"),
    ('"annual report"', "report"),
    ("“annual report”", "report"),
    ('"annual report', "report"),
    ("annual-report", "report"),
    ("annual-report.docx", "report"),
    ("ann*", "described sheet report"),
    ("annu*", "described sheet report"),
    ("annua*", "described sheet report"),
    ('"the ann"*', "described report"),
    ("annual -report", "sheet"),
    ('annual -"annual report"', "described sheet"),
    ("-annual", "crêpes tokyo invoice"),
    ("-annual -tokyo -type:pdf", ""),
    ("rechnung", "invoice"),
    ("0815", "invoice"),
    ("2024", "invoice"),
    ("Rechnung-2024_0815.pdf", "invoice"),
    ("muller", "invoice"),
    ("Müller & Söhne", "invoice"),
    ("crepes", "crêpes"),
    ("CRÊPES L'ORANGE", "crêpes"),
    ("報告", "tokyo"),
    ("京東", ""),
    ("東京* -報告", ""),
    ("AZ-12", "tokyo"),
    ("12/345", "tokyo"),
    ("cc 4711", "sheet"),
    ("CC-4711", "sheet"),
    ("bills", "invoice"),
    ("type:pdf", "crêpes tokyo invoice"),
    ("TYPE:.PDF", "crêpes tokyo invoice"),
    ("type:docx type:xlsx", "sheet report"),
    ("-type:pdf", "described sheet report"),
    ("in:reports", "report invoice"),
    ("in:reports/2018", "report invoice"),
    ("in:/Reports/2018/", "report invoice"),
    ('in:"Contracts/Leases of 2018" annual', "described sheet"),
    ("-in:reports -type:pdf", "described sheet"),
    ("in:nowhere", ""),
    ("-in:nowhere annual", "described sheet report"),
    ("tag:paid", "report"),
    ('tag:"paid bills"', "invoice"),
    ("-tag:paid annual", "described sheet"),
    ("tag:unknown", ""),
    ("by:ada", "crêpes report"),
    ('by:"Ada Byron"', "crêpes report"),
    ("by:byr", "crêpes report"),
    ("by:bob.", "sheet"),
    ("by:me", ""),
    ("-by:ada annual", "described sheet"),
    ("after:2022", "crêpes described"),
    ("before:2019", "invoice"),
    ("after:2019-03-01 before:2019-03-02", "report"),
    ("after:2019-03-02 before:2019-04", ""),
    ("after:1.3.2019 before:02.03.2019", "report"),
    ("-after:2019", "invoice"),
    ("after:yesterday annual", "described sheet report"),
    ("foo:annual", ""),
    ("type:", ""),
    ("the:annual", "described report"),
    ("12:345", "tokyo"),
    ("&", ""),
]


def test_a_query_means_what_it_says(library: dict[str, Document]) -> None:
    names = {document.id: name for name, document in library.items()}
    assert [(query, " ".join(names[one] for one in found(query))) for query, _ in CASES] == CASES


def test_both_databases_take_whatever_is_typed(library: dict[str, Document]) -> None:
    reader = makers.person("Reader")
    makers.grant(makers.category("reports"), user=reader)
    for typed in ["'", "a' | 'b", "\\", '" OR *', "NEAR(a b)", "{title}: x", "a:* & !", "x" * 5000, "-" * 999, "東*",
                 "\x00", "\ud800", "in:\ud800", "tag:\x00x", "by:%_", "by:\\", "in:%", 'in:"a', "-*", "*%_*",
                 "after:0001", "before:9999-12-31", "type:%", "a-b-c-d-" * 50,
                 " ".join(f"w{n}*" for n in range(90))]:  # fmt: skip
        query = search.parse(typed)
        search.find(makers.actor(reader), query)
        search.find(ADMIN, query, by_relevance=True)
        search.suggest(ADMIN, typed)
        search.facets(ADMIN, query)
        search.snippet(query, typed)


def test_the_predicate_decides_behind_the_tokens_about_each_document() -> None:
    reader = makers.person("Reader")
    mine, theirs = makers.category("mine"), makers.category("theirs")
    makers.grant(mine, user=reader)
    seen = makers.document(mine, "secret plan.pdf")
    hidden = makers.document(theirs, "secret plan of theirs.pdf")
    _claim(hidden, mine)

    assert found("secret", makers.actor(reader)) == [seen.id]
    assert search.facets(makers.actor(reader), search.parse("secret")).total == 1
    assert search.suggest(makers.actor(reader), "sec") == [seen.id]
    assert search.count_since(makers.actor(reader), search.parse("secret"), makers.now(days=-1)) == 1
    assert search.find(makers.actor(reader), search.parse("theirz")).corrected == ""


def _claim(document: Document, category: Category) -> None:
    """Have the index say that whoever may see this category may see this document."""
    if db.engine.dialect.name == "sqlite":
        change = "UPDATE document_words SET facts = facts || :sqlite WHERE rowid = :key"
    else:
        change = "UPDATE document_words SET words = words || CAST(:postgresql AS tsvector) WHERE key = :key"
    fact = scope_fact(category.id)
    with transaction() as session:
        values = {"sqlite": f" {fact}", "postgresql": f"'{fact}'", "key": document.search_key}
        session.execute(text(change).bindparams(**{name: values[name] for name in values if f":{name}" in change}))


def test_drafts_are_found_by_who_publishes_there() -> None:
    reader, publisher = makers.person("Reader"), makers.person("Publisher")
    shelf = makers.category()
    makers.grant(shelf, user=reader)
    makers.grant(shelf, user=publisher, permission=PUBLISH)
    draft = makers.document(shelf, published_at=None)

    assert found("report", makers.actor(reader)) == []
    assert found("report", makers.actor(publisher)) == [draft.id]
    query = search.parse("report")
    assert search.find(makers.actor(publisher), query, only_out=True).document_ids == []


def test_a_seal_and_a_move_are_in_force_at_once_and_the_tokens_follow() -> None:
    reader = makers.person("Reader")
    upper, lower, other = makers.category("a"), makers.category("a/b"), makers.category("c")
    makers.grant(upper, user=reader)
    made = makers.document(lower)
    assert found("report", makers.actor(reader)) == [made.id]

    change_category(None, lower.id, name="b", description="", is_sealed=True)
    makers.release()
    assert found("report", makers.actor(reader)) == []

    change_category(None, lower.id, name="b", description="", is_sealed=False)
    move_category(None, lower.id, other.id)
    makers.release()
    assert found("report", makers.actor(reader)) == []

    makers.grant(other, user=reader)
    search.catch_up(lambda: False)
    assert found("report", makers.actor(reader)) == [made.id]


def test_capitals_in_the_path_of_a_category_make_no_difference_even_where_there_are_two() -> None:
    lower, upper = (makers.document(makers.category(path), f"{path}.pdf") for path in ("reports", "Reports"))
    makers.release()

    assert sorted(found("in:REPORTS")) == sorted(found("in:reports")) == sorted([lower.id, upper.id])


def test_capitals_of_other_letters_in_a_path_make_no_difference_either() -> None:
    made = [makers.document(makers.category("X/Ärzte"), f"{number}.pdf").id for number in range(2)]
    makers.document(makers.category("X/Orzte"), "other.pdf")
    makers.release()

    assert found('in:"x/ÄRZTE"') == found("in:X/ärzte") == made[::-1]


def test_old_paths_lead_on() -> None:
    made = makers.document(makers.category("a/b"))
    change_category(None, made.category_id, name="other", description="", is_sealed=False)
    makers.release()

    assert found("in:a/b") == found("in:a/other") == [made.id]


def test_pages_follow_each_other_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.search.walking.FIRST_WALK", 4)
    monkeypatch.setattr("portal.search.walking.LONGEST_WALK", 8)
    reader = makers.person("Reader")
    mine, theirs = makers.category("mine"), makers.category("theirs")
    makers.grant(mine, user=reader)
    made = [makers.document((mine, theirs, mine)[n % 3], f"report {n}.pdf", published_at=PAST) for n in range(30)]
    expected = [document.id for document in reversed(made) if document.category_id == mine.id]

    pages, after = [], None
    while True:
        hits = search.find(makers.actor(reader), search.parse("report"), after=after, limit=3)
        pages.append(hits.document_ids)
        after = hits.after
        if after is None:
            break

    assert [one for page in pages for one in page] == expected
    assert all(len(page) == 3 for page in pages[:-1])
    assert found("-paper", makers.actor(reader)) == expected
    assert len(found("-paper")) == len(found("type:pdf")) == len(found("rep*")) == 30


@pytest.mark.parametrize("after", ["x", "-1", "٣", "1" * 20, "1.5"])
@SQLITE_ONLY
def test_what_is_no_page_is_refused(after: str) -> None:
    with pytest.raises(BadRequest):
        search.find(ADMIN, search.parse("x"), after=after)


def test_the_best_of_the_newest_come_first() -> None:
    shelf = makers.category()
    titles = ["Notes", "The annual report of all", "Annual report", "Report, annual", "annual-report.pdf"]
    made = {title: makers.document(shelf, f"{n}.pdf", title=title) for n, title in enumerate(titles)}
    makers.change(made["Notes"], description="The annual report")
    makers.change(made["annual-report.pdf"], title="x", filename="annual-report.pdf")

    ids = search.find(ADMIN, search.parse("annual report"), by_relevance=True).document_ids

    order = ["Annual report", "The annual report of all", "Report, annual", "annual-report.pdf", "Notes"]
    assert ids == [made[title].id for title in order]


def test_a_mistyped_word_is_understood() -> None:
    names = ["Rechnung 2024.pdf", "Jahresbericht.pdf", "Versicherungspolice.pdf", "Brief.pdf"]
    made = {name: makers.document(makers.category(), name) for name in names}
    search.catch_up(lambda: False)
    for typed, meant, name in [
        ("Rechnug", "rechnung", "Rechnung 2024.pdf"),
        ("rehcnung 2024", "rechnung 2024", "Rechnung 2024.pdf"),
        ("Breif", "brief", "Brief.pdf"),
        ("xrief", "brief", "Brief.pdf"),
        ("Versichrungspolize", "versicherungspolice", "Versicherungspolice.pdf"),
        ("bericht", "*bericht*", "Jahresbericht.pdf"),
        ("type:pdf jahresbreicht", "type:pdf jahresbericht", "Jahresbericht.pdf"),
    ]:
        hits = search.find(ADMIN, search.parse(typed))
        assert (hits.corrected, hits.document_ids) == (meant, [made[name].id])
        assert search.find(ADMIN, search.parse(hits.corrected)).document_ids == hits.document_ids
    for typed in ("brf", "jahres xyzzy", "Vorschrift", "2023", '"rechnug 2024"', "-rechnug", "tag:rechnug"):
        assert search.find(ADMIN, search.parse(typed)).corrected == ""


def test_no_word_is_told_that_stands_only_where_somebody_may_not_read() -> None:
    reader = makers.person("Reader")
    makers.grant(makers.category("mine"), user=reader)
    makers.document(makers.category("mine"), "report.pdf")
    makers.document(makers.category("mine"), "takeover of draft.pdf", published_at=None)
    makers.document(makers.category("theirs"), "takeover.pdf")
    search.catch_up(lambda: False)

    for typed in ("takeovr", "akeove", "takeover"):
        hits = search.find(makers.actor(reader), search.parse(typed))
        assert (hits.document_ids, hits.corrected) == ([], "")


def test_suggestions_are_by_the_beginning_of_the_last_word_of_a_name() -> None:
    shelf = makers.category()
    report = makers.document(shelf, "annual-report.pdf", title="The whole year")
    other = makers.document(shelf, "x.pdf", title="Annual figures", description="no report")
    for typed, expected in [
        ("ann", [other, report]), ("annual rep", [report]), ("ANNUAL ", [other, report]), ("rep", [report]),
        ("the wh", [report]), ("annua report", []), ("year an", [report]), ("", []), ("a", []), ("no", []),
    ]:  # fmt: skip
        assert search.suggest(ADMIN, typed) == [document.id for document in expected], typed


def test_a_long_beginning_is_suggested_whether_its_words_are_known_or_not() -> None:
    shelf = makers.category()
    made = [
        makers.document(shelf, filename, title=title).id
        for title, filename in [("Takeovers", "a"), ("A takeover", "b.pdf"), ("The takeover bid", "c"), ("no", "20261")]
    ]
    makers.document(shelf, "d", title="no", description="takeover")
    number, newest_first = made.pop(), sorted(made, reverse=True)

    def check() -> None:
        for typed, expected in [
            ("takeo", newest_first), ("takeover", newest_first), ("takeovers", made[:1]), ("bid takeov", made[2:]),
            ("takeov bid", []), ("the takeover b", made[2:]), ("20261", [number]), ("takex", []),
        ]:  # fmt: skip
            assert search.suggest(ADMIN, typed) == expected, typed

    check()
    forget_terms()
    check()


def _shelves_of(reader: User) -> list[Category]:
    """More categories than are looked for together with the words."""
    shelves = [makers.category(f"shelf {number}") for number in range(3)]
    for shelf in shelves:
        makers.grant(shelf, user=reader)
    return shelves


@pytest.mark.parametrize("query", ["paper", "pape*", "papers*", "paper -draft"])
def test_what_is_older_than_much_that_somebody_may_not_read_is_found(
    query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in [
        ("FEW_CATEGORIES", 0), ("NARROW", -1), ("FEW", -1), ("FIRST_WALK", 1), ("MOST_INDEXED", 3), ("AHEAD", 3),
    ]:  # fmt: skip
        monkeypatch.setattr(walking, name, number)
    reader = makers.person()
    mine = [makers.document(shelf, "papers.pdf", title="A paper") for shelf in _shelves_of(reader)]
    elsewhere = makers.category("elsewhere")
    for number in range(12):
        makers.document(elsewhere, f"{number}.pdf", title="paper papers")

    for limit in (1, 2, 3):
        hits = search.find(makers.actor(reader), search.parse(query), limit=limit)
        assert hits.document_ids == [document.id for document in reversed(mine)][:limit]


@pytest.mark.parametrize("query", ["tag:paid", "tag:paid tag:old", "tag:paid -tag:none", "tag:paid paper"])
def test_what_has_a_tag_is_found_behind_much_that_somebody_may_not_read(
    query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "NARROW", -1)
    reader = makers.person()
    mine = [makers.document(shelf, "paper.pdf") for shelf in _shelves_of(reader)]
    others = [makers.document(makers.category("elsewhere"), f"{number} paper.pdf") for number in range(12)]
    tags = [Tag(name=name, name_key=name) for name in ("paid", "old")]
    with transaction() as session:
        session.add_all(tags)
        session.flush()
        rows = [{"document_id": one.id, "tag_id": tag.id} for one in (*mine, *others) for tag in tags]
        session.execute(insert(DocumentTag), rows)
        search.index_documents([row["document_id"] for row in rows])

    for limit in (1, 2, 3):
        hits = search.find(makers.actor(reader), search.parse(query), limit=limit)
        assert hits.document_ids == [document.id for document in reversed(mine)][:limit]
    makers.change(mine[1], published_at=makers.now(days=1))
    makers.release()
    with transaction():
        search.index_documents([mine[1].id])
    assert found(query, makers.actor(reader)) == [mine[2].id, mine[0].id]


@POSTGRESQL_ONLY
@pytest.mark.parametrize("query", ["paper", "pap*", "tag:blue"])
def test_how_much_somebody_sees_comes_with_what_they_reach(query: str, statements: list[str]) -> None:
    shelf, reader = makers.category(), makers.person()
    makers.grant(shelf, user=reader)
    made = makers.document(shelf, "paper.pdf")
    describing.change_document(None, made.id, tags=["blue"])
    search.index_documents([made.id])
    statements.clear()

    assert found(query, makers.actor(reader)) == [made.id]
    assert sum("document_count" in statement for statement in statements) == 1


@POSTGRESQL_ONLY
def test_the_index_is_asked_once_more_where_much_of_it_is_not_theirs(
    monkeypatch: pytest.MonkeyPatch, statements: list[str]
) -> None:
    monkeypatch.setattr(walking, "FEW_CATEGORIES", 0)
    monkeypatch.setattr(walking, "FIRST_WALK", 1)
    monkeypatch.setattr(reaching, "LONGEST_SEARCH", 0)
    monkeypatch.setattr(reaching, "LARGEST_WINDOW", 3)
    reader = makers.person()
    (mine, *_) = [makers.document(shelf, "paper.pdf") for shelf in _shelves_of(reader)]
    for number in range(20):
        makers.document(makers.category("shelf 1"), f"{number} paper.pdf", published_at=None)
    statements.clear()

    assert len(found("paper", makers.actor(reader))) == 3
    assert sum("found AS MATERIALIZED" in statement for statement in statements) == 2
    assert found("paper", makers.actor(reader))[-1] == mine.id


@POSTGRESQL_ONLY
def test_not_all_that_has_a_tag_is_looked_at_for_who_may_read_little_of_it(
    monkeypatch: pytest.MonkeyPatch, statements: list[str]
) -> None:
    monkeypatch.setattr(walking, "NARROW", -1)
    monkeypatch.setattr(walking, "LONGEST_WALK", 6)
    monkeypatch.setattr(reaching, "LONGEST_SEARCH", 0)
    monkeypatch.setattr(reaching, "LARGEST_WINDOW", 3)
    shelf, reader = makers.category(), makers.person()
    makers.grant(shelf, user=reader)
    mine = makers.document(shelf, "paper.pdf")
    describing.change_document(None, mine.id, tags=["paid"])
    for number in range(30):
        other = makers.document(makers.category("elsewhere"), f"{number} paper.pdf")
        describing.change_document(None, other.id, tags=["paid"])
    makers.release()
    statements.clear()

    assert found("tag:paid", makers.actor(reader)) == [mine.id]
    assert sum("FROM document_tags WHERE tag_id" in statement for statement in statements) == 3


def test_what_was_found_is_not_looked_for_again_by_who_wants_more_of_it(statements: list[str]) -> None:
    shelf, reader = makers.category(), makers.person()
    makers.grant(shelf, user=reader)
    made = [makers.document(shelf, f"{number} paper.pdf") for number in range(40)]
    secret = makers.category("secret")
    for number in range(0, 40, 3):
        makers.change(made[number], category_id=secret.id)
    mine = [document.id for number, document in reversed(list(enumerate(made))) if number % 3]
    makers.release()

    keys = Keys(makers.actor(reader), resolve(makers.actor(reader), search.parse("paper")))
    assert [[key & IDS for key in keys.first(most)] for most in (3, 4, 20)] == [mine[:3], mine[:4], mine[:20]]
    assert not keys.are_all
    assert [key & IDS for key in keys.first(100)] == mine
    assert keys.are_all
    statements.clear()
    assert [key & IDS for key in keys.first(100)] == mine
    assert statements == []


def test_after_so_many_that_were_looked_at_it_gives_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "FEW_CATEGORIES", 0)
    shelf, reader = makers.category(), makers.person()
    makers.grant(shelf, user=reader)
    mine = makers.document(shelf, "paper.pdf")
    for number in range(40):
        makers.document(makers.category("secret"), f"{number} paper.pdf")
    makers.release()

    keys = Keys(makers.actor(reader), resolve(makers.actor(reader), search.parse("paper")))
    assert keys.first(2, most_looked_at=15) == []
    assert not keys.are_all
    assert [key & IDS for key in keys.first(2)] == [mine.id]


def test_words_that_somebody_may_not_read_keep_none_of_theirs_from_being_meant() -> None:
    shelf, reader = makers.category(), makers.person()
    makers.grant(shelf, user=reader)
    mine = makers.document(shelf, "quarterly.pdf")
    secret = makers.category("secret")
    for letter in "abcdefghijkl":
        makers.document(secret, f"quartarl{letter}.pdf")
    catch_up(lambda: False)

    hits = search.find(makers.actor(reader), search.parse("quartarly"))
    assert (hits.corrected, hits.document_ids) == ("quarterly", [mine.id])


@pytest.mark.parametrize("query", ["paper", "papre"])
def test_the_best_is_found_behind_much_that_somebody_may_not_read(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in [("FEW_CATEGORIES", 0), ("NARROW", -1)]:
        monkeypatch.setattr(walking, name, number)
    monkeypatch.setattr(finding, "MOST_LOOKED_AT", 5)
    monkeypatch.setattr(reaching, "LARGEST_WINDOW", 3)
    shelf, reader = makers.category(), makers.person()
    makers.grant(shelf, user=reader)
    mine = makers.document(shelf, "paper.pdf")
    for number in range(12):
        makers.document(makers.category("secret"), f"{number} paper.pdf")
    catch_up(lambda: False)

    hits = search.find(makers.actor(reader), search.parse(query), by_relevance=True)
    assert hits.document_ids == [mine.id]
    assert hits.corrected == ("" if query == "paper" else "paper")


def test_facets_are_what_the_hits_have() -> None:
    ada = makers.person("Ada Byron")
    reports, leases = makers.category("reports"), makers.category("old leases")
    for number, shelf in enumerate((reports, reports, leases)):
        made = makers.document(shelf, f"paper {number}.pdf", created_by_id=ada.id)
        makers.change(made, published_at=datetime(2020 + number, 5, 1, tzinfo=UTC))
    _tag(made, "Paid bills")

    facets = search.facets(ADMIN, search.parse("paper"))

    hits = search.find(ADMIN, search.parse("paper"), limit=1)
    assert search.facets(ADMIN, search.parse("paper"), found=hits.keys) == facets
    assert facets == search.Facets(
        types=[("type:pdf", "pdf", 3)],
        categories=[("in:reports", "reports", 2), ('in:"old leases"', "old leases", 1)],
        tags=[('tag:"Paid bills"', "Paid bills", 1)],
        people=[('by:"Ada Byron"', "Ada Byron", 3)],
        years=[("after:2022 before:2023", "2022", 1), ("after:2021 before:2022", "2021", 1),
               ("after:2020 before:2021", "2020", 1)],
        total=3,
        is_capped=False,
    )  # fmt: skip
    for value, _, count in [*facets.types, *facets.categories, *facets.tags, *facets.people, *facets.years]:
        assert len(found(f"paper {value}")) == count


def test_what_is_new_since_a_moment_is_counted() -> None:
    shelf = makers.category()
    makers.document(shelf, "old report.pdf", published_at=PAST)
    makers.document(shelf, "new report.pdf")
    makers.document(shelf, "draft of a report.pdf", published_at=None)

    assert search.count_since(ADMIN, search.parse("report"), makers.now(hours=-1)) == 1
    assert search.count_since(ADMIN, search.parse("report"), PAST) == 1
    assert search.count_since(ADMIN, search.parse("report"), datetime(2000, 1, 1, tzinfo=UTC)) == 2
    assert search.count_since(ADMIN, search.parse(""), PAST) == 0


def test_addresses_are_known_only_to_who_publishes() -> None:
    ada, reader = makers.person("Ada Byron"), makers.person("Reader")
    shelf = makers.category()
    makers.grant(shelf, user=reader)
    made = makers.document(shelf, created_by_id=ada.id)

    assert found("by:ada.byr", makers.actor(reader)) == []
    assert found("by:ada.byron@example.org", makers.actor(reader)) == [made.id]
    assert found("by:ada.byr") == [made.id]


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [("report", "report", 0), ("report", "reprot", 1), ("report", "reort", 1), ("report", "rreport", 1),
     ("report", "repost", 1), ("report", "reports", 1), ("report", "rpeots", 3), ("abcd", "wxyz", 3)],
)  # fmt: skip
def test_slips_between_words_are_counted(one: str, other: str, slips: int) -> None:
    assert distance(one, other, 2) == distance(other, one, 2) == slips
