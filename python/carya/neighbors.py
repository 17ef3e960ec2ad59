"""Nearest neighbours: exact, and by an HNSW graph."""

import os

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import _carya, _pickling  # noqa: F401: the index pickles through it
from ._progress import reporting
from ._validation import check_points, seed_of, whole

__all__ = ["HNSW", "NearestNeighbors"]

_METRICS = {
    "euclidean": "squared_l2",
    "sqeuclidean": "squared_l2",
    "cosine": "cosine",
    "inner_product": "inner_product",
}


def _metric(name):
    if name not in _METRICS:
        raise ValueError(f"metric is {name!r}: one of {', '.join(map(repr, _METRICS))}")
    return _METRICS[name]


def _shown(distances, metric):
    """The library's distances in the metric that was asked for; in place."""
    return np.sqrt(distances, out=distances) if metric == "euclidean" else distances


class HNSW(BaseEstimator):
    """An index of vectors with ids, approximate: a hierarchical navigable small world graph.

    Finds in about log n steps, can be added to and removed from, saved and mapped from a file.  The
    graph depends on the vectors, their order and the seed only, not on the threads.

    Parameters
    ----------
    metric : {"euclidean", "sqeuclidean", "cosine", "inner_product"}
        "cosine" is 1 - cos; "inner_product" is the negative product.
    m : int, default=16
        Links of a node, 2 to 512: more for better recall in high dimensions.
    ef_construction : int, default=200
        Candidates that choose them: more is slower to build, and better.
    effort : int, default=100
        Candidates that a search keeps (ef): more is slower, and better.
    random_state : int, RandomState or None, default=0
    progress : bool or callable, optional
        As for Atlas.build.

    Attributes
    ----------
    n_features_in_ : int

    Examples
    --------
    >>> index = carya.HNSW(metric="cosine").fit(X)
    >>> distances, ids = index.kneighbors(queries, 10)
    >>> index.add(more, ids=[1000, 1001]).remove([3])
    >>> index.save("vectors.hnsw"); index = carya.HNSW.load("vectors.hnsw")

    References
    ----------
    Malkov & Yashunin 2016.
    """

    def __init__(
        self,
        metric="euclidean",
        *,
        m=16,
        ef_construction=200,
        effort=100,
        random_state=0,
        progress=None,
    ):
        self.metric = metric
        self.m = m
        self.ef_construction = ef_construction
        self.effort = effort
        self.random_state = random_state
        self.progress = progress

    def fit(self, X, y=None):
        """A new index of the rows of X, array (n_samples, n_features), with the ids 0, 1, ..."""
        X = check_points(self, X, reset=True)
        self._index = _carya.Index.hnsw(
            X.shape[1],
            _metric(self.metric),
            whole("m", self.m, 2),
            whole("ef_construction", self.ef_construction, 1),
            seed_of(self.random_state),
        )
        return self._add(X, None)

    def add(self, X, ids=None):
        """Add rows, array (n_new, n_features).

        ids : array (n_new,) of int, not negative, optional
            New ones; by default they go on after the largest that was ever given.
        """
        check_is_fitted(self, "_index")
        return self._add(check_points(self, X, reset=False), ids)

    def remove(self, ids):
        """Remove items; raises KeyError for an id that is not there (those before it are gone)."""
        check_is_fitted(self, "_index")
        for id in np.atleast_1d(ids):
            if id < 0 or not self._index.remove(int(id)):
                raise KeyError(f"there is no item with the id {id}")
        return self

    def kneighbors(self, X, n_neighbors=10, return_distance=True):
        """The nearest items of each row.

        Parameters
        ----------
        X : array (n_queries, n_features)
        n_neighbors : int

        Returns
        -------
        (distances, ids) : arrays (n_queries, n_neighbors) of float32 and int64
            Nearest first; where there are fewer items, the rest is inf and -1.  Only ids if not
            return_distance.
        """
        check_is_fitted(self, "_index")
        X = check_points(self, X, reset=False)
        ids, distances = self._index.search(
            X, whole("n_neighbors", n_neighbors, 1), whole("effort", self.effort, 1)
        )
        return (_shown(distances, self.metric), ids) if return_distance else ids

    def __len__(self):
        return len(self._index) if hasattr(self, "_index") else 0

    def __bool__(self):
        return True

    def save(self, path):
        """Write the index to a file, which the C++ program reads, too."""
        check_is_fitted(self, "_index")
        self._index.save(os.fspath(path))

    @classmethod
    def load(cls, path, **params):
        """The index that a file holds, mapped; `params` (effort ...) are of the constructor."""
        index = _carya.Index.open(os.fspath(path))
        names = {"squared_l2": "euclidean"}
        params.setdefault("metric", names.get(index.metric, index.metric))
        result = cls(**params)
        if _metric(result.metric) != index.metric:
            raise ValueError(f"{path}: its metric is {index.metric}, not {result.metric}")
        result._index = index
        result.n_features_in_ = index.dim
        result._next_id = None  # not in the file
        return result

    def _add(self, X, ids):
        n = X.shape[0]
        if ids is None:
            first = getattr(self, "_next_id", 0) if len(self) else 0
            if first is None:
                raise ValueError("ids are needed: a loaded index does not know the last one")
            ids = np.arange(first, first + n, dtype=np.uint64)
        else:
            ids = np.asarray(ids)
            if ids.shape != (n,) or ids.dtype.kind not in "iu" or (n and ids.min() < 0):
                raise ValueError(f"ids: an array ({n},) of whole numbers from 0 on is needed")
            ids = np.ascontiguousarray(ids, dtype=np.uint64)
        with reporting(self.progress) as callback:
            self._index.add(ids, X, callback)
        known = getattr(self, "_next_id", 0)
        if n and known is not None:
            self._next_id = max(known if len(self) > n else 0, int(ids.max()) + 1)
        return self


class NearestNeighbors(BaseEstimator):
    """Nearest neighbours, as scikit-learn's class of the same name.

    Parameters
    ----------
    n_neighbors : int, default=5
    algorithm : {"brute", "hnsw"}
        "brute" is exact: all distances, by SIMD tiles on all cores.  "hnsw" is approximate and
        faster from some ten thousand rows on.
    metric : {"euclidean", "sqeuclidean", "cosine", "inner_product"}
        "cosine" is 1 - cos; "inner_product" is the negative product.
    effort : int, default=100
        Of "hnsw": candidates that a search keeps; more is slower, and better.
    m, ef_construction, random_state
        Of "hnsw": see HNSW.
    progress : bool or callable, optional
        As for Atlas.build.

    Attributes
    ----------
    n_samples_fit_ : int
    n_features_in_ : int
    """

    def __init__(
        self,
        n_neighbors=5,
        *,
        algorithm="brute",
        metric="euclidean",
        effort=100,
        m=16,
        ef_construction=200,
        random_state=0,
        progress=None,
    ):
        self.n_neighbors = n_neighbors
        self.algorithm = algorithm
        self.metric = metric
        self.effort = effort
        self.m = m
        self.ef_construction = ef_construction
        self.random_state = random_state
        self.progress = progress

    def fit(self, X, y=None):
        """Take the rows of X, array (n_samples, n_features); "brute" keeps it without a copy."""
        whole("n_neighbors", self.n_neighbors, 1)
        _metric(self.metric)
        X = check_points(self, X, reset=True)
        if self.algorithm not in ("brute", "hnsw"):
            raise ValueError(f"algorithm is {self.algorithm!r}: one of 'brute', 'hnsw'")
        self._points = X
        self._hnsw = None
        if self.algorithm == "hnsw":
            self._hnsw = HNSW(
                self.metric,
                m=self.m,
                ef_construction=self.ef_construction,
                effort=self.effort,
                random_state=self.random_state,
                progress=self.progress,
            ).fit(X)
        self.n_samples_fit_ = X.shape[0]
        return self

    def kneighbors(self, X=None, n_neighbors=None, return_distance=True):
        """The nearest fitted rows of each query.

        Parameters
        ----------
        X : array (n_queries, n_features), optional
            By default the fitted rows; then a row is not its own neighbour.
        n_neighbors : int, optional
            By default that of the constructor.

        Returns
        -------
        (distances, indices) : arrays (n_queries, n_neighbors) of float32 and int64
            Nearest first, equal distances by rising index.  Only indices if not return_distance.
        """
        check_is_fitted(self)
        k = whole("n_neighbors", self.n_neighbors if n_neighbors is None else n_neighbors, 1)
        n_others = self.n_samples_fit_ - (1 if X is None else 0)
        if k > n_others:
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}"
                + (", and a row is not its own neighbour" if X is None else "")
            )
        if X is not None:
            X = check_points(self, X, reset=False)
        if self._hnsw is not None:
            distances, ids = self._approximate(X, k)
        else:
            distances, ids = self._exact(X, k)
        return (distances, ids) if return_distance else ids

    def kneighbors_graph(self, X=None, n_neighbors=None, mode="connectivity"):
        """The same as a sparse matrix (n_queries, n_samples_fit), CSR.

        mode : {"connectivity", "distance"}
            Ones, or the distances.
        """
        from scipy.sparse import csr_matrix

        if mode not in ("connectivity", "distance"):
            raise ValueError(f"mode is {mode!r}: one of 'connectivity', 'distance'")
        distances, ids = self.kneighbors(X, n_neighbors)
        n, k = ids.shape
        values = distances.ravel() if mode == "distance" else np.ones(n * k)
        starts = np.arange(0, n * k + 1, k)
        return csr_matrix((values, ids.ravel(), starts), shape=(n, self.n_samples_fit_))

    def _exact(self, X, k):
        with reporting(self.progress) as callback:
            if X is None:
                found = _carya.exact_knn_graph(self._points, k, _metric(self.metric), callback)
            else:
                found = _carya.exact_knn(X, self._points, k, _metric(self.metric), callback)
        ids, distances = found
        return _shown(distances, self.metric), ids.astype(np.int64)

    def _approximate(self, X, k):
        if X is not None:
            return self._hnsw.kneighbors(X, k)
        distances, ids = self._hnsw.kneighbors(self._points, k + 1)
        # Leave out the row itself; where a search missed it, the farthest.
        is_self = ids == np.arange(len(ids))[:, None]
        is_self[~is_self.any(axis=1), -1] = True
        return distances[~is_self].reshape(-1, k), ids[~is_self].reshape(-1, k)
