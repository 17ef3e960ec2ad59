"""Items of several vectors."""

import os

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import _carya
from ._indexes import _ids, _metric
from ._progress import reporting
from ._validation import check_points, whole

__all__ = ["MultiVectorIndex"]


class MultiVectorIndex(BaseEstimator):
    """Items that have several vectors: passages of a document, tokens of a passage.

    Parameters
    ----------
    metric : {"inner_product", "sqeuclidean", "cosine", "hamming", "jaccard"}
    index : str, default="hnsw"
        What finds the vectors, as of `carya index build --type`: "hnsw:m=32", "flat".
    effort : int, default=100
        Vectors that a search looks up.
    progress : bool or callable, optional

    Attributes
    ----------
    n_features_in_ : int

    Examples
    --------
    >>> index = carya.MultiVectorIndex().fit([tokens_of_a, tokens_of_b])   # arrays (n, dim)
    >>> distances, ids = index.late_interaction(query_tokens, 10)          # ColBERT's MaxSim

    References
    ----------
    Khattab & Zaharia 2020.
    """

    def __init__(self, metric="inner_product", *, index="hnsw", effort=100, progress=None):
        self.metric = metric
        self.index = index
        self.effort = effort
        self.progress = progress

    def fit(self, X, y=None):
        """A new index of the items X, a list of arrays (n_vectors, n_features), ids 0, 1, ..."""
        vectors, offsets = self._joined(X, reset=True)
        self._items = _carya.MultiVectorIndex(self.index, _metric(self._checked()), vectors.shape[1])
        return self._add(np.arange(len(X), dtype=np.uint64), offsets, vectors)

    def add(self, X, ids):
        """Add items: a list of arrays, and as many new ids."""
        check_is_fitted(self, "_items")
        vectors, offsets = self._joined(X, reset=False)
        return self._add(_ids(ids, len(X)), offsets, vectors)

    def remove(self, ids):
        """Remove items; raises KeyError for an id that is not there (those before it are gone)."""
        check_is_fitted(self, "_items")
        for id in np.atleast_1d(ids):
            if id < 0 or not self._items.remove(int(id)):
                raise KeyError(f"there is no item with the id {id}")
        return self

    def kneighbors(self, X, n_neighbors=10, *, within=None):
        """For each row of X the items whose nearest vector is nearest: (distances, ids)."""
        check_is_fitted(self, "_items")
        X = check_points(self, X, reset=False)
        ids, distances = self._items.search(X, *self._how(n_neighbors, within))
        return distances, ids

    def late_interaction(self, X, n_neighbors=10, *, within=None):
        """For the rows of X together, a query's tokens: (distances, ids), arrays (n_neighbors,).

        An item's distance is the sum over the rows of that of its nearest vector.
        """
        check_is_fitted(self, "_items")
        X = check_points(self, X, reset=False)
        ids, distances = self._items.late_interaction(X, *self._how(n_neighbors, within))
        return distances.ravel(), ids.ravel()

    def __len__(self):
        return len(self._items) if hasattr(self, "_items") else 0

    def __bool__(self):
        return True

    def save(self, path):
        """Write a folder of two files."""
        check_is_fitted(self, "_items")
        self._items.save(os.fspath(path))

    @classmethod
    def load(cls, path, **params):
        """What save wrote; `params` (effort ...) are of the constructor."""
        items = _carya.MultiVectorIndex.open(os.fspath(path))
        names = {"squared_l2": "sqeuclidean"}
        params.setdefault("metric", names.get(items.metric, items.metric))
        result = cls(**params)
        result._items = items
        result.n_features_in_ = items.dim
        return result

    def _checked(self):
        if self.metric == "euclidean":  # a sum of roots is another order
            raise ValueError("metric is 'euclidean': 'sqeuclidean' is meant")
        return self.metric

    def _joined(self, X, reset):
        if not len(X):
            raise ValueError("at least one item is needed")
        vectors = check_points(self, np.concatenate([np.atleast_2d(x) for x in X]), reset=reset)
        lengths = [len(np.atleast_2d(x)) for x in X]
        return vectors, np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint64)

    def _add(self, ids, offsets, vectors):
        with reporting(self.progress) as callback:
            self._items.add(ids, offsets, vectors, callback)
        return self

    def _how(self, n_neighbors, within):
        if within is not None:
            within = _ids(within, np.size(within))
        return whole("n_neighbors", n_neighbors, 1), whole("effort", self.effort, 1), within
