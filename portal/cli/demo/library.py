"""What is in the demonstration: an accountants' office, its clients, and what lies on their shelves. Pure data."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from portal.cli.demo import figures, texts
from portal.cli.demo.names import BAKERY, INSTRUMENTS
from portal.cli.demo.papers import png_bars

ALL, OFFICE = "For all clients", "Office"
TAKINGS = (61, 58, 66, 71, 74, 70, 63, 60, 72, 79, 84, 97)


@dataclass(frozen=True)
class Person:
    """Somebody with an account; without ``has_password`` they are still invited."""

    name: str
    email: str
    role: str
    groups: tuple[str, ...] = ()
    is_admin: bool = False
    has_password: bool = True


@dataclass(frozen=True)
class Paper:
    """One edition of a document. ``age`` is in days: negative lies ahead, None is a draft."""

    shelf: str
    title: str
    filename: str
    content: bytes
    age: int | None
    description: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)
    """Name to what stands in it, of what ``FIELDS`` asks for."""


INGRID = Person("Ingrid Lindholm", "ingrid@ferreira-lindholm.example", "administrator", (OFFICE,), is_admin=True)
TOMAS = Person("Tomás Ferreira", "tomas@ferreira-lindholm.example", "publisher", (OFFICE,))
LEILA = Person("Leila Haddad", "leila@cedar-bakery.example", "reader at Cedar Bakery", (BAKERY,))
KENJI = Person("Kenji Watanabe", "kenji@watanabe.example", "reader at Watanabe Instruments", (INSTRUMENTS,))
ROSA = Person("Rosa Almeida", "rosa@cedar-bakery.example", "invited", (BAKERY,), has_password=False)
PEOPLE = (INGRID, TOMAS, LEILA, KENJI, ROSA)
GRANTS = (
    (BAKERY, BAKERY, "read"),
    (INSTRUMENTS, INSTRUMENTS, "read"),
    (ALL, None, "read"),
    (OFFICE, OFFICE, "read"),
    (BAKERY, OFFICE, "publish"),
    (INSTRUMENTS, OFFICE, "publish"),
    (ALL, OFFICE, "publish"),
)
"""Category, group (None is everyone), permission."""
STATE, AMOUNT = "State", "Amount to pay"
TO_CHECK, SIGNED, FILED = "For you to check", "Signed", "Filed"
FIELDS = tuple(
    (path, name, kind, choices)
    for path in (BAKERY, INSTRUMENTS)
    for name, kind, choices in ((STATE, "choice", (TO_CHECK, SIGNED, FILED)), (AMOUNT, "number", ()))
)
"""Category, name, kind, what may be chosen."""
VAT, YEAR_END, PAYROLL, RULES = "VAT", "Year end", "Payroll", "New rules"
SEARCHES = (
    (LEILA, "VAT returns", f"tag:{VAT}", True),
    (KENJI, "What is new in the rules", f'tag:"{RULES}"', False),
    (TOMAS, "Year end of the bakery", f'tag:"{YEAR_END}" in:"{BAKERY}"', False),
)
"""Whose, its name, what it looks for, whether a mail tells what is new in it."""
FOLLOWS = ((LEILA, f"{ALL}/Circulars"), (TOMAS, INSTRUMENTS))
PUBLISHERS = {BAKERY: TOMAS, ALL: TOMAS, INSTRUMENTS: INGRID, OFFICE: INGRID}
"""Who puts documents onto the shelves of a top category; the publisher may not do so in the office's own."""


def first_editions(today: date) -> list[Paper]:
    """Every document as it first came; the years and months in them follow the calendar."""
    return [*_bakery(today), *_instruments(today), *_for_all(today), *_office()]


def second_editions(today: date) -> list[Paper]:
    """What came after readers already had the first one."""
    year = today.year - 1
    accounts = figures.annual_accounts(BAKERY, year, 18_420)
    counted = figures.stock_count(is_complete=True)
    shelf, other_shelf = f"{BAKERY}/Annual accounts", f"{INSTRUMENTS}/Annual accounts"
    note = "Flour counted again: note 2 and total assets changed."
    return [
        Paper(shelf, f"Annual accounts {year}", f"annual-accounts-{year}.pdf", accounts, 2, note=note),
        Paper(other_shelf, f"Stock count {year}", f"stock-count-{year}.csv", counted, 3, note="Shelf P added."),
    ]


def _bakery(today: date) -> list[Paper]:
    letters = f"{BAKERY}/Letters"
    lease = "Lease of the second shop: what it means for tax"
    return [
        *_bakery_books(today.year - 1),
        *_bakery_payroll(_last_months(today, 3)),
        *_bakery_tax(today.year - 1, _last_quarter(today)),
        Paper(letters, "Engagement letter", "engagement-letter.pdf", texts.engagement_letter(), 320),
        Paper(letters, lease, "second-shop-lease.pdf", texts.second_shop(), 9),
    ]


def _bakery_books(year: int) -> list[Paper]:
    books = f"{BAKERY}/Annual accounts"
    accounts = figures.annual_accounts(BAKERY, year, 16_970)
    reading = "Balance sheet, profit and loss, notes. Please read note 2 first."
    return [
        Paper(
            books,
            f"Annual accounts {year}",
            f"annual-accounts-{year}.pdf",
            accounts,
            41,
            reading,
            tags=(YEAR_END,),
            fields={STATE: TO_CHECK},
        ),
        Paper(books, f"Trial balance {year}", f"trial-balance-{year}.csv", figures.trial_balance(), 48),
        Paper(books, f"Cash book {year}", f"cash-book-{year}.csv", figures.cash_book(year), 48),
        Paper(books, f"Fixed asset register {year}", f"fixed-assets-{year}.csv", figures.fixed_assets(year), 48),
        Paper(books, "Takings by month", "takings-by-month.png", png_bars(TAKINGS), 20, "The dip is the new oven."),
    ]


def _bakery_payroll(months: list[date]) -> list[Paper]:
    payroll, last = f"{BAKERY}/Payroll", months[0]
    journal = f"payroll-journal-{last:%Y-%m}.csv"
    slips = [
        Paper(
            payroll,
            f"Payslips {month:%B %Y}",
            f"payslips-{month:%Y-%m}.pdf",
            figures.payslips(month),
            age,
            tags=(PAYROLL,),
        )
        for month, age in zip(months, (4, 34, 64), strict=True)
    ]
    return [
        *slips,
        Paper(payroll, f"Payroll journal {last:%B %Y}", journal, figures.payroll_journal(), 4, tags=(PAYROLL,)),
    ]


def _bakery_tax(year: int, quarter: str) -> list[Paper]:
    tax = f"{BAKERY}/Tax"
    vat = figures.vat_return(BAKERY, quarter, 148_310, 61_205)
    filed = "Filed; the amount is collected on the 28th."
    paid = {STATE: FILED, AMOUNT: "17421"}
    return [
        Paper(
            tax, f"VAT return {quarter}", f"vat-return-{_slug(quarter)}.pdf", vat, 12, filed, tags=(VAT,), fields=paid
        ),
        Paper(tax, f"Tax computation {year}", f"tax-computation-{year}.pdf", figures.tax_computation(year), 38),
    ]


def _instruments(today: date) -> list[Paper]:
    year, quarter = today.year - 1, _last_quarter(today)
    books, tax, audit = (f"{INSTRUMENTS}/{name}" for name in ("Annual accounts", "Tax", "Audit"))
    accounts = figures.annual_accounts(INSTRUMENTS, year, 91_300)
    counted = figures.stock_count(is_complete=False)
    vat = figures.vat_return(INSTRUMENTS, quarter, 402_950, 233_115)
    research = figures.research_allowance(year)
    waiting = "Waiting for the hours of the spring project."
    signed = {STATE: SIGNED}
    paid = {STATE: FILED, AMOUNT: "33967"}
    return [
        Paper(
            books,
            f"Annual accounts {year}",
            f"annual-accounts-{year}.pdf",
            accounts,
            55,
            tags=(YEAR_END,),
            fields=signed,
        ),
        Paper(books, f"Stock count {year}", f"stock-count-{year}.csv", counted, 60, tags=(YEAR_END,)),
        Paper(tax, f"VAT return {quarter}", f"vat-return-{_slug(quarter)}.pdf", vat, 11, tags=(VAT,), fields=paid),
        Paper(tax, f"Research allowance {year}", f"research-allowance-{year}.pdf", research, None, waiting),
        Paper(audit, "Audit timetable", "audit-timetable.pdf", texts.audit_timetable(today), 6),
        Paper(audit, "What the auditors ask for", "audit-requests.csv", texts.audit_requests(), 6),
    ]


def _for_all(today: date) -> list[Paper]:
    this, following = today.year, today.year + 1
    circulars, forms, dates = (f"{ALL}/{name}" for name in ("Circulars", "Forms", "Rates and deadlines"))
    changes, year_end = texts.changes(following), texts.year_end_letter(following)
    mileage = texts.empty_form("Date", "From", "To", "Purpose", "Kilometres")
    expenses = texts.empty_form("Date", "What for", "Receipt", "Net", "VAT", "Gross")
    ready = "Electronic invoices: are you ready?"
    page = "Thresholds, wages and two new duties, on one page."
    return [
        Paper(
            circulars,
            f"What changes on 1 January {following}",
            f"changes-{following}.pdf",
            changes,
            1,
            page,
            tags=(RULES,),
        ),
        Paper(circulars, ready, "electronic-invoices.pdf", texts.electronic_invoices(), 75, tags=(RULES, VAT)),
        Paper(circulars, f"Year-end letter {following}", f"year-end-letter-{following}.pdf", year_end, -21),
        Paper(forms, "Form for new staff", "new-staff.pdf", texts.new_staff(), 210),
        Paper(forms, "Mileage log", "mileage-log.csv", mileage, 210),
        Paper(forms, "Expense claim", "expense-claim.csv", expenses, 210),
        Paper(dates, f"Deadlines {following}", f"deadlines-{following}.txt", texts.deadlines(following), 5),
        Paper(dates, f"Mileage and meal rates {this}", f"rates-{this}.csv", figures.rates(), 290),
    ]


def _office() -> list[Paper]:
    shelf = f"{OFFICE}/Handbook"
    return [
        Paper(shelf, "How we name files", "how-we-name-files.md", texts.file_names(), 400),
        Paper(shelf, "Who looks after whom", "who-looks-after-whom.csv", texts.responsibilities(), 30),
    ]


def _last_months(today: date, count: int) -> list[date]:
    """The first days of the months before this one, the latest first."""
    months = [today.replace(day=1)]
    for _ in range(count):
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months[1:]


def _last_quarter(today: date) -> str:
    """The quarter before this one, such as ``2026 Q3``."""
    number = (today.month - 1) // 3
    return f"{today.year} Q{number}" if number else f"{today.year - 1} Q4"


def _slug(text: str) -> str:
    return text.lower().replace(" ", "-")
