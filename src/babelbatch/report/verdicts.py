"""What the tests say, in plain sentences: who leads, and how sure that is."""

from __future__ import annotations

from babelbatch.report.comparisons import Study
from babelbatch.report.contrasts import Plan
from babelbatch.report.enumeration import listed, some
from babelbatch.report.measures import PLACES, RANK_DISTANCE, Measure, of_setting
from babelbatch.report.numbers import fixed, interval_and_p, p_text
from babelbatch.report.outcomes import Better, NotDifferent, NotTested, Pair
from babelbatch.report.planned import Planned, place
from babelbatch.report.planned import headline as planned_headline
from babelbatch.report.planned import sentences as planned_sentences
from babelbatch.statistics import Comparison

_APART = 6  # groups that keep the margin, each in a sentence of its own


def headline(study: Study) -> str:
    """One sentence: which group is best in which setting, as far as the tests say so."""
    settings = [measure for measure in study.measures if measure.metric == study.metric]
    if len(study.groups) < 2:
        return f"One strategy, {study.groups[0].label}: nothing to compare it with"
    if study.of_runs:
        single = [group.label for group in study.groups if len(group.runs) == 1 and not group.fixed]
        if len(single) < len([group for group in study.groups if not group.fixed]):
            return f"One run of {some(single)}: to say which strategy is better takes at least three seeds of each"
        return "One run each: to say which strategy is better takes at least three seeds"
    if study.planned:
        return planned_headline(study.planned, study.level)
    winners = {measure: study.winner(measure) for measure in settings}
    names = list(dict.fromkeys(winner for winner in winners.values() if winner))
    every = "every other" if study.judged_all else "every other that was tested"
    if not names:
        return f"No strategy is significantly better than {every}"
    best = "is best" if study.judged_all else "is best of those tested"
    if len(names) == 1 and None not in winners.values():
        places = PLACES[settings[0].setting] if len(settings) == 1 else "in every setting"
        return _opened(f"{names[0]} {best} {places}")
    wins = [
        (name, listed([PLACES[measure.setting] for measure in settings if winners[measure] == name])) for name in names
    ]
    sentence = listed([f"{name}{f' {best}' if name == names[0] else ''} {places}" for name, places in wins], comma=True)
    rest = [PLACES[measure.setting] for measure in settings if winners[measure] is None]
    return _opened(f"{sentence}; {listed(rest)} no strategy is significantly best" if rest else sentence)


def planned(study: Study, plan: Plan) -> list[str]:
    """One sentence for each planned comparison, and one for each that comes out otherwise among all pairs."""
    found = planned_sentences(study.planned, study.level)
    for each in study.planned:
        if isinstance(each.test, Comparison):
            outcome = study.outcome(each.a.label, each.b.label, each.measure)
            significant = each.holds(study.level) or each.fails(study.level)
            if not isinstance(outcome, NotTested) and isinstance(outcome, Better) != significant:
                found.append(_among_all_pairs(each, outcome, plan))
    return found


def _among_all_pairs(contrast: Planned, outcome: Better | NotDifferent, plan: Plan) -> str:
    a, b = contrast.a.label, contrast.b.label
    found = f"{a} is not significantly different from {b}"
    if isinstance(outcome, Better):
        found = f"{outcome.winner} is better than {outcome.loser}"
    # A plan that this report was given, or that only later runs name, may be newer than the results.
    own = plan.source is None and contrast.contrast not in plan.of_some
    why = "because it was chosen" if own else "if it was chosen"
    return (
        f"Among the {outcome.pair.family} exploratory comparisons, which Holm corrects together, {found} "
        f"{place(contrast)} ({p_text(outcome.pair.p_value)}). The planned comparison decides, {why} before the "
        "results were known."
    )


def sentences(study: Study) -> list[str]:
    """One sentence a measure: the leader, and which groups are significantly different from it."""
    if len(study.groups) < 2:
        return []
    of_one = _runs if study.of_runs else _strategies
    judged = {group.label for group in study.replicated}
    found = [
        _opened(of_one(study, measure)) + (_beside_quality(study, measure) if measure == RANK_DISTANCE else "")
        for measure in study.measures
        if len([label for label in study.best(measure) if study.of_runs or label in judged]) > 1
    ]
    found += _without_scores(study)
    if study.replicated and not study.of_runs and len(study.replicated) < len(study.groups):
        found.append(_not_tested(study))
    return found


def margins(study: Study) -> list[str]:
    """Whether each group keeps what X-X reaches within a language, as far as the margin says."""
    found = []
    measure = of_setting("monolingual", study.metric)
    keep = [each for each in study.margins if each.keeps(study.level)]
    if len(keep) > _APART:
        found.append(
            f"{some([each.group for each in keep])} keep the monolingual {measure.name} of {keep[0].reference} to "
            f"within {keep[0].test.margin:g} ({p_text(max(each.p_value for each in keep))} at most)."
        )
    for each in study.margins:
        margin = f"{each.test.margin:g}"
        group, reference = (study.subject(name) for name in (each.group, each.reference))
        if len(keep) > _APART and each.keeps(study.level):
            continue
        if each.keeps(study.level):
            found.append(
                f"{group} keeps the monolingual {measure.name} of {reference} to within {margin} "
                f"({p_text(each.p_value)})."
            )
            continue
        loss = -each.test.difference
        if each.costs(study.level):
            found.append(
                f"{group} costs monolingual {measure.name}: {loss:.4f} less than {reference}, significantly more than "
                f"the margin of {margin} ({p_text(each.loss_p_value)})."
            )
        else:
            found.append(
                f"Whether {group} keeps the monolingual {measure.name} of {reference} to within {margin} is "
                f"open: it has {abs(loss):.4f} {'less' if loss > 0 else 'more'} ({p_text(each.p_value)})."
            )
    return [_opened(sentence) for sentence in found]


def _runs(study: Study, measure: Measure) -> str:
    """Of single runs: nothing about what made them."""
    first, second, *_ = study.best(measure)
    found = study.outcome(first, second, measure)
    has = f"{_start(measure, study.subject(first))} has the {_superlative(measure)} {measure.name}, "
    has += _short(measure, study.estimates[first, measure].value)
    other = study.subject(second)
    if isinstance(found, NotTested):
        return f"{has}; not tested against {other}: {found.reason}."
    _, lead, _ = _from(found.pair, first)
    side = "above" if measure.higher_is_better else "below"
    beside = f"{_short(measure, lead)} {side} {other}"
    if isinstance(found, Better):
        return f"{has}, {beside} ({_sure(study, found.pair, first)}, over queries)."
    return (
        f"{has}, not significantly different from {other}: {beside} ({_sure(study, found.pair, first)}, over queries)."
    )


def _strategies(study: Study, measure: Measure) -> str:
    first = study.leader(measure)
    assert first is not None, "there are two groups that strategies can be judged by"
    names = {group.label for group in study.replicated} - {first}
    others = [label for label in study.best(measure) if label in names]
    among = "" if study.judged_all else ", of those tested,"
    has = f"{_start(measure, first)} has{among} the {_superlative(measure)} {measure.name}, "
    has += _short(measure, study.estimates[first, measure].value)
    if study.winner(measure):
        pair = study.pair(first, others[0], measure)
        assert pair is not None, "a winner was tested against every other"
        _, lead, _ = _from(pair, first)
        side = "above" if measure.higher_is_better else "below"
        next_ = others[0] if len(others) == 1 else f"the next, {others[0]}"
        every = "" if len(others) == 1 else ", better than every other"
        return f"{has}{every}: {_short(measure, lead)} {side} {next_} ({_sure(study, pair, first)})."
    like = study.like_the_leader(measure)
    nearest = study.outcome(first, like[0], measure)
    assert isinstance(nearest, NotDifferent), "the groups like the leader were tested"
    _, lead, _ = _from(nearest.pair, first)
    behind = [label for label in others if label not in like]
    rest = f" Significantly {'lower' if measure.higher_is_better else 'higher'}: {some(behind)}." if behind else ""
    return (
        f"{has}, not significantly different from {some(like)}: its lead over {like[0]} is {_short(measure, lead)} "
        f"({_sure(study, nearest.pair, first)}), and "
        f"{measure.found(nearest.detectable, _digits(measure, nearest.detectable))}.{rest}"
    )


def _beside_quality(study: Study, measure: Measure) -> str:
    """What a smaller rank distance may be due to: a better ranking as a whole has smaller distances, too."""
    quality = study.main("multilingual")
    labels = {group.label for group in study.replicated}
    first, second, *_ = [label for label in study.best(measure) if study.of_runs or label in labels]
    if quality is None:
        return ""
    both = f" The {quality.name} over the pool of {study.subject(first)} and {study.subject(second)}"
    match study.outcome(first, second, quality):
        case Better(winner):
            return f"{both} differs too ({winner} is better), so the distance is no measure of language bias alone."
        case NotDifferent():
            return f"{both} is not significantly different."
        case NotTested():
            return ""


def _not_tested(study: Study) -> str:
    """The groups of one run beside groups of several: their scores, and no judgement against those."""
    judged = {group.label for group in study.replicated}
    measure = study.widest
    single = [
        f"{group.label} ({_short(measure, study.estimates[group.label, measure].value)})"
        for group in study.having(measure)
        if group.label not in judged
    ]
    return (
        "Not tested against strategies of several runs, because a single run does not show how much its training "
        f"varies: {some(single)}; in brackets {measure.name} {measure.title}."
    )


def _without_scores(study: Study) -> list[str]:
    """Which systems that were measured elsewhere were not tested, and on what."""
    found = []
    for measure in study.measures:
        lack = [group.label for group in study.groups if group not in study.having(measure)]
        if lack:
            have = "has" if len(lack) == 1 else "have"
            found.append(f"Not tested: {some(lack)} {have} no {measure.name} {measure.title} by query.")
    if study.aggregates:
        names = some([each.name for each in study.aggregates])
        have = "has" if len(study.aggregates) == 1 else "have"
        found.append(f"Not tested: {names} {have} no scores by query, and so no interval either.")
    return found


def _start(measure: Measure, subject: str) -> str:
    """Where the sentence is about a retrieval metric it says first in which setting."""
    place = None if measure.metric == "rank_distance" else PLACES[measure.setting]
    return f"{place[0].upper()}{place[1:]}, {subject}" if place else subject


def _superlative(measure: Measure) -> str:
    return "highest" if measure.higher_is_better else "lowest"


def _sure(study: Study, pair: Pair, first: str) -> str:
    """The interval of the lead of `first`, and the p-value."""
    low, _, high = _from(pair, first)
    low, high = pair.measure.difference_within(low, high)
    digits = _digits(pair.measure, max(abs(low), abs(high)))
    return interval_and_p(low, high, digits, study.level, pair.p_value)


def _from(pair: Pair, first: str) -> tuple[float, float, float]:
    """Low, difference, high, such that positive means that `first` is better."""
    both = pair.comparison
    ordered = (both.low, both.difference, both.high)
    flip = (pair.a == first) != pair.measure.higher_is_better
    return (-ordered[2], -ordered[1], -ordered[0]) if flip else ordered


def _opened(sentence: str) -> str:
    """With a capital, unless the first word is a name with a spelling of its own."""
    first = sentence.split()[0]
    return sentence[0].upper() + sentence[1:] if first.islower() and first.isalpha() else sentence


def _short(measure: Measure, value: float) -> str:
    return fixed(value, _digits(measure, value))


def _digits(measure: Measure, value: float) -> int:
    return 3 if measure.digits == 4 else 0 if abs(value) >= 100 else 1
