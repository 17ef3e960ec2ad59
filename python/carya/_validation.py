"""What the estimators share: checks of arrays and texts, seeds."""

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from ._arrays import as_numpy


def check_points(estimator, X, *, reset, dtype=np.float32, **checks):
    """`X` as a C-contiguous array (n, dim) of finite numbers, scikit-learn's way.

    Without a copy if it is one of `dtype` already; `reset` sets n_features_in_.
    """
    return validate_data(
        estimator, as_numpy(X), reset=reset, dtype=dtype, order="C", accept_sparse=False, **checks
    )


def check_texts(X):
    """An iterable of str, not one str."""
    if isinstance(X, (str, bytes)):
        raise ValueError("a list of texts is needed, not one text")
    if not hasattr(X, "__iter__"):
        raise ValueError(f"a list of texts is needed, not a {type(X).__name__}")
    if getattr(X, "ndim", 1) != 1:
        raise ValueError(f"a list of texts is needed, not an array of {X.ndim} dimensions")
    return X


def seed_of(random_state):
    """The library's seed: an int as it is, else drawn."""
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


def whole(name, value, least):
    """A parameter that is a whole number from `least` on."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} is {value!r}: a whole number from {least} on")
    return int(value)
