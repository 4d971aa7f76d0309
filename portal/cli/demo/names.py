"""Who is in the demonstration: the office and its clients."""

HOUSE = "Ferreira & Lindholm"
BAKERY, INSTRUMENTS = "Cedar Bakery", "Watanabe Instruments"
