"""The decision over columns: every row against every ladder of its test, in one pass of compiled code.

The same three-valued decision as ``grading.decide``, over the arms that ``rules.fit`` gives, laid out as tables of numbers
(``plan``). A state is 0 (false), 1 (true) or 2 + the index in ``grading.REASONS`` of why it is not known. A number that is
not known is NaN and never reaches a comparison.

Layout beats engine: the rows of a tile are gathered by test, so that an arm is one comparison over a contiguous column
(``_sweep``). What that cannot decide, for want of an input or for a qualified result, is decided row by row (``decide``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

#: Reasons by index in ``grading.REASONS``; a test keeps them in step.
INVALID_LIMITS, QUALIFIED, NO_LIMIT, NO_BASELINE, NOT_FASTING, NO_CONTEXT = 4, 5, 8, 9, 10, 11
NONE = 15  # no reason
EQUAL = 0.5e-12  # relative: nearer than this is the same number at rules.DIGITS digits
TINY = 1e-300  # nearer to zero than any result

ABSOLUTE, ULN, LLN, BASELINE = range(4)
OPERATORS = (">", ">=", "<", "<=")
QUALIFIERS = ("", "<", "<=", ">", ">=")
#: Contexts of a row, two bits each: 0 false, 1 true, 2 unknown.
FASTING, ANTICOAGULATED, ANTIHYPERTENSIVE, ANTIHYPERTENSIVES, FEBRILE, HEMOGLOBIN_FELL, ADULT = range(7)
ALWAYS, FINDINGS, NOTED, BASE_ABOVE, BASE_NOT_ABOVE = range(16, 21)  # contexts of a rung that are no bits
AT_BASELINE, CORRECTED = 1 << 14, 1 << 15  # further bits of a row
#: Flags of an outcome; from NOTED_FROM on one for each noted arm of the ladder, in its order.
UNIT_CONVERTED, ADULT_ASSUMED, WITHIN, SAME_BAND, CALCIUM, DERIVED = (1 << place for place in range(6))
NOTED_FROM = 6
MAY_BE_NORMAL, MUST_BE_ABNORMAL = 1, 2
CHILD = 2  # population of a ladder: 0 any, 1 adult, 2 child
TILE = 2048  # rows gathered at a time: what a sweep needs of them stays near the processor

# Columns of the tables of a plan. Keys: what a result is of; ``REASON``: why it climbs no ladder; ``PLACE``: its test and
# specimen; ``NUMERIC``: a BASE can be read, ``ZERO_BASELINE`` one of 0 as well; in ``units``: the factor and the zero that
# lead to the canonical unit of ``ANALYTE``; ``USES_BASE``: a ladder compares with the baseline.
FIRST_SLOT, N_SLOTS, REASON, PLACE, ANALYTE, NUMERIC, SIGNED_KEY, ZERO_BASELINE, IS_FASTING, USES_BASE = range(10)
# Slots: one ladder in one unit; ``OF_DERIVED``: of the computed value; ``PLAIN``: ``_plain`` can decide it; ``ALONE``: only
# ``decide`` can.
FIRST_ARM, N_ARMS, LADDER, MASK, HIGH, LIMITS, POPULATION, SIGNED, OF_DERIVED, PLAIN, ALONE = range(11)
# Arms, as ``rules.Arm``; in ``bounds``: factor and shift.
BASIS, OPERATOR, GRADE, MISSING, GATE, CONTEXT, IS_CHILD, INSIDE = range(8)

# Without reference counts: a function that takes arrays would count them at every call, and nothing here makes one.
_compiled = numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]


class Rows(NamedTuple):
    """Results as columns; a column that nothing fills may be empty. ``key``: in the plan; ``why``: index in REASONS or NONE;
    ``ceiling``: ULN of the baseline; ``subject``: number or −1; ``other``: the computed eGFR, or minus the reason less one;
    ``other_base``: that of the baseline.
    """

    key: Any  # int32
    x: Any  # float64
    qualifier: Any  # int8
    why: Any  # int8
    uln: Any  # float64
    lln: Any  # float64
    base: Any  # float64
    ceiling: Any  # float64
    situation: Any  # int32
    subject: Any  # int32
    other: Any  # float64
    other_base: Any  # float64


class Baselines(NamedTuple):
    """Flagged baselines, those of a subject from ``start[subject]`` on, each in the unit of its ``key``; the grades of one
    from ``first`` on.
    """

    start: Any
    place: Any
    key: Any
    x: Any
    uln: Any
    first: Any
    ladder: Any
    grade: Any


class Results(NamedTuple):
    """One entry per row and ladder, in the order of the rows. ``grade``, ``base``: −1 for none; ``reason``: index or NONE;
    ``outcome``: packed; ``limit``: what the bound of the deciding arm is a multiple of, else 0.
    """

    grade: Any  # int8
    reason: Any  # int8
    outcome: Any  # int64
    base: Any  # int8
    limit: Any  # float64


@_compiled
def pack(slot: int, arm: int, reason: int, mask: int) -> int:
    """An outcome as one number: slot + 1 (0: no ladder), arm + 1 (0: none fired), reason, flags. ``unpack`` undoes it."""
    return (slot + 1) << 19 | (arm + 1) << 14 | reason << 10 | mask


def unpack(packed: int) -> tuple[int, int, int, int]:
    """(slot, arm, reason, flags) of a packed outcome."""
    return (packed >> 19) - 1, (packed >> 14 & 31) - 1, packed >> 10 & 15, packed & 1023


@_compiled
def holds(x: float, operator: int, bound: float) -> bool:
    """x *operator* bound, where nearer than ``EQUAL`` is equal."""
    outward = x - bound if operator < 2 else bound - x
    margin = abs(bound) * EQUAL + TINY
    return outward > margin if operator == 0 or operator == 2 else outward > -margin


@_compiled
def compare(x: float, qualifier: int, signed: int, operator: int, bound: float) -> int:
    """State of *x operator bound*; a qualified x stands for every number on its side."""
    if qualifier == 0:
        return int(holds(x, operator, bound))
    if operator >= 2:
        opposite = compare(x, qualifier, signed, 1 if operator == 2 else 0, bound)
        return opposite if opposite > 1 else 1 - opposite
    beyond = holds(x, 0, bound)
    equal = not beyond and holds(x, 1, bound)
    if qualifier >= 3:  # from x upward without end
        return 1 if beyond or (equal and not (operator == 0 and qualifier == 4)) else 2 + QUALIFIED
    if not signed and (bound < 0 or (bound == 0 and operator == 1)):  # from zero to x, or from below without end
        return 1
    return 2 + QUALIFIED if beyond or (equal and operator == 1 and qualifier == 2) else 0


@_compiled
def both(one: int, other: int) -> int:
    """Three-valued *and*: of two reasons the first."""
    if one == 0 or other == 0:
        return 0
    if one > 1 and other > 1:
        return min(one, other)
    return max(one, other)


@_compiled
def situated(context: int, child: int, situation: int, base: float, ceiling: float) -> int:
    """State of what a rung asks for beside the number."""
    if child and (situation >> 2 * ADULT) & 3 != 0:
        return 0
    if context >= ALWAYS:
        if context < BASE_ABOVE:
            return 1
        above = not situation & AT_BASELINE and holds(base, 0, ceiling)  # false where either is NaN
        return int(above) if context == BASE_ABOVE else int(not above)
    state = (situation >> 2 * context) & 3
    return state if state < 2 else 2 + (NOT_FASTING if context == FASTING else NO_CONTEXT)


@_compiled
def meets(arms: Any, bounds: Any, a: int, x: float, qualifier: int, signed: int, uln: float, lln: float, base: float,
          ceiling: float, situation: int) -> int:  # fmt: skip
    """State of one arm, without its gate."""
    basis = arms[a, BASIS]
    if basis == BASELINE and situation & AT_BASELINE:
        return 0  # the baseline is never compared with itself
    if arms[a, MISSING] != NONE:
        compared = 2 + arms[a, MISSING]
    else:
        times = 0.0 if basis == ABSOLUTE else (uln if basis == ULN else (lln if basis == LLN else base))
        if times != times:
            compared = np.int64(2 + (NO_BASELINE if basis == BASELINE else NO_LIMIT))
        else:
            compared = compare(x, qualifier, signed, arms[a, OPERATOR], bounds[a, 0] * times + bounds[a, 1])
    return both(compared, situated(arms[a, CONTEXT], arms[a, IS_CHILD], situation, base, ceiling))


@_compiled
def decide(slots: Any, s: int, arms: Any, bounds: Any, x: float, qualifier: int, uln: float, lln: float, base: float,
           ceiling: float, situation: int, higher: bool) -> int:  # fmt: skip
    """The packed outcome of one number on one ladder."""
    corrected = CALCIUM if situation & CORRECTED else 0
    if slots[s, LIMITS] and (uln <= 0 or lln > uln):
        return pack(s, -1, INVALID_LIMITS, corrected)
    adult = (situation >> 2 * ADULT) & 3
    mask = slots[s, MASK] | corrected
    if slots[s, POPULATION]:
        if adult == 2:
            mask |= ADULT_ASSUMED
        if (slots[s, POPULATION] == CHILD) != (adult == 0):
            return pack(s, -1, NO_CONTEXT, corrected)
    signed, high, start = slots[s, SIGNED], slots[s, HIGH], slots[s, FIRST_ARM]
    edge = uln if high else lln
    outside = compare(x, qualifier, signed, 0 if high else 2, edge) if edge == edge else np.int64(2 + NO_LIMIT)
    fired, worst, noted = -1, -1, NOTED_FROM
    grade, above, here = 0, NONE, NONE  # reasons of the worse grades, and of the one being tried
    for a in range(start, start + slots[s, N_ARMS]):
        context = arms[a, CONTEXT]
        inside = outside == 0 and arms[a, INSIDE]
        if fired >= 0 and worst >= 0 and context != NOTED and not inside:
            continue
        state = meets(arms, bounds, a, x, qualifier, signed, uln, lln, base, ceiling, situation)
        if context == NOTED:
            mask |= (1 << noted) if state == 1 else 0
            noted += 1
            continue
        if inside and state == 1:
            mask |= WITHIN
        if arms[a, GATE] and not (arms[a, GATE] == MAY_BE_NORMAL and outside == 2 + NO_LIMIT):
            state = both(state, outside)
        if worst < 0 and (state == 1 or (state == 2 + QUALIFIED and context != FINDINGS)):
            worst = a
            if context == FINDINGS:
                mask |= SAME_BAND
        if fired >= 0 or (context == FINDINGS and not higher):
            continue
        if arms[a, GRADE] != grade:
            grade, above, here = arms[a, GRADE], min(above, here), NONE
        if state == 1:
            fired = a - start
        elif state > 1:
            here = min(here, state - 2)
    return pack(s, fired, above if fired >= 0 else min(above, here), mask)


@_compiled
def _plain(n: int, x: Any, edge: Any, uln: Any, lln: Any, odd: Any, situations: Any, plain: Any, numbers: Any,
           packed: Any) -> None:  # fmt: skip
    """Decides *n* rows of a ladder of at most four arms that know absolute bounds and multiples of one limit only.

    *plain* and *numbers*: what ``plan`` says of the ladder, the mildest arm first (``PLAIN``).
    """
    sign, needs, limits, prefix = numbers[0], plain[0], plain[1], plain[2]
    f1, f2, f3, f4 = numbers[1], numbers[2], numbers[3], numbers[4]
    s1, s2, s3, s4 = numbers[5], numbers[6], numbers[7], numbers[8]
    m1, m2, m3, m4 = numbers[9], numbers[10], numbers[11], numbers[12]
    p1, p2, p3, p4 = plain[3], plain[4], plain[5], plain[6]  # place + 1
    g1, g2, g3, g4 = plain[7], plain[8], plain[9], plain[10]  # 1 where the gate stands open
    i1, i2, i3, i4 = plain[11], plain[12], plain[13], plain[14]  # 1 where holding within the limits is worth a flag
    for t in range(n):
        v, e = x[t], edge[t]
        unlimited = np.int64(e != e)
        e = 0.0 if unlimited else e
        outside = np.int64(sign * (v - e) > abs(e) * EQUAL + TINY)
        b = f1 * e + s1
        c1 = np.int64(sign * (v - b) > (abs(b) * EQUAL + TINY) * m1)
        b = f2 * e + s2
        c2 = np.int64(sign * (v - b) > (abs(b) * EQUAL + TINY) * m2)
        b = f3 * e + s3
        c3 = np.int64(sign * (v - b) > (abs(b) * EQUAL + TINY) * m3)
        b = f4 * e + s4
        c4 = np.int64(sign * (v - b) > (abs(b) * EQUAL + TINY) * m4)
        within = ((c1 & i1) | (c2 & i2) | (c3 & i3) | (c4 & i4)) & (1 - outside) & (1 - unlimited)
        arm = p1 if c1 & (outside | g1) else 0
        arm = p2 if c2 & (outside | g2) else arm
        arm = p3 if c3 & (outside | g3) else arm
        arm = p4 if c4 & (outside | g4) else arm
        bad = limits & (np.int64(uln[t] <= 0) | np.int64(lln[t] > uln[t]))
        told = prefix | arm << 14 | within * WITHIN | ((situations[t] // CORRECTED) & 1) * CALCIUM
        packed[t] = -1 if odd[t] | (unlimited & needs) | bad else told


@_compiled
def _arm(n: int, x: Any, column: Any, situations: Any, outside: Any, unlimited: Any, doubt: Any, fired: Any, flags: Any,
         findings: Any, factor: float, shift: float, sign: float, strict: float, place: int, relative: int, own: int, counts: int,
         inside: int, gated: int, must: int, by_findings: int) -> None:  # fmt: skip
    """One arm that asks for nothing beside the number, for *n* rows; the integers are 0 or 1, but *place* (of the arm, + 1)."""
    for t in range(n):
        bound = factor * column[t] + shift
        itself = own & (situations[t] // AT_BASELINE) & 1
        normal = (1 - unlimited[t]) & (1 - outside[t])
        holding = np.int64(sign * (x[t] - bound) > (abs(bound) * EQUAL + TINY) * strict) & (1 - itself)
        unknown = relative & np.int64(column[t] != column[t]) & (1 - itself)
        doubt[t] |= ((unknown & (1 - gated * normal)) | (holding & must & unlimited[t])) & counts
        flags[t] |= (holding & inside & normal) * WITHIN
        holding &= 1 - gated * normal
        fired[t] = place if holding & counts else fired[t]
        findings[t] = by_findings if holding else findings[t]


@_compiled
def _arm_if(n: int, x: Any, column: Any, situations: Any, outside: Any, unlimited: Any, state: Any, doubt: Any, fired: Any,
            flags: Any, findings: Any, factor: float, shift: float, sign: float, strict: float, place: int, relative: int,
            own: int, any_age: int, counts: int, noted: int, inside: int, gated: int, must: int,
            by_findings: int) -> None:  # fmt: skip
    """One arm that asks for more: *state* of its context, *any_age*; *noted*: the place of the flag that it only notes, or 0."""
    for t in range(n):
        bound = factor * column[t] + shift
        aged = any_age | np.int64((situations[t] >> 2 * ADULT) & 3 == 0)
        itself = own & (situations[t] // AT_BASELINE) & 1
        normal = (1 - unlimited[t]) & (1 - outside[t])
        holding = np.int64(sign * (x[t] - bound) > (abs(bound) * EQUAL + TINY) * strict) & aged & (1 - itself)
        unknown = relative & np.int64(column[t] != column[t]) & aged & (1 - itself)
        unsure = (unknown & np.int64(state[t] > 0)) | (holding & np.int64(state[t] > 1))
        doubt[t] |= unsure & (1 - gated * normal) & counts
        holding &= np.int64(state[t] == 1)
        flags[t] |= (holding << noted) * np.int64(noted > 0) | (holding & inside & normal) * WITHIN
        doubt[t] |= holding & must & unlimited[t] & counts
        holding &= 1 - gated * normal
        fired[t] = place if holding & counts else fired[t]
        findings[t] = by_findings if holding & np.int64(noted == 0) else findings[t]


@_compiled
def _state(n: int, context: int, situations: Any, base: Any, ceiling: Any, state: Any) -> None:
    """The state of a context for *n* rows."""
    if context < ALWAYS:
        for t in range(n):
            state[t] = (situations[t] >> 2 * context) & 3
    elif context >= BASE_ABOVE:
        inverted = context == BASE_NOT_ABOVE
        for t in range(n):
            above = base[t] - ceiling[t] > abs(ceiling[t]) * EQUAL + TINY
            above = above and situations[t] & AT_BASELINE == 0
            state[t] = above != inverted
    else:
        for t in range(n):
            state[t] = 1


@_compiled
def _sweep(slots: Any, s: int, arms: Any, bounds: Any, plains: Any, numbers: Any, higher: bool, n: int, x: Any, uln: Any,
           lln: Any, base: Any, ceiling: Any, odd: Any, situations: Any, out: Any) -> None:  # fmt: skip
    """Decides *n* rows of one ladder, arm by arm; *out*[0] is the packed outcome, −1 for what wants ``decide``."""
    packed, outside, doubt, fired, flags, findings, unlimited, state = (out[0], out[1], out[2], out[3], out[4], out[5], out[6],
                                                                        out[7])  # fmt: skip
    high = slots[s, HIGH]
    edge = uln if high else lln
    if slots[s, PLAIN]:
        _plain(n, x, edge, uln, lln, odd, situations, plains[s], numbers[s], packed)
        return
    if slots[s, ALONE]:
        packed[:n] = -1
        return
    sign = 1.0 if high else -1.0
    limits = slots[s, LIMITS]
    for t in range(n):
        outside[t] = sign * (x[t] - edge[t]) > abs(edge[t]) * EQUAL + TINY
        unlimited[t] = edge[t] != edge[t]
        doubt[t] = odd[t] | (limits & (np.int64(uln[t] <= 0) | np.int64(lln[t] > uln[t])))
        fired[t] = 0
        flags[t] = 0
        findings[t] = 0
    start, end = slots[s, FIRST_ARM], slots[s, FIRST_ARM] + slots[s, N_ARMS]
    noted = NOTED_FROM
    for a in range(start, end):
        noted += arms[a, CONTEXT] == NOTED
    for a in range(end - 1, start - 1, -1):  # the mildest first: the worst has the last word
        basis, context, operator = arms[a, BASIS], arms[a, CONTEXT], arms[a, OPERATOR]
        column = uln if basis == ULN else (lln if basis == LLN else (base if basis == BASELINE else x))
        side, strict = 1.0 if operator < 2 else -1.0, 1.0 if operator == 0 or operator == 2 else -1.0
        counts = int(context != NOTED and (higher or context != FINDINGS))
        relative, own, by_findings = int(basis != ABSOLUTE), int(basis == BASELINE), int(context == FINDINGS)
        gated, must = int(arms[a, GATE] > 0), int(arms[a, GATE] == MUST_BE_ABNORMAL)
        if context in (ALWAYS, FINDINGS) and not arms[a, IS_CHILD]:
            _arm(n, x, column, situations, outside, unlimited, doubt, fired, flags, findings, bounds[a, 0], bounds[a, 1], side,
                 strict, a - start + 1, relative, own, counts, arms[a, INSIDE], gated, must, by_findings)  # fmt: skip
        else:
            noted -= context == NOTED
            _state(n, context, situations, base, ceiling, state)
            _arm_if(n, x, column, situations, outside, unlimited, state, doubt, fired, flags, findings, bounds[a, 0],
                    bounds[a, 1], side, strict, a - start + 1, relative, own, 1 - arms[a, IS_CHILD], counts,
                    noted if context == NOTED else 0, arms[a, INSIDE], gated, must, by_findings)  # fmt: skip
    prefix = (s + 1) << 19 | NONE << 10 | slots[s, MASK]
    for t in range(n):
        corrected = (situations[t] // CORRECTED) & 1
        packed[t] = -1 if doubt[t] else prefix | fired[t] << 14 | flags[t] | findings[t] * SAME_BAND | corrected * CALCIUM


@_compiled
def _flagged(start: Any, place: Any, subject: int, wanted: int) -> int:
    """The subject's flagged baseline of this test and specimen, −1 for none."""
    if 0 <= subject < len(start) - 1:
        for b in range(start[subject], start[subject + 1]):
            if place[b] == wanted:
                return b
    return -1


@_compiled
def grade_rows(
    first: int, last: int, at: int, keys: Any, units: Any, slots: Any, arms: Any, bounds: Any, plains: Any, numbers: Any,
    rows: Any, baselines: Any, higher: bool, with_base: bool, results: Any, used: Any, floats: Any, integers: Any, counts: Any,
) -> None:  # fmt: skip
    """Grades rows *first* to *last* into *results* from place *at* on.

    *used*: the baseline of each row, in its unit, unless it is empty. *floats* (8 × TILE), *integers* (16 × TILE) and
    *counts* (2 × keys, zero) are scratch.
    """
    r_key, r_x, r_qualifier, r_why, r_uln, r_lln, r_base, r_ceiling, r_situation, r_subject, r_other, r_other_base = rows
    start, place, b_key, b_x, b_uln, b_first, b_ladder, b_grade = baselines
    w_grade, w_reason, w_outcome, w_base, w_limit = results
    order, position, situations, flagged, odd, again, unread, place_of = (
        integers[8], integers[9], integers[10], integers[11], integers[12], integers[13], integers[14], integers[15])  # fmt: skip
    out = integers[:8]
    for tile in range(first, last, TILE):
        n_tile = min(TILE, last - tile)
        present, key = 1, r_key[tile]
        counts[1, 0] = key
        different = 0
        for t in range(n_tile):
            different |= r_key[tile + t] ^ key
        if different == 0:
            width = max(1, keys[key, N_SLOTS])
            for t in range(n_tile):
                order[t] = t
                position[t] = at + t * width
            at += n_tile * width
            counts[0, key] = n_tile
        else:
            present = 0
            for t in range(n_tile):
                key = r_key[tile + t]
                position[t] = at
                at += max(1, keys[key, N_SLOTS])
                if counts[0, key] == 0:
                    counts[1, present] = key
                    present += 1
                counts[0, key] += 1
            total = 0
            for p in range(present):
                key = counts[1, p]
                total += counts[0, key]
                counts[0, key] = total - counts[0, key]
            for t in range(n_tile):
                key = r_key[tile + t]
                order[counts[0, key]] = t
                counts[0, key] += 1
        begin = 0
        for p in range(present):
            key = counts[1, p]
            end = counts[0, key]
            counts[0, key] = 0
            n = end - begin
            n_slots, slot = keys[key, N_SLOTS], keys[key, FIRST_SLOT]
            group = order[begin:end]
            begin = end
            for t in range(n):
                place_of[t] = position[group[t]]
            if n_slots == 0:
                for t in range(n):
                    to = place_of[t]
                    if len(used):
                        used[tile + group[t]] = np.nan
                    w_grade[to], w_reason[to], w_base[to] = -1, keys[key, REASON], -1
                    w_outcome[to] = pack(-1, -1, keys[key, REASON], 0)
                    if len(w_limit):
                        w_limit[to] = 0.0
                continue
            x, uln, lln, base, ceiling, spare = floats[0], floats[1], floats[2], floats[3], floats[4], floats[5]
            if different == 0:
                for t in range(n):
                    x[t], uln[t], lln[t] = r_x[tile + t], r_uln[tile + t], r_lln[tile + t]
                for t in range(n):
                    odd[t] = np.int64(r_why[tile + t] != NONE) | np.int64(r_qualifier[tile + t] > 0)
                for t in range(n):
                    situations[t] = r_situation[tile + t]
            else:
                for t in range(n):
                    i = tile + group[t]
                    x[t], uln[t], lln[t] = r_x[i], r_uln[i], r_lln[i]
                    odd[t] = np.int64(r_why[i] != NONE) | np.int64(r_qualifier[i] > 0)
                    situations[t] = r_situation[i]
            wanted = 0
            if keys[key, USES_BASE] or with_base or len(used):
                for t in range(n):
                    base[t], ceiling[t], flagged[t] = np.nan, np.nan, -1
                if len(r_base):
                    for t in range(n):
                        base[t] = r_base[tile + group[t]]
                if len(r_ceiling):
                    for t in range(n):
                        ceiling[t] = r_ceiling[tile + group[t]]
                if len(start) > 1 and len(r_subject):
                    for t in range(n):
                        b = _flagged(start, place, r_subject[tile + group[t]], keys[key, PLACE])
                        flagged[t] = b
                        if b >= 0:
                            times, plus = 1.0, 0.0
                            if b_key[b] != key:
                                own = b_key[b]
                                times = units[own, 0] / units[key, 0] if keys[own, ANALYTE] == keys[key, ANALYTE] else np.nan
                                plus = (units[own, 1] - units[key, 1]) / units[key, 0]
                            if base[t] != base[t]:
                                base[t] = b_x[b] * times + plus
                            if ceiling[t] != ceiling[t]:
                                ceiling[t] = b_uln[b] * times + plus
                signed, zero = keys[key, SIGNED_KEY], keys[key, ZERO_BASELINE]
                for t in range(n):
                    usable = np.int64(base[t] > 0) | signed | (zero & np.int64(base[t] == 0))
                    base[t] = base[t] if usable else np.nan
                    ceiling[t] = ceiling[t] if ceiling[t] == ceiling[t] else uln[t]
                    wanted += np.int64(base[t] == base[t]) & np.int64(flagged[t] < 0)
                if len(used):
                    for t in range(n):
                        used[tile + group[t]] = base[t]
            if keys[key, IS_FASTING]:
                for t in range(n):
                    situations[t] = (situations[t] & ~3) | 1
            for s in range(slot, slot + n_slots):
                derived = slots[s, OF_DERIVED]
                _sweep(slots, s, arms, bounds, plains, numbers, higher, n, x, uln, lln, base, ceiling, odd, situations, out)
                packs = out[0]
                first_arm = slots[s, FIRST_ARM]
                for t in range(n):
                    if packs[t] < 0:
                        i = tile + group[t]
                        value = r_other[i] if derived else x[t]
                        above, below = (np.nan, np.nan) if derived else (uln[t], lln[t])
                        if r_why[i] != NONE:
                            packs[t] = pack(s, -1, r_why[i], 0)
                        elif derived and value < 0:
                            packs[t] = pack(s, -1, int(-value) - 1, slots[s, MASK])
                        else:
                            packs[t] = decide(slots, s, arms, bounds, value, r_qualifier[i], above, below, base[t], ceiling[t],
                                              situations[t], higher)  # fmt: skip
                for t in range(n):
                    packed = packs[t]
                    to = place_of[t] + s - slot
                    arm, why = packed >> 14 & 31, packed >> 10 & 15
                    known = why == NONE or (arm > 0 and why >= NO_LIMIT)
                    w_outcome[to] = packed
                    w_grade[to] = (arms[first_arm + arm - 1, GRADE] if arm else 0) if known else -1
                    w_reason[to] = NONE if known else why
                if len(w_limit):
                    for t in range(n):
                        packed = packs[t]
                        arm, why = packed >> 14 & 31, packed >> 10 & 15
                        basis = arms[first_arm + arm - 1, BASIS] if arm and (why == NONE or why >= NO_LIMIT) else ABSOLUTE
                        w_limit[place_of[t] + s - slot] = 0.0 if basis == ABSOLUTE else (
                            uln[t] if basis == ULN else (lln[t] if basis == LLN else base[t]))  # fmt: skip
                if not with_base:
                    continue
                # the grade of the baseline by the limits: that of its own row, or else of BASE with the limits of this one
                for t in range(n):
                    to = place_of[t] + s - slot
                    w_base[to] = -1
                    b = flagged[t]
                    if b >= 0:
                        for r in range(b_first[b], b_first[b + 1]):
                            if b_ladder[r] == slots[s, LADDER]:
                                w_base[to] = b_grade[r]
                if wanted == 0 or not keys[key, NUMERIC]:
                    continue
                for t in range(n):
                    again[t] = (situations[t] | AT_BASELINE) & ~CORRECTED
                    spare[t] = base[t]
                    unread[t] = base[t] != base[t]
                _sweep(slots, s, arms, bounds, plains, numbers, higher, n, spare, uln, lln, base, ceiling, unread, again, out)
                for t in range(n):
                    value = base[t]
                    if derived and value == value:
                        value = r_other_base[tile + group[t]] if len(r_other_base) else np.nan
                    if flagged[t] < 0 and value == value and (value >= 0 or slots[s, SIGNED]):
                        packed = packs[t]
                        if packed < 0:
                            above, below = (np.nan, np.nan) if derived else (uln[t], lln[t])
                            packed = decide(slots, s, arms, bounds, value, 0, above, below, base[t], ceiling[t], again[t], higher)
                        arm, why = (packed >> 14 & 31) - 1, packed >> 10 & 15
                        if why == NONE or (arm >= 0 and why >= NO_LIMIT):
                            w_base[place_of[t] + s - slot] = arms[first_arm + arm, GRADE] if arm >= 0 else 0


@_compiled
def _slot_of(packed: int, limit: float, table: Any, entries: Any, limits: Any) -> int:
    """Where *table* has the outcome, or would have it."""
    mixed = (packed ^ np.int64(limit * 4096.0)) * 0x9E3779B1
    at = (mixed ^ mixed >> 17) & (len(table) - 1)
    while table[at] >= 0 and not (entries[table[at]] == packed and limits[table[at]] == limit):
        at = (at + 1) & (len(table) - 1)
    return at


@_compiled
def find_outcomes(outcome: Any, limit: Any, first: int, table: Any, entries: Any, limits: Any, count: Any, found: Any) -> int:
    """The number of each outcome from *first* on, entered where it is new; ends early where there is no more room.

    *table* is twice as long as *entries* and *limits*, a power of two, −1 where it is free. Returns where it ended.
    """
    for i in range(first, len(outcome)):
        at = _slot_of(outcome[i], limit[i], table, entries, limits)
        if table[at] < 0:
            if count[0] == len(entries):
                return i
            table[at] = count[0]
            entries[count[0]] = outcome[i]
            limits[count[0]] = limit[i]
            count[0] += 1
        found[i] = table[at]
    return len(outcome)


@_compiled
def index_outcomes(table: Any, entries: Any, limits: Any, count: int) -> None:
    """Enters *count* outcomes in a larger *table*."""
    for number in range(count):
        table[_slot_of(entries[number], limits[number], table, entries, limits)] = number
