"""Windows hold every word of a text, and none is longer than the model reads."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from albert.inference.tokens import upper_bound
from albert.inference.windows import mean, windows

texts = st.text(st.sampled_from("abé 1.,\n漢😀"), min_size=1, max_size=400)


@given(texts, st.integers(8, 60))
def test_windows_joined_are_the_text(text: str, most: int) -> None:
    assert "".join(windows(text, most)) == text


@given(texts, st.integers(8, 60))
def test_no_window_is_longer_than_asked_or_empty(text: str, most: int) -> None:
    assert all(window and upper_bound(window) <= most for window in windows(text, most))


@given(st.integers(1, 6), st.integers(0, 2**31))
def test_the_mean_has_unit_norm_and_that_of_equals_is_one_of_them(count: int, seed: int) -> None:
    row = np.random.default_rng(seed).normal(size=16).astype(np.float32)
    row /= np.linalg.norm(row)
    found = mean(np.stack([row] * count), range(1, count + 1))
    np.testing.assert_allclose(found, row, atol=1e-6)
