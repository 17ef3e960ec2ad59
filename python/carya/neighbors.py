"""Nearest neighbours: exact, and by indexes."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import _carya
from ._indexes import HNSW, IVFPQ, SPANN, WindowIndex, _metric, _shown
from ._multi_vector import MultiVectorIndex
from ._progress import reporting
from ._validation import check_points, whole

__all__ = ["HNSW", "IVFPQ", "MultiVectorIndex", "NearestNeighbors", "SPANN", "WindowIndex"]

class NearestNeighbors(BaseEstimator):
    """Nearest neighbours, as scikit-learn's class of the same name.

    Parameters
    ----------
    n_neighbors : int, default=5
    algorithm : {"brute", "hnsw"}
        "brute" is exact: all distances, by SIMD tiles on all cores.  "hnsw" is approximate and
        faster from some ten thousand rows on.
    metric : {"euclidean", "sqeuclidean", "cosine", "inner_product", "hamming", "jaccard"}
        "cosine" is 1 - cos; "inner_product" is the negative product; "hamming" (how many differ)
        and "jaccard" are of numbers 0 and 1, kept as bits.
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
