"""Passwords that everybody tries first: words of every list of leaked ones, runs on the keyboard, and what people do to
them to please a rule. Pure.
"""

import re
from functools import cache

FEW = 4
"""So many different characters a password has at least, and so long is the longest piece it may not only repeat."""
WORDS = frozenset(
    """
    aaaaaa abcabc abcdef abcdefg abcdefgh access accord account adidas admin administrator adobe alexander alexandra
    alpha amanda america amsterdam andrea andrew angel angela angels animal anthony apple arsenal asdf asdfasdf
    asdfgh asdfghjk asdfghjkl ashley august austin autumn azerty babygirl badboy bailey banana barbara barcelona
    baseball basketball batman beautiful benjamin berlin bigdaddy blessed blink bonjour boomer boston brandon
    brooklyn bubbles buster butterflies butterfly caramel carlos caroline celtic change changeme charles charlie
    cheese chelsea chester chicago chicken chocolate christian christmas christopher cocacola coffee company
    computer contrasena cookie cowboys cristina crystal daddy dallas daniel danielle
    december default demo destiny diamond dolphin dolphins dragon eagles eminem estrella everton facebook family
    february fernando ferrari fishing flower flowers football forever fortnite france freedom friday friend friends
    gabriel galaxy gateway george germany ginger godisgood google guest guitar hallo hannah happy hardcore harley
    haslo hello helloworld hockey hunter iloveme iloveu iloveyou iloveyousomuch incorrect internet iphone ironman
    jackson january jasmine jennifer jessica jesus jesuschrist jonathan jordan joseph joshua july june junior justin
    killer kimberly king kingdom kitten knight kristina lakers lauren letmein letmeinnow liverpool login london
    lovely loveme loveyou lucky madison maggie manager manchester manchesterunited march marina marseille martin
    master matrix matthew melissa mercedes metallica michael michelle microsoft minecraft mohammed monday money
    monkey monster motdepasse mother mustang mylove myspace naruto nathan newyork nicholas nicole ninja nirvana
    nothing november october office oliver orange orlando pakistan panther parola pass passion passphrase passport
    passw passwd password passwords passwort patrick peaches pepper pepsi phoenix player please pokemon porsche
    portal portaladmin prince princess private purple qazwsx qazwsxedc qwer qwert qwerty qwertyqwerty qwertyui
    qwertyuiop qwertz qwertzuiop rachel raiders rainbow ranger rangers realmadrid rebecca richard robert rockyou
    ronaldo root samantha samsung samuel saturday scooter scorpion secret security senha september server service
    shadow shannon shopping silver simple sister skywalker slipknot snoopy soccer sommer spiderman spongebob spring
    starwars stephanie steven strawberry student summer sunday sunflower sunshine superman superstar support
    sweetheart sweety system taylor teamo temp temporary teresa test tester testing testtest thomas thunder thursday
    tigger tinkerbell tottenham trustno trustnoone tuesday turtle unknown user username valentina vanessa veronica
    victor victoria vincent wachtwoord wednesday welcome welcomehome whatever whatsapp william willow windows winner
    winter wordpass yamaha yankees yellow yourmom youtube zxcvb zxcvbn zxcvbnm
    """.split()  # noqa: SIM905 - several hundred quotes are harder to read
)
RUNS = (
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "01234567890" * 100,
    "1234567890" * 110,
    "qwertyuiopasdfghjklzxcvbnm" * 2,
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "!@#$%^&*()_+",
    "a1b2c3d4e5f6g7h8i9j0",
)  # fmt: skip
SIGNS = (str.maketrans("01345789@$!|+", "oieastbgasiit"), str.maketrans("01345789@$!|+", "oleastbgasllt"))
"""Letters that people write as signs; a 1 may be two of them."""
_REPEATED = re.compile(rf"(.{{1,{FEW}}}?)\1+", re.DOTALL)
_EDGES = re.compile(r"^[^a-z]+|[^a-z]+$")
_OTHERS = re.compile(r"[^a-z]+")


def is_guessable(folded: str, *known: str) -> bool:
    """Whether a password, casefolded, is one that everybody tries first.

    That is one with hardly any different characters, a short piece over and over, a run on the keyboard in either
    direction, or a single common word, however often, with digits and signs around it or in the place of letters.
    ``known`` are words that are common here, such as the name of the portal.
    """
    if len(set(folded)) < FEW or _REPEATED.fullmatch(folded) or _is_run(folded):
        return True
    words = WORDS | {_OTHERS.sub("", word.casefold()) for word in known}
    return any(_is_one_word(letters, words) for letters in _letters(folded))


def _is_run(folded: str) -> bool:
    return any(folded in run for run in _runs())


@cache
def _runs() -> tuple[str, ...]:
    return RUNS + tuple(run[::-1] for run in RUNS)


def _letters(folded: str) -> set[str]:
    """The letters of a password: those in it, and those that signs stand for, but for signs at its ends."""
    inner = _EDGES.sub("", folded)
    read = {folded, *(text.translate(signs) for text in (folded, inner) for signs in SIGNS)}
    return {_OTHERS.sub("", text) for text in read}


def _is_one_word(letters: str, words: frozenset[str] | set[str]) -> bool:
    """Whether this is one of the words, once or over and over, perhaps cut short at the end."""
    begun = (word for word in words if word and letters.startswith(word))
    return any((word * (len(letters) // len(word) + 1)).startswith(letters) for word in begun)
