"""The account of one weighing in words: what leads, what moved it, what it rests on, then every piece with its source.

Shared by the program of one event (``model``) and the program of many (``frame``): both put the same words together.
The effect of a piece is leave-one-out: the share of the leading cause as weighed, less what it would be if this one
piece were not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from safety_monitor.attribution.evidence import Piece
from safety_monitor.vocabulary import Level

#: What the figure of a cause rests on, from most to least.
RestsOn = Literal["published", "judgement", "class", "flat"]

#: How many of the pieces the paragraph names before it goes through all.
NAMED_FIRST = 3
#: Decimals to which effects are told apart: beyond, they are equal and keep the order of the causes.
TIES = 9
#: Effects that are smaller are not named first: they read 0.00.
LEAST_EFFECT = 0.005

_RESTS_ON: dict[RestsOn, str] = {
    "published": "Its expected frequency is published for this term.",
    "judgement": "Its expected frequency for this term is a judgement, not a published figure.",
    "class": "Its expected frequency is that of the organ class, not of this term, so this rests on little.",
    "flat": "It has no expected frequency for this term or its organ class, so this rests on very little.",
}
NOT_CTCAE = " The term is not in CTCAE v4.03, so this rests on very little."
ALL_FLAT = " No profile knows this term or its organ class, so this rests on very little."


def share_text(share: float) -> str:
    """Three decimals; only the impossible reads 0."""
    return "<0.001" if 0 < share < 0.0005 else f"{share:.3f}"


def effect_text(hundredths: int) -> str:
    return f"{hundredths / 100:+.2f}"


def hundredths(effect: float) -> int:
    return round(effect * 100)


def head(term: str, grade: int | None) -> str:
    known = "grade not known" if grade is None else f"grade {grade}"
    return f"{term or 'Event without a term'} ({known}): "


def leads(leading: str, level: Level) -> str:
    """Up to the share."""
    return f"{leading} leads, {level.name}, share "


def rests_on(basis: str, tier: str) -> RestsOn:
    if basis == "term":
        return "judgement" if tier == "judgement" else "published"
    return "class" if basis == "class" else "flat"


def rests_on_text(found: RestsOn) -> str:
    return f" {_RESTS_ON[found]}"


def named(piece: Piece) -> str:
    """A piece among those that moved the answer most, up to its effect."""
    return f"{piece.cause}, {piece.what} ("


def cause_text(cause: str, level: Level) -> str:
    """Up to the share."""
    return f" {cause} {level.name}, share "


def detail(piece: Piece, *, first: bool) -> str:
    """A piece in full, up to its effect; the first of a cause is its frequency, or why the cause is impossible."""
    source = f"[{piece.source}; {piece.tier}]"
    if piece.factor == 0:
        return f"impossible, {piece.what} {source}"
    return f"{piece.what} {source}, effect " if first else f"; {piece.what} ×{piece.factor:.3g} {source}, effect "


def missing(piece: Piece) -> str:
    return f"{piece.cause}: {piece.what}"


def paragraph(
    term: str,
    grade: int | None,
    remark: str,
    leading: str,
    found: RestsOn,
    causes: Sequence[tuple[str, Level, float, Sequence[Piece], Sequence[float | None]]],
) -> str:
    """*causes* as weighed: name, level, share, pieces and their effects (None where the cause is impossible)."""
    by_name = {name: (level, share) for name, level, share, *_ in causes}
    level, share = by_name[leading]
    said = [head(term, grade), leads(leading, level), share_text(share), ".", remark, rests_on_text(found)]
    effects = [(piece, effect) for *_, pieces, moved in causes for piece, effect in zip(pieces, moved, strict=True)]
    moving = sorted((pair for pair in effects if pair[1] is not None), key=lambda pair: -round(abs(pair[1] or 0), TIES))
    first = [
        f"{named(piece)}{effect_text(hundredths(effect))})"
        for piece, effect in moving[:NAMED_FIRST]
        if effect is not None and abs(effect) >= LEAST_EFFECT
    ]
    said += [MOVED + "; ".join(first) + "."] if first else [UNMOVED]
    for name, level, share, pieces, moved in sorted(causes, key=lambda cause: (-cause[2], cause[0])):
        said += [cause_text(name, level), share_text(share), ": "]
        for number, (piece, effect) in enumerate(zip(pieces, moved, strict=True)):
            said.append(detail(piece, first=number == 0))
            said.append("" if effect is None else effect_text(hundredths(effect)))
        said.append(".")
    unknown = [missing(piece) for *_, pieces, _ in causes for piece in pieces if not piece.known]
    if unknown:
        said.append(f"{MISSING}{'; '.join(unknown)}.")
    return "".join(said)


MOVED = " What moved its share most: "
UNMOVED = " No single piece moved its share by itself."
MISSING = " Not known, so averaged or left neutral: "
