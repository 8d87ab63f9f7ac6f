"""A strategy that plans its steps in its own way is what a run's batches follow."""

from __future__ import annotations

from dataclasses import dataclass

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.encoder import static
from babelbatch.records import Plan
from babelbatch.sampling import Sampler, Sampling


@dataclass(frozen=True)
class GermanEveryOtherStep(Sampling):
    every: int = 2

    def sampler(self, corpus, seed, rows=None, availability=None, steps=None) -> Sampler:
        return _Alternating(corpus, self, seed, rows, availability, steps)


class _Alternating(Sampler):
    def __init__(self, corpus, sampling, seed, rows, availability, steps) -> None:
        super().__init__(corpus, sampling, seed, rows, availability, steps)
        german = Sampling(name="german", alpha=1.0, batch_size=sampling.batch_size, languages=["de"])
        self._german = Sampler(corpus, german, seed, rows, availability, steps)

    def plan(self, step: int) -> Plan:
        return self._german.plan(step) if step % self.sampling.every == 0 else super().plan(step)


def test_its_sampler_plans_the_batches(make_corpus):
    corpus = make_corpus(items=20)
    encoder = static([*corpus.query_texts, *corpus.passage_texts], vocab_size=100, hidden_size=8)
    strategy = GermanEveryOtherStep(name="mine", alpha=0.0, batch_size=4, every=3)
    data = PairData(TrainingInputs(corpus, strategy, encoder, seed=0, steps=9), validation_fraction=0)
    german = corpus.languages.index("de")
    planned = [batch.plan for batch in data.train_dataloader()]
    assert [plan.kind for plan in planned] == ["x_x", "x_y", "x_y"] * 3
    assert all((plan.query_languages == german).all() for plan in planned[::3])
    shipped = Sampling(name="x_y", alpha=0.0, batch_size=4).sampler(corpus, 0, steps=9)
    assert type(shipped) is Sampler
    assert (shipped.plan(1).items == planned[1].items).all()  # the other steps are those of the settings
