"""The documents of the demonstration that are made of figures, which add up. Pure."""

from collections.abc import Iterable
from datetime import date, timedelta

from portal.cli.demo.names import BAKERY, HOUSE, INSTRUMENTS
from portal.cli.demo.papers import Body, Row, csv_table, pdf

STAFF = (("Yusuf Demir", 3_100), ("Hanna Korhonen", 2_900), ("Mateo Silva", 2_400), ("Aoife Byrne", 1_300))
MONDAY, SATURDAY = 0, 5


def annual_accounts(client: str, year: int, stock: int) -> bytes:
    """Two pages: profit and loss, what there is, notes; ``stock`` is what second editions correct."""
    scale = 1 if client == BAKERY else 3
    profit_and_loss = {
        "Turnover": 842_600 * scale,
        "Cost of materials": -301_480 * scale,
        "Staff": -318_900 * scale,
        "Rent and energy": -96_210 * scale,
        "Depreciation": -28_450 * scale,
        "Other costs": -41_300 * scale,
    }
    assets = {
        "Equipment and fittings": 186_300 * scale,
        "Stock": stock,
        "Owed by customers": 24_160 * scale,
        "Cash at bank": 73_920 * scale,
    }
    body: Body = [
        "Profit and loss:",
        "",
        *_rows(profit_and_loss, "Profit before tax"),
        "",
        "What the company has:",
        "",
        *_rows(assets, "Total assets"),
        "",
        "Notes:",
        "",
        "1. The accounts follow the going concern principle. Figures are in euro, rounded to ten.",
        f"2. Stock was counted on 31 December and stands at cost: {_money(stock)}.",
        "3. Machines are written off over eight years, fittings over ten.",
        "4. Nothing happened after the balance sheet date that would change these figures.",
        "",
        "We have prepared these accounts from your books and from what you told us. Please tell us within two weeks "
        "if anything in them surprises you; after that we file them.",
        "",
        "Ingrid Lindholm",
    ]
    return pdf(HOUSE, f"Annual accounts {year}", f"{client} · for the year that ended on 31 December {year}", body)


def payslips(month: date) -> bytes:
    """What four people earned in a month."""
    body: list[str | Row] = []
    for name, gross in STAFF:
        parts = {"Gross pay": gross, "Income tax": -gross * 16 // 100, "Social insurance": -gross * 19 // 100}
        body += [f"{name}:", "", *_rows(parts, "Paid out"), ""]
    body.append("Paid into each account on the last working day of the month. Keep payslips for as long as you work.")
    return pdf(HOUSE, f"Payslips {month:%B %Y}", f"{BAKERY} · four people", body)


def payroll_journal() -> bytes:
    """The same month as it stands in the books."""
    gross = sum(pay for _, pay in STAFF)
    tax, insurance = gross * 16 // 100, gross * 19 // 100
    rows = [
        ("4120", "Wages", gross, ""),
        ("4130", "Social insurance, employer", insurance, ""),
        ("1740", "Wages to pay", "", gross - tax - insurance),
        ("1741", "Income tax to pay", "", tax),
        ("1742", "Social insurance to pay", "", 2 * insurance),
    ]
    return csv_table(("Account", "Name", "Debit", "Credit"), rows)


def trial_balance() -> bytes:
    """Debit equals credit."""
    rows = [
        ("0420", "Ovens and machines", 142_300, 0),
        ("0650", "Shop fittings", 44_000, 0),
        ("0970", "Loans", 0, 156_620),
        ("1200", "Bank", 73_920, 0),
        ("1400", "Owed by customers", 24_160, 0),
        ("1600", "Owed to suppliers", 0, 38_470),
        ("2000", "Capital", 0, 50_000),
        ("3970", "Stock", 16_970, 0),
        ("9000", "Profit of the year", 0, 56_260),
    ]
    return csv_table(("Account", "Name", "Debit", "Credit"), rows)


def cash_book(year: int) -> bytes:
    """One line for every day the shop was open, with what the till took and what went to the bank."""
    rows, cash = [], 400
    for number in range(365):
        day = date(year, 1, 1) + timedelta(days=number)
        if day.weekday() == MONDAY:
            continue
        takings = 1_480 + 460 * (day.weekday() >= SATURDAY) + (number * 37) % 290
        banked = (cash + takings) // 500 * 500 - 500
        cash += takings - banked
        rows.append((day.isoformat(), f"Till, {day:%A}", takings, banked, cash))
    return csv_table(("Date", "What", "In", "To the bank", "Cash"), rows)


def fixed_assets(year: int) -> bytes:
    """Machines and the like, with their years of use."""
    rows = [
        ("M-01", "Deck oven", year, 8, 61_500),
        ("M-02", "Spiral mixer", year - 3, 8, 14_800),
        ("F-01", "Counter and shelves", year - 5, 10, 39_400),
        ("V-01", "Delivery van, electric", year - 1, 6, 36_900),
    ]
    return csv_table(("Number", "What", "Bought", "Years", "Cost"), rows)


def vat_return(client: str, quarter: str, sales: int, purchases: int) -> bytes:
    """One page, amounts in euro."""
    body: Body = [
        "Sales, purchases and the tax on them:",
        "",
        Row("Sales without tax", (_money(sales),)),
        Row("Purchases without tax", (_money(purchases),)),
        "",
        *_rows({"Tax on sales": sales // 5, "Tax on purchases": -(purchases // 5)}, "To pay"),
        "",
        "The return was filed electronically. The amount is collected on the 28th; nothing is left for you to do.",
    ]
    return pdf(HOUSE, f"VAT return {quarter}", client, body)


def tax_computation(year: int) -> bytes:
    """From the profit in the accounts to the tax."""
    steps = {
        "Profit in the accounts": 56_260,
        "Entertainment, half of it": 1_140,
        "Fines": 90,
        "Loss brought forward": -7_400,
    }
    body: Body = [
        *_rows(steps, "Taxable profit"),
        "",
        Row("Tax at 25 percent", (_money(sum(steps.values()) // 4),)),
        "",
        "Advance payments are taken off before the rest falls due. The assessment takes about ten weeks.",
    ]
    return pdf(HOUSE, f"Tax computation {year}", BAKERY, body)


def stock_count(*, is_complete: bool) -> bytes:
    """What lay in the warehouse; the first count forgot a shelf."""
    rows = [
        ("A-10", "Pressure gauge 0-16 bar", 340, "18.40"),
        ("A-11", "Pressure gauge 0-40 bar", 120, "21.75"),
        ("C-03", "Thermocouple type K", 860, "6.10"),
        ("D-20", "Display module", 75, "44.90"),
        ("H-01", "Housing, stainless", 210, "31.00"),
    ]
    forgotten = [("P-88", "Torque sensor, calibrated", 14, "212.00")]
    return csv_table(("Place", "What", "Pieces", "Cost each"), rows + (forgotten if is_complete else []))


def research_allowance(year: int) -> bytes:
    """A draft: hours are missing."""
    spent = {"Wages of two engineers": 68_200, "Materials used up": 9_940, "Outside laboratory": 12_500}
    body: Body = [*_rows(spent, "Spent on research"), "", "The hours of the spring project are still missing."]
    return pdf(HOUSE, f"Research allowance {year}", f"{INSTRUMENTS} · draft", body)


def rates() -> bytes:
    """What a kilometre and a meal count for."""
    rows = [
        ("Car", "km", "0.38"),
        ("Bicycle", "km", "0.25"),
        ("Breakfast", "meal", "5.60"),
        ("Full day away", "day", "28.00"),
    ]
    return csv_table(("What", "Unit", "EUR"), rows)


def _money(amount: int) -> str:
    return f"{amount:,}" if amount >= 0 else f"({-amount:,})"


def _rows(figures: dict[str, int], total: str) -> Iterable[Row]:
    yield from (Row(label, (_money(amount),)) for label, amount in figures.items())
    yield Row(total, (_money(sum(figures.values())),), is_total=True)
