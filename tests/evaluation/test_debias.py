"""Means and principal components of languages, taken out of vectors."""

from __future__ import annotations

import numpy as np
import pytest

from babelbatch.evaluation.debias import debiased


def parallel(noise: float = 0.05) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """30 meanings in 3 languages: meaning + 2 x language + noise, unit length; the languages."""
    random = np.random.default_rng(0)
    meanings, languages = random.normal(size=(30, 40)), 2 * random.normal(size=(3, 40))
    vectors = (meanings[None] + languages[:, None] + noise * random.normal(size=(3, 30, 40))).reshape(90, 40)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.repeat(np.arange(3, dtype=np.int16), 30), np.tile(np.arange(30), 3)


def test_none_changes_nothing():
    vectors, languages, _ = parallel()
    queries, candidates = debiased("none", vectors[:5], languages[:5], vectors, languages)
    assert queries.base is vectors or np.array_equal(queries, vectors[:5])
    assert candidates is vectors


def test_centre_by_hand():
    """German candidates (3, 4) and (1, 0) have the mean (2, 2); the query (2, 5) becomes (0, 3), made as long as it
    was."""
    candidates = np.array([[3, 4], [1, 0]], np.float32)
    zero = np.zeros(2, np.int16)
    queries, found = debiased("centre", np.array([[2, 5]], np.float32), zero[:1], candidates, zero)
    assert queries == pytest.approx(np.array([[0, 29**0.5]]))
    assert found == pytest.approx(np.array([[1, 2], [-1, -2]]) / 5**0.5 * np.array([[5], [1]]))


def test_each_language_is_centred_on_its_own_candidates():
    vectors, languages, _ = parallel()
    queries, candidates = debiased("centre", vectors + 0.1, languages, vectors, languages)
    for language in range(3):
        of = languages == language
        mean = vectors[of].astype(np.float64).mean(axis=0)
        for before, after in ((vectors[of], candidates[of]), (vectors[of] + 0.1, queries[of])):
            expected = before - mean
            expected *= np.linalg.norm(before, axis=1, keepdims=True) / np.linalg.norm(expected, axis=1, keepdims=True)
            np.testing.assert_allclose(after, expected, atol=1e-5)


@pytest.mark.parametrize("components", [1, 2, 7])
def test_lir_agrees_with_the_singular_value_decomposition(components):
    vectors, languages, _ = parallel()
    asked, asked_in = vectors[::-1] * 2, languages[::-1]
    queries, candidates = debiased("lir", asked, asked_in, vectors, languages, components)
    for language in range(3):
        of, asking = languages == language, asked_in == language
        directions = np.linalg.svd(vectors[of].astype(np.float64))[2][:components]
        for before, after in ((vectors[of], candidates[of]), (asked[asking], queries[asking])):
            expected = before - before @ directions.T @ directions
            expected *= np.linalg.norm(before, axis=1, keepdims=True) / np.linalg.norm(expected, axis=1, keepdims=True)
            np.testing.assert_allclose(after, expected, atol=1e-5)
            np.testing.assert_allclose(after @ directions.T, 0, atol=1e-5)


@pytest.mark.parametrize("method", ["centre", "lir"])
def test_versions_come_together(method):
    """The nearest vectors are of the same language before, and of the same meaning after."""
    vectors, languages, meanings = parallel()

    def nearest(candidates: np.ndarray) -> np.ndarray:
        scores = candidates @ candidates.T
        np.fill_diagonal(scores, -np.inf)
        return np.argsort(-scores, axis=1)[:, :2]

    assert (languages[nearest(vectors)] == languages[:, None]).mean() > 0.95
    _, found = debiased(method, vectors, languages, vectors, languages)
    assert (meanings[nearest(found)] == meanings[:, None]).mean() > 0.95
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)


def test_a_vector_of_which_nothing_is_left_is_zero():
    candidates = np.array([[1, 0], [2, 0], [0, 1e-3]], np.float32)
    zero = np.zeros(3, np.int16)
    _, found = debiased("lir", candidates[:1], zero[:1], candidates, zero)
    assert found == pytest.approx(np.array([[0, 0], [0, 0], [0, 1e-3]]))


def test_what_cannot_be_fitted():
    vectors, languages, _ = parallel()
    with pytest.raises(ValueError, match=r"but 0 candidates to fit centre on; .* set evaluation\.debias=none$"):
        debiased("centre", vectors, languages + 1, vectors[:60], languages[:60] + 1)
    message = r"^evaluation\.components: 30 of 30 vectors of 40 dimensions would leave nothing; set it to 29 or less$"
    with pytest.raises(ValueError, match=message):
        debiased("lir", vectors, languages, vectors, languages, components=30)
