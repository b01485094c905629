"""How many of its smallest units a currency has: payment systems count in those."""

from __future__ import annotations

WHOLE = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF".split())
"""ISO 4217 currencies that payment systems never divide."""
THOUSANDTHS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())


def units_of(currency: str | None) -> int:
    """Smallest units in one of a currency: 100 cents, 1 yen, 1000 fils; 100 where none is named.

    >>> [units_of(code) for code in ("usd", "JPY", "kwd", None)]
    [100, 1, 1000, 100]
    """
    code = (currency or "").strip().upper()
    return 1 if code in WHOLE else 1000 if code in THOUSANDTHS else 100
