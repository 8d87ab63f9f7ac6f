"""What a corpus says, in texts, for the tests of what makes corpora."""

from __future__ import annotations

import numpy as np

from babelbatch.batches.data_module import PairData
from babelbatch.batches.inputs import TrainingInputs
from babelbatch.encoder import static
from babelbatch.records import ABSENT, Batch, Corpus
from babelbatch.sampling import Sampling


def item_texts(corpus: Corpus) -> dict[str, dict[str, tuple[str | None, str | None, list[str]]]]:
    """For each id and language that it exists in: question, passage, hard negatives. None for what is ABSENT."""
    items: dict[str, dict[str, tuple[str | None, str | None, list[str]]]] = {}
    for row, id_ in enumerate(corpus.ids):
        items[id_] = {}
        for column, language in enumerate(corpus.languages):
            question = _text(corpus.query_texts, corpus.queries[row, column])
            passage = _text(corpus.passage_texts, corpus.passages[row, column])
            negatives = [corpus.passage_texts[text] for text in corpus.negatives[row, column] if text != ABSENT]
            if question is not None or passage is not None or negatives:
                items[id_][language] = (question, passage, negatives)
    return items


def two_batches(corpus: Corpus, alpha: float, batch_size: int = 2) -> list[Batch]:
    """What the first two steps of training hold, X-X with probability alpha and else X-Y."""
    encoder = static([*corpus.query_texts, *corpus.passage_texts], vocab_size=300, hidden_size=8)
    sampling = Sampling(name="hybrid", alpha=alpha, batch_size=batch_size)
    data = PairData(TrainingInputs(corpus, sampling, encoder, seed=0, steps=2), validation_fraction=0)
    batches = list(data.train_dataloader())
    for batch in batches:
        same = batch.plan.query_languages == batch.plan.passage_languages
        assert same.all() if batch.kind == "x_x" else not same.any()
    return batches


def _text(texts, row: np.integer) -> str | None:
    return None if row == ABSENT else texts[row]
