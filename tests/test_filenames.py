"""Names that people gave, and names that people made up to do harm."""

import re
from unicodedata import is_normalized, normalize
from urllib.parse import unquote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from portal.filenames import (
    archive_name,
    ascii_fallback,
    category_name_problem,
    clean,
    content_disposition,
    ends_in,
    extension,
    mixes_scripts,
    normal,
    numbered,
    title_of,
)
from tests.properties import examples

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # three emoji composed to one by joiners
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # a word with a non-joiner in it

# Everything that a rule speaks of, close together, so that rules meet each other in short names.
AWKWARD = (
    'aZ9_-.. ./\\:;%"<>|?*~$\x00\r\n\t\x1b\x7f\x85\xa0\xad\u0301\u0323\u061c\u200b\u200c\u200d\u200e\u2000\u2028'
    "\u202e\u2066\u2026\u2060\u212a\u037e\u1fef\ufeff\u0645\u062e\u540d\u00e9\u00b9\ud800\udfff\U0001f468\U000e0041"
)
anything = st.one_of(
    st.text(st.sampled_from(AWKWARD), max_size=40),
    st.text(st.characters(exclude_categories=()), max_size=300),
    st.tuples(
        st.text(st.sampled_from(AWKWARD), max_size=10),
        st.sampled_from(["con", "NUL", "com1", "desktop.ini", "x" * 210, "\u540d" * 70, "a\u0301" * 90, ".pdf"]),
        st.text(st.sampled_from(AWKWARD), max_size=10),
    ).map("".join),
)
many = examples(100)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("weather_report.csv", "weather_report.csv"),
        ("Annual Report 2018.PDF", "Annual Report 2018.PDF"),
        ("desktop.ini", "desktop.ini"),
        ("~$draft.docx", "~$draft.docx"),
        ("-rf.pdf", "-rf.pdf"),
        ("--output=x", "--output=x"),
        ("@list", "@list"),
        ("$(id).pdf", "$(id).pdf"),
        ("`id`;.pdf", "`id`;.pdf"),
        ("<img src=x onerror=alert(1)>.pdf", "<img src=x onerror=alert(1)>.pdf"),
        ("%2e%2e%2fpasswd", "%2e%2e%2fpasswd"),
        ("a%0d%0ab%22.pdf", "a%0d%0ab%22.pdf"),
        ('a"b;c,d.pdf', 'a"b;c,d.pdf'),
        ("CON", "CON"),
        ("nul.txt", "nul.txt"),
        ("\u0440\u0430ypal.pdf", "\u0440\u0430ypal.pdf"),
        ("\u540d\u524d.pdf", "\u540d\u524d.pdf"),
        ("a..b.pdf", "a..b.pdf"),
    ],
)
def test_a_name_that_harms_nobody_by_being_seen_is_kept(name: str, expected: str) -> None:
    assert clean(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/etc/cron.d/x", "x"),
        ("C:\\Users\\a\\doc.pdf", "doc.pdf"),
        ("..\\..\\x.pdf", "x.pdf"),
        ("../../etc/passwd", "passwd"),
        ("a/b\\c.pdf", "c.pdf"),
        ("a\\b/c.pdf", "c.pdf"),
        ("\\\\host\\share\\c.pdf", "c.pdf"),
        ("reports/", "reports"),
        ("reports\\/", "reports"),
        ("/", "document"),
        ("../..", "document"),
    ],
)
def test_of_a_path_the_last_component_is_the_name(name: str, expected: str) -> None:
    assert clean(name) == expected


@pytest.mark.parametrize(
    "character",
    [
        *"\x00\x01\t\n\r\x1b\x1f\x7f\x80\x85\x9f\u2028\u2029",
        *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
        *"\xad\u200b\u2060\u2061\u206a\u206f\ufeff\ufff9\ufffb\U000e0001\U000e0041\U000e007f",
        *"\ud800\udbff\udc00\udfff",
    ],
)
def test_what_cannot_be_seen_is_removed(character: str) -> None:
    assert clean(f"{character}inv{character * 2}oice.p{character}df{character}") == "invoice.pdf"


@pytest.mark.parametrize("character", "\x20\u00a0\u1680\u2007\u202f\u3000")
def test_blanks_become_single_spaces_inside_and_vanish_at_the_ends(character: str) -> None:
    assert clean(f"{character}a{character * 3}b.pdf{character}") == "a b.pdf"


def test_a_blank_beside_something_invisible_is_still_one_space() -> None:
    assert clean("a \u200b\u200d b.pdf") == "a b.pdf"


@pytest.mark.parametrize("name", [FAMILY + ".png", PERSIAN + ".pdf", "\u2764\ufe0f\u200d\U0001f525.png"])
def test_joiners_that_words_and_emoji_need_are_kept(name: str) -> None:
    assert clean(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a\u200db.pdf", "ab.pdf"),
        ("\u200d\u540d.pdf", "\u540d.pdf"),
        ("\u540d\u200c.pdf", "\u540d.pdf"),
        ("a\u200c\u540d.pdf", "a\u540d.pdf"),
        ("\u540d\u200da.pdf", "\u540da.pdf"),
        ("\u540d\u200c\u200d\u200d\u524d.pdf", "\u540d\u200c\u524d.pdf"),
        ("\u540d\u200d\u00a0\u200d\u524d.pdf", "\u540d \u524d.pdf"),
        ("\u212a\u200d\u00e9.pdf", "K\u00e9.pdf"),
        ("e\u200d\u0301.pdf", "\u00e9.pdf"),
    ],
)
def test_joiners_that_only_hide_are_removed(name: str, expected: str) -> None:
    assert clean(name) == expected


def test_the_two_spellings_of_an_accent_are_one_name() -> None:
    assert clean("re\u0301sume\u0301.pdf") == clean("r\u00e9sum\u00e9.pdf") == "r\u00e9sum\u00e9.pdf"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "document"),
        (".", "document"),
        ("..", "document"),
        (" . . ", "document"),
        ("\u200b", "document"),
        ("\u3164", "document"),
        ("\ud800", "document"),
        (".pdf", "document.pdf"),
        ("..pdf", "document.pdf"),
        (" .pdf ", "document.pdf"),
        (". .pdf", "document.pdf"),
        ("\u202e.PDF", "document.PDF"),
        (".docx", "document.docx"),
        (".7z", "document.7z"),
        (".zip", "document.zip"),
        (".tar.gz", "document.tar.gz"),
        (".htaccess", "htaccess"),
        ("..gitignore", "gitignore"),
        (".pdf.exe", "pdf.exe"),
        (".report.pdf", "report.pdf"),
        ("pdf", "pdf"),
        ("name.", "name"),
        ("name.pdf. . .", "name.pdf"),
        ("aux.", "aux"),
    ],
)
def test_dots_at_the_ends_are_dropped_and_nothing_becomes_a_document(name: str, expected: str) -> None:
    assert clean(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a" * 196 + ".pdf", "a" * 196 + ".pdf"),
        ("a" * 197 + ".pdf", "a" * 196 + ".pdf"),
        ("a" * 195 + " .pdf", "a" * 195 + " .pdf"),
        ("a" * 300, "a" * 200),
        ("a" * 300 + ".tar.gz", "a" * 193 + ".tar.gz"),
        ("\u540d" * 100 + ".pdf", "\u540d" * 65 + ".pdf"),
        ("\U0001f468" * 100 + ".pdf", "\U0001f468" * 49 + ".pdf"),
        ("a" * 300 + "." + "x" * 20, "a" * 179 + "." + "x" * 20),
        ("a" * 300 + "." + "x" * 21, "a" * 200),
        ("a" * 300 + ".two words", "a" * 200),
        ("a" * 195 + " ... " + "b" * 9 + ".pdf", "a" * 195 + ".pdf"),
        ("\u540d" * 65 + "\u200d" + "\u540d" * 9 + ".p", "\u540d" * 65 + ".p"),
        ("a.pdf" + " " * 5000, "a.pdf"),
        ("a.pdf" + "." * 5000, "a.pdf"),
        ("a.pdf" + "\u200d" * 5000, "a.pdf"),
        ("a" * 5000 + ".tar.gz", "a" * 193 + ".tar.gz"),
        ("a" * 250 + "b" * 5000 + ".pdf", "a" * 196 + ".pdf"),
        ("e\u0301" * 2000 + ".pdf", "\u00e9" * 98 + ".pdf"),
    ],
)
def test_a_long_name_is_cut_before_its_extension_between_characters(name: str, expected: str) -> None:
    assert clean(name) == expected


def test_a_million_marks_on_one_letter_are_cut_before_they_are_put_in_order() -> None:
    assert len(clean("a" + "\u0301\u0323" * 500_000 + ".pdf").encode()) <= 200


@given(anything)
@many
@example("\u212a\u200d\u00e9")
@example("\u0958\u200d\u0958")
@example("." * 990 + "\u540d\u200d" * 600 + ".pdf")
def test_a_clean_name_is_whole_and_stays_as_it_is(name: str) -> None:
    cleaned = clean(name)
    assert clean(cleaned) == cleaned
    assert is_normalized("NFC", cleaned)
    assert 1 <= len(cleaned.encode()) <= 200
    assert not set(cleaned) & set("/\\\x00\r\n\t\x1b\x7f\x85\xad\u200b\u200e\u202e\u2060\u2066\ufeff\U000e0041")
    assert cleaned == cleaned.strip(" .")
    assert "  " not in cleaned


@given(st.text(st.sampled_from("ab.\u540d\u0301 "), max_size=2000), st.from_regex(r"\.[a-z0-9]{1,20}", fullmatch=True))
@many
def test_the_extension_outlives_every_cut(stem: str, suffix: str) -> None:
    assert clean(f"a{stem}b{suffix}").endswith(suffix)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("Q1 .pdf", "Q1 .pdf"),
        ("a, b (2)'~!.pdf", "a, b (2)'~!.pdf"),
        ('a"b;c%d.pdf', "a_b_c_d.pdf"),
        ('x.p"df', "x.p_df"),
        ("r\u00e9sum\u00e9.pdf", "resume.pdf"),
        ("Großes Ærø, Łódź.pdf", "Grosses AEro, Lodz.pdf"),
        ("Đorđe – ðórr’s œuvre.pdf", "Dorde - dorr's oeuvre.pdf"),
        ("\ufb01le\uff11.pdf", "file1.pdf"),
        ("\u540d\u524d.pdf", "document.pdf"),
        ("\u540d\u524d 2018.pdf", "2018.pdf"),
        ("2018 \u540d \u524d x.pdf", "2018 x.pdf"),
        ("2018 \u540d.pdf", "2018 .pdf"),
        ("2018 \u540d", "2018"),
        ("\u540d.\u524d", "document"),
        ("a.\u524d", "a"),
        ("\u2026.pdf", "document.pdf"),
        ("a.b\u2026", "a.b"),
        ("\u2100.pdf", "a_c.pdf"),
        ("\uff0f\uff3c\uff02\uff05\uff1b.pdf", "_____.pdf"),
        (FAMILY + ".png", "document.png"),
        ("com\u00b9.txt", "_com1.txt"),
        ("\uff23\uff2f\uff2e", "_CON"),
        ("", "document"),
        ("a\r\nX: 1.pdf", "aX: 1.pdf"),
    ],
)
def test_the_ascii_form_is_plain_and_keeps_the_extension(name: str, expected: str) -> None:
    assert ascii_fallback(name) == expected


@given(anything)
@many
def test_the_ascii_form_needs_no_escape(name: str) -> None:
    plain = ascii_fallback(name)
    assert re.fullmatch(r"[\x20-\x7e]+", plain)
    assert not set(plain) & set('"\\/%;')
    assert plain == plain.strip(". ")


@given(st.from_regex(r"[a-z0-9(][a-z0-9 ()_,'-]{0,30}[a-z0-9)]\.[a-z]{1,5}", fullmatch=True))
@many
def test_a_plain_name_is_its_own_ascii_form(name: str) -> None:
    assume("  " not in name and archive_name(name) == name)
    assert content_disposition(name) == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", 'attachment; filename="report.pdf"'),
        ("r\u00e9sum\u00e9.pdf", "attachment; filename=\"resume.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf"),
        ("100%22.pdf", "attachment; filename=\"100_22.pdf\"; filename*=UTF-8''100%2522.pdf"),
        ("a'b (1)*.pdf", 'attachment; filename="a\'b (1)*.pdf"'),
        ("a'b\u00e9(*).pdf", "attachment; filename=\"a'be(*).pdf\"; filename*=UTF-8''a%27b%C3%A9%28%2A%29.pdf"),
        ("!#$&+-.^_`|~\u00e9", "attachment; filename=\"!#$&+-.^_`|~e\"; filename*=UTF-8''!#$&+-.^_`|~%C3%A9"),
        ("COM\u00b9.pdf", "attachment; filename=\"_COM1.pdf\"; filename*=UTF-8''_COM%C2%B9.pdf"),
        ("nul.txt", 'attachment; filename="_nul.txt"'),
        ("a\r\nSet-Cookie: x=1", 'attachment; filename="aSet-Cookie: x=1"'),
        ("\ud800", 'attachment; filename="document"'),
    ],
)
def test_the_header_says_the_name_in_one_or_two_forms(name: str, expected: str) -> None:
    assert content_disposition(name) == expected


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [("inline", "inline"), ("attachment", "attachment"), ("INLINE", "attachment"), ("inline\r\nX: 1", "attachment")],
)
def test_the_disposition_is_one_of_two_words(disposition: str, expected: str) -> None:
    assert content_disposition("a.pdf", disposition) == f'{expected}; filename="a.pdf"'


@given(anything)
@many
def test_the_header_is_plain_and_carries_the_name_unharmed(name: str) -> None:
    header = content_disposition(name)
    assert re.fullmatch(r"[\x20-\x7e]+", header)
    _, plain, *full = re.split(r'; filename="|"; filename\*=UTF-8\'\'|"\Z', header)
    carried = unquote(full[0], errors="strict") if full[0] else plain
    assert carried in (clean(name), "_" + clean(name))
    assert plain == ascii_fallback(name)


@given(anything)
@many
def test_another_reader_of_headers_finds_the_same_name(name: str) -> None:
    kind, options = parse_options_header(content_disposition(name, "inline"))
    assert kind == "inline"
    assert options["filename"] in (clean(name), "_" + clean(name))


@pytest.mark.parametrize(
    "name",
    [
        *["CON", "con", "PRN.txt", "aux", "nul.txt", "NUL.tar.gz", "com1", "COM9.pdf", "lpt0.x", "LPT\u00b3"],
        *["COM\u00b9.pdf", "con .txt", "CLOCK$", "conin$", "CONOUT$.log", "desktop.ini", "Thumbs.db"],
    ],
)
def test_a_name_that_windows_would_obey_gets_an_underscore(name: str) -> None:
    assert archive_name(name) == f"_{name}"
    assert f'"_{ascii_fallback(name).lstrip("_")}"' in content_disposition(name)


@pytest.mark.parametrize(
    "name", ["console.txt", "com10", "COM.pdf", "com\u2074.pdf", "my con", "xcon", "nulls", "desktop.ini.pdf", "_CON"]
)
def test_a_name_that_only_resembles_a_device_stays(name: str) -> None:
    assert archive_name(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ('a<b>c:d"e|f?g*h.pdf', "a_b_c_d_e_f_g_h.pdf"),
        ("???", "___"),
        ("report. . .", "report"),
        ("aux.", "_aux"),
        ("Q1\\Q2", "Q1_Q2"),
        ("Q1/Q2", "Q1_Q2"),
        ("..", "document"),
        (".htaccess", "htaccess"),
        ("a\u202eb.pdf", "ab.pdf"),
        ("\u540d\u524d.pdf", "\u540d\u524d.pdf"),
        ("con?", "con_"),
    ],
)
def test_a_name_in_an_archive_unpacks_everywhere(name: str, expected: str) -> None:
    assert archive_name(name) == expected


@given(anything)
@many
def test_a_name_in_an_archive_is_one_component_and_stays_as_it_is(name: str) -> None:
    entry = archive_name(name)
    assert archive_name(entry) == entry
    assert not set(entry) & set('<>:"/\\|?*\x00\n')
    assert entry == entry.strip(". ")
    assert 1 <= len(entry.encode()) <= 201


@pytest.mark.parametrize(
    "name",
    [
        *["\u0440\u0430ypal.pdf", "g\u03bf\u03bfgle", "q\u0430", "Report \u0430nnual.pdf", "p\u0430y2018.pdf"],
        *["\u0440\u0301a", "\u0440\u200da", "\u0561b", "k\u03a9"],
    ],
)
def test_a_word_with_letters_of_several_scripts_is_noticed(name: str) -> None:
    assert mixes_scripts(name)


@pytest.mark.parametrize(
    "name",
    [
        *[
            "",
            "report.pdf",
            "Q1 2018.pdf",
            "r\u00e9sum\u00e9.pdf",
            "re\u0301sume\u0301.pdf",
            "Stra\u00dfe",
            "2018",
            "\u2026",
        ],
        *[
            "\u043e\u0442\u0447\u0451\u0442.pdf",
            "\u043e\u0442\u0447\u0451\u0442_final 2018.pdf",
            "\u041c\u02bc\u044f\u0447",
        ],
        *[
            "\u5831\u544a\u66f8final.pdf",
            "\u304a\u77e5\u3089\u305b\u30ce\u30fc\u30c8ABC\u3005.pdf",
            "\ud55c\uad6d\u6f22.pdf",
        ],
        *["5\u00b5m.pdf", "1\u00aa", "\uff21b.pdf", "\ufb01le.pdf", "\U0001d400b", "x\u00b2y", PERSIAN, FAMILY + "a"],
        *["\u05e9\u05dc\u05d5\u05dd2024.pdf", "\u0928\u092e\u0938\u094d\u0924\u0947.pdf", "\ud800a", "a\ufffd"],
    ],
)
def test_a_name_as_people_write_it_mixes_no_scripts(name: str) -> None:
    assert not mixes_scripts(name)


@given(anything)
@many
def test_a_word_of_one_script_beside_it_changes_nothing(name: str) -> None:
    assert mixes_scripts(f"{name} \u043e\u0442\u0447\u0451\u0442 report") == mixes_scripts(name)


@pytest.mark.parametrize(
    "name",
    [
        *["reports", "2018", "Q1 2018", "a.b", "...", ".hidden", "Download", "downloads", "back\\slash", "-", "%2f"],
        *["r\u00e9sum\u00e9", "\u540d\u524d", PERSIAN, FAMILY, "a" * 100, "\u00e9" * 100, "e\u0301" * 100],
    ],
)
def test_a_category_may_be_named(name: str) -> None:
    assert category_name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("", "needs a name"),
        ("  \u00a0", "needs a name"),
        ("a" * 101, "100"),
        ("e\u0301" * 101, "100"),
        ("a\u0301" * 600, "100"),
        ("a" + "\u0301\u0323" * 500_000, "100"),
        ("a/b", "“/”"),
        ("/", "“/”"),
        ("../..", "“/”"),
        *((f"a{character}b", "control") for character in "\x00\n\r\t\x1b\x7f\x85\u2028\u2029"),
        *((f"a{character}b", "control") for character in "\u061c\u200e\u200f\u202a\u202e\u2066\u2069\ud800\udfff"),
        (" a", "begin or end"),
        ("a ", "begin or end"),
        ("a\u3000", "begin or end"),
        (".", "“.” has"),
        ("..", "“..” has"),
        ("download", "“download” has"),
    ],
)
def test_a_category_name_that_cannot_be_says_why(name: str, word: str) -> None:
    problem = category_name_problem(name)
    assert problem is not None
    assert word in problem
    assert problem.endswith(".")


@given(anything)
@many
def test_a_name_for_a_category_has_a_place_in_addresses_and_archives(name: str) -> None:
    assume(category_name_problem(name) is None)
    assert 1 <= len(normal(name)) <= 100
    assert normal(name).encode()
    assert category_name_problem(normal(name)) is None
    assert "/" not in name


@given(st.text(max_size=100))
@many
def test_equal_looking_names_have_one_normal_form(name: str) -> None:
    assert normal(normalize("NFD", name)) == normal(name) == normalize("NFC", name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", "report (2).pdf"),
        ("backup.tar.gz", "backup (2).tar.gz"),
        ("Annual.PDF", "Annual (2).PDF"),
        ("README", "README (2)"),
        ("a (2).pdf", "a (2) (2).pdf"),
        ("a.\u0130", "a (2).\u0130"),
        ("x" * 196 + ".pdf", "x" * 192 + " (2).pdf"),
        ("\u00e9" * 98 + ".pdf", "\u00e9" * 96 + " (2).pdf"),
    ],
)
def test_a_number_stands_before_the_extension(name: str, expected: str) -> None:
    assert numbered(name, 2) == expected


@given(anything, st.integers(2, 10_000))
@many
def test_a_numbered_name_is_clean_and_another_one(name: str, number: int) -> None:
    made = numbered(clean(name), number)
    assert made != clean(name)
    assert clean(made) == made
    assert f"({number})" in made


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("weather_report.csv", "weather report"),
        ("Annual_Report__2018 final.PDF", "Annual Report 2018 final"),
        ("seattle-weather.csv", "seattle-weather"),
        ("backup_2018.tar.gz", "backup 2018"),
        ("202de685-1dcb-4272-9aff-3dc10b65ef77.pdf", "202de685-1dcb-4272-9aff-3dc10b65ef77"),
        ("202de685-1dcb-4272-9aff-3dc10b65ef77", "202de685-1dcb-4272-9aff-3dc10b65ef77"),
        ("002.jpg", "002"),
        ("2018", "2018"),
        ("2018.03", "2018.03"),
        ("2018.03.15", "2018.03.15"),
        ("Plan v1.2", "Plan v1.2"),
        ("Plan v1.2.pdf", "Plan v1.2"),
        ("archive.7z", "archive"),
        ("Dr. Who", "Dr. Who"),
        ("_draft_.txt", "draft"),
        ("___.pdf", "___.pdf"),
        ("", "document"),
        (".pdf", "document"),
    ],
)
def test_a_title_is_made_of_a_filename(filename: str, expected: str) -> None:
    assert title_of(filename) == expected


@given(anything)
@many
def test_a_title_is_never_empty(filename: str) -> None:
    assert title_of(filename).strip()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.pdf", ".pdf"),
        ("a.PDF", ".pdf"),
        ("a.b.c", ".c"),
        ("a..pdf", ".pdf"),
        ("a.tar.gz", ".tar.gz"),
        ("a.TAR.BZ2", ".tar.bz2"),
        ("a.b.tar.xz", ".tar.xz"),
        ("a.tar.zip", ".zip"),
        ("a.xtar.gz", ".gz"),
        ("tar.gz", ".gz"),
        ("a.\u540d", ".\u540d"),
        ("a." + "x" * 20, "." + "x" * 20),
        ("a." + "x" * 21, ""),
        ("Dr. Who", ""),
        ("a", ""),
        ("a.", ""),
        (".htaccess", ""),
        ("..pdf", ""),
        ("", ""),
        ("a.b/c", ""),
        ("a.b\\c", ""),
        ("a.pdf\n", ""),
    ],
)
def test_the_extension_is_what_follows_the_last_dot(name: str, expected: str) -> None:
    assert extension(name) == expected


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.jpeg", "jpg"),
        ("a.JPG", "jpeg"),
        ("a.jpg", "jpg"),
        ("a.tif", "tiff"),
        ("a.tiff", "tif"),
        ("a.htm", "html"),
        ("a.html", "htm"),
        ("a.yml", "yaml"),
        ("a.mpeg", "mpg"),
        ("a.tar.gz", "tar.gz"),
    ],
)
def test_a_name_ends_in_an_extension_however_that_is_spelled(name: str, ending: str) -> None:
    assert ends_in(name, ["pdf", ending])


@pytest.mark.parametrize("name", ["a.jpg", "jpeg", ".jpeg", "a.jpeg.exe", "a.jp", "a", ""])
def test_no_other_extension_is_taken_for_it(name: str) -> None:
    assert not ends_in(name, ["pdf", "tif", "exe2"])
