"""What the tests say, in plain sentences: who leads, how sure that is, and what nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence

from babelbatch.report.comparisons import PLACES, Measure, Pair, Study, of_setting
from babelbatch.report.numbers import fixed, interval, p_text, percent
from babelbatch.report.runs import FoundRuns


def headline(study: Study) -> str:
    """One sentence: who wins where, as far as the tests say so."""
    settings = [measure for measure in study.measures if measure.metric == study.metric]
    if len(study.groups) < 2:
        return f"One strategy, {study.groups[0].label}: nothing to compare it with"
    winners = {measure: study.winner(measure) for measure in settings}
    names = list(dict.fromkeys(winner for winner in winners.values() if winner))
    if not names:
        return "The runs do not settle which strategy is best"
    if len(names) == 1 and None not in winners.values():
        return _opened(f"{names[0]} is best in every setting")
    wins = [
        (name, _and([PLACES[measure.setting] for measure in settings if winners[measure] == name])) for name in names
    ]
    sentence = _and([f"{name}{' is best' if name == names[0] else ''} {places}" for name, places in wins], comma=True)
    rest = [PLACES[measure.setting] for measure in settings if winners[measure] is None]
    return _opened(f"{sentence}; {_and(rest)} the runs do not settle it" if rest else sentence)


def sentences(study: Study) -> list[str]:
    """One sentence a measure: the leader, and whether the tests tell it from the others."""
    if len(study.groups) < 2:
        return []
    return [_opened(_of(study, measure)) for measure in study.measures]


def margins(study: Study) -> list[str]:
    """Whether each group keeps what X-X reaches within a language, as far as the margin says."""
    found = []
    measure = of_setting("monolingual", study.metric)
    for each in study.margins:
        margin = f"{each.test.margin:g}"
        if each.p_value < 1 - study.level:
            found.append(
                f"{each.group} keeps the monolingual {measure.name} of {each.reference} to within {margin} "
                f"({p_text(each.p_value)})."
            )
            continue
        pair = study.pair(each.group, each.reference, measure)
        if pair is None:
            continue
        low, loss, high = _from(pair, each.reference)
        bounds = f"{percent(study.level)} interval {measure.interval(low, high)}"
        if low > each.test.margin:
            found.append(
                f"{each.group} costs monolingual {measure.name}: {loss:.4f} less than {each.reference}, more than the "
                f"margin of {margin} ({bounds})."
            )
        else:
            found.append(
                f"Whether {each.group} keeps the monolingual {measure.name} of {each.reference} to within {margin} is "
                f"open: it has {abs(loss):.4f} {'less' if loss > 0 else 'more'} ({p_text(each.p_value)})."
            )
    return [_opened(sentence) for sentence in found]


def caveats(study: Study, found: FoundRuns) -> list[str]:
    """What a reader must know before believing the rest."""
    notes = []
    seeds = [len(group.seeds) for group in study.groups]
    if all(group.seeds == (None,) for group in study.groups):
        notes.append("Nothing here was trained by a seed: intervals and tests are over questions only.")
    elif max(seeds) == 1:
        notes.append(
            "One seed: intervals and tests are over questions only. Another seed might order the strategies otherwise; "
            "run at least three (seed=0,1,2)."
        )
    elif min(seeds) == 1:
        single = [group.label for group in study.groups if len(group.seeds) == 1]
        notes.append(
            f"One seed only: {_and(single)}. Intervals of these are over questions only, and others are compared with "
            "them by the run of the same seed."
        )
    elif max(seeds) == 2:
        notes.append("Two seeds say little about how much training varies: intervals are wide. Run at least three.")
    if study.unpaired:
        pairs = _and([f"{a} and {b}" for a, b in study.unpaired], comma=True)
        notes.append(f"Not compared, because one has a single run whose seed the other lacks: {pairs}.")
    if found.unfinished:
        count = len(found.unfinished)
        names = ", ".join(path.name for path in found.unfinished[:5]) + (", ..." if count > 5 else "")
        notes.append(f"{count} unfinished {'run is' if count == 1 else 'runs are'} left out: {names}.")
    if found.repeated:
        count = len(found.repeated)
        notes.append(f"{count} {'run is' if count == 1 else 'runs are'} there twice and counted once.")
    return notes


def _of(study: Study, measure: Measure) -> str:
    first, second, *_ = study.best(measure)
    pair = study.pair(first, second, measure)
    value = study.estimates[first, measure].value
    superlative = "highest" if measure.higher_is_better else "lowest"
    place = None if measure.metric == "rank_distance" else PLACES[measure.setting]
    start = f"{place[0].upper()}{place[1:]}, {first}" if place else first
    has = f"{start} has the {superlative} {measure.name}, {_short(measure, value)}"
    if pair is None:
        return f"{has}; with the next, {second}, it could not be compared."
    low, lead, high = _from(pair, first)
    bounds = interval(low, high, _digits(measure, max(abs(low), abs(high))))
    sure = f"{percent(study.level)} interval {bounds}, {p_text(pair.p_value)}"
    if study.winner(measure):
        side = "above" if measure.higher_is_better else "below"
        if len(study.groups) == 2:
            return f"{has}: {_short(measure, lead)} {side} {second} ({sure})."
        return f"{has}, better than every other: {_short(measure, lead)} {side} the next, {second} ({sure})."
    like = [label for label in study.best(measure) if label in study.not_told_from_the_best(measure)]
    doubt = f"the tests do not tell it from {_and(like)}"
    behind = [label for label in study.best(measure)[1:] if label not in like]
    rest = f" Behind: {', '.join(behind)}." if behind else ""
    if second not in like:
        return f"{has}, but {doubt}.{rest}"
    return f"{has}, but {doubt}: its lead over {second} is {_short(measure, lead)} ({sure}).{rest}"


def _from(pair: Pair, first: str) -> tuple[float, float, float]:
    """Low, difference, high, such that positive means that `first` is better."""
    both = pair.comparison
    ordered = (both.low, both.difference, both.high)
    flip = (pair.a == first) != pair.measure.higher_is_better
    return tuple(-value for value in reversed(ordered)) if flip else ordered


def _opened(sentence: str) -> str:
    """With a capital, unless the first word is a name with a spelling of its own."""
    first = sentence.split()[0]
    return sentence[0].upper() + sentence[1:] if first.islower() and first.isalpha() else sentence


def _short(measure: Measure, value: float) -> str:
    return fixed(value, _digits(measure, value))


def _digits(measure: Measure, value: float) -> int:
    return 3 if measure.digits == 4 else 0 if abs(value) >= 100 else 1


def _and(names: Sequence[str], comma: bool = False) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])}{',' if comma else ''} and {names[-1]}"
