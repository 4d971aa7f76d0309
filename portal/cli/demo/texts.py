"""The documents of the demonstration that are made of words: letters, circulars, lists and forms. Pure."""

from datetime import date, timedelta

from portal.cli.demo.names import BAKERY, HOUSE, INSTRUMENTS
from portal.cli.demo.papers import Body, Row, csv_table, pdf

CIRCULAR = "A circular for all clients"


def engagement_letter() -> bytes:
    """What the office does, needs and costs."""
    body: Body = [
        "Dear Leila Haddad,",
        "",
        f"thank you for choosing us. This letter says what we do for {BAKERY}, what we need and what it costs.",
        "",
        "What we do:",
        "",
        "Every month the payroll, every quarter the VAT return, every year the accounts and the tax computation. We "
        "answer questions within one working day and tell you about deadlines before they come.",
        "",
        "What we need:",
        "",
        "Your receipts by the fifth of the month, photographed or on paper, and a word when something unusual "
        "happens: a new lease, a new colleague, a machine sold.",
        "",
        "What it costs:",
        "",
        Row("Each month", ("340",)),
        Row("The accounts, once a year", ("2,150",)),
        "",
        "Either of us may end this with three months' notice. Your documents stay yours and stay here for ten years.",
        "",
        "With kind regards",
        "",
        "Tomás Ferreira",
    ]
    return pdf(HOUSE, "Engagement letter", BAKERY, body)


def second_shop() -> bytes:
    """A letter about a lease."""
    body: Body = [
        "Dear Leila,",
        "",
        "we read the draft lease of the second shop. It is a fair one. Three things matter for tax.",
        "",
        "1. The deposit is not a cost; it stands in the balance sheet until you move out.",
        "2. The three months without rent are spread over the ten years of the lease.",
        "3. What you build in is yours for tax, although it belongs to the landlord. Send us those invoices apart.",
        "",
        "Ask the landlord to charge VAT on the rent: you can reclaim it, and he may renovate more cheaply.",
        "",
        "Good luck with it",
        "",
        "Tomás",
    ]
    return pdf(HOUSE, "Lease of the second shop", "What it means for tax", body)


def audit_timetable(today: date) -> bytes:
    """Five steps, the first in a few weeks."""
    steps = (
        "Stock counted with the auditors",
        "Papers complete in this category",
        "Auditors in the house, three days",
        "Questions answered",
        "Closing meeting",
    )
    days = [today + timedelta(days=24 + 9 * index) for index in range(len(steps))]
    rows = [Row(step, (f"{day:%d.%m.%Y}",)) for step, day in zip(steps, days, strict=True)]
    body: Body = [*rows, "", "Kenji, please keep the first day free for your warehouse."]
    return pdf(HOUSE, "Audit timetable", INSTRUMENTS, body)


def audit_requests() -> bytes:
    """A list that grows shorter."""
    rows = [
        (1, "Minutes of the owners' meetings", "open"),
        (2, "Bank confirmations", "sent"),
        (3, "List of legal disputes", "none"),
        (4, "Stock count sheets, signed", "here"),
        (5, "Loan contracts", "open"),
    ]
    return csv_table(("Number", "What", "State"), rows)


def changes(year: int) -> bytes:
    """What is new on 1 January."""
    body: Body = [
        "Thresholds:",
        "",
        "Small businesses stay free of VAT up to a turnover of 25,000 euro. Whoever grows beyond it during the year "
        "charges VAT from the invoice that crosses the line.",
        "",
        "Wages:",
        "",
        "The minimum wage rises. Look at contracts with fixed hours: the month must still fit.",
        "",
        "Two new duties:",
        "",
        "Invoices between businesses may be asked for in electronic form. Tills must be reported within a month of "
        "buying them. We report yours; send us the invoice of the till.",
    ]
    return pdf(HOUSE, f"What changes on 1 January {year}", CIRCULAR, body)


def electronic_invoices() -> bytes:
    """A duty explained."""
    body: Body = [
        "An electronic invoice is a file a program can read, not a PDF sent by mail. You must be able to receive one. "
        "A mailbox is enough for that.",
        "",
        "What to do:",
        "",
        "1. Choose one address for invoices and tell your suppliers.",
        "2. Forward what arrives there to us as it is. Do not print it.",
        "3. Keep the file for ten years; here is a good place.",
    ]
    return pdf(HOUSE, "Electronic invoices: are you ready?", CIRCULAR, body)


def year_end_letter(year: int) -> bytes:
    """Scheduled: it is sent in three weeks."""
    body: Body = [
        "What we need from you by the end of January, as every year:",
        "",
        "The stock list, the cash book, the mileage logs and the balance of every loan.",
        "",
        "Thank you for another year of trust.",
    ]
    return pdf(HOUSE, f"Year-end letter {year}", CIRCULAR, body)


def new_staff() -> bytes:
    """A form to print."""
    fields = (
        "Name",
        "Date of birth",
        "Address",
        "Tax number",
        "Social insurance number",
        "Bank account",
        "First day",
        "Hours a week",
        "Pay agreed",
    )
    body = [line for field in fields for line in (f"{field}:", "", "")]
    return pdf(HOUSE, "Form for new staff", "Send it to us before the first day of work", body)


def empty_form(*columns: str) -> bytes:
    """A table to fill in."""
    return csv_table(columns, [[""] * len(columns)] * 20)


def deadlines(year: int) -> bytes:
    """Plain text, in two columns."""
    dates = (
        ("10 of each month", "VAT, monthly returns"),
        ("15 of each month", "Wage tax"),
        ("31 January", "VAT, fourth quarter"),
        ("28 February", "Annual wage statements"),
        ("31 March", "Stock lists"),
        ("31 July", "Income tax, without adviser"),
        ("31 December", "Annual accounts to be published"),
    )
    lines = [f"Deadlines {year}", "", *(f"{day:<18} {what}" for day, what in dates), ""]
    lines.append("We remind you of those that concern you, two weeks before.")
    return "\n".join([*lines, ""]).encode()


def file_names() -> bytes:
    """A page of the handbook."""
    return (
        b"# How we name files\n\n"
        b"Small letters, hyphens, and the period at the end: `vat-return-2026-q3.pdf`.\n"
        b"Never `final`, never `new`: the portal counts versions for us.\n"
    )


def responsibilities() -> bytes:
    """Who answers when a client calls."""
    rows = [(BAKERY, "Tomás Ferreira", "Ingrid Lindholm"), (INSTRUMENTS, "Ingrid Lindholm", "Tomás Ferreira")]
    return csv_table(("Client", "First", "Second"), rows)
