"""Nearest neighbours: exact, by an HNSW graph, and by compressed lists."""

import os

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import _carya, _pickling  # noqa: F401: the index pickles through it
from ._progress import reporting
from ._validation import check_points, seed_of, whole

__all__ = ["HNSW", "IVFPQ", "NearestNeighbors"]

_METRICS = {
    "euclidean": "squared_l2",
    "sqeuclidean": "squared_l2",
    "cosine": "cosine",
    "inner_product": "inner_product",
    "hamming": "hamming",
    "jaccard": "jaccard",
}


def _metric(name):
    if name not in _METRICS:
        raise ValueError(f"metric is {name!r}: one of {', '.join(map(repr, _METRICS))}")
    return _METRICS[name]


def _shown(distances, metric):
    """The library's distances in the metric that was asked for; in place."""
    return np.sqrt(distances, out=distances) if metric == "euclidean" else distances


def _spec(type, **parameters):
    return type + ":" + ",".join(f"{name}={value}" for name, value in parameters.items())


def _ids(ids, n):
    ids = np.asarray(ids)
    if ids.shape != (n,) or ids.dtype.kind not in "iu" or (n and ids.min() < 0):
        raise ValueError(f"ids: an array ({n},) of whole numbers from 0 on is needed")
    return np.ascontiguousarray(ids, dtype=np.uint64)


class _Index(BaseEstimator):
    """What the indexes share; a class of them has _spec(), its type and parameters as text."""

    def fit(self, X, y=None):
        """A new index of the rows of X, array (n_samples, n_features), with the ids 0, 1, ..."""
        X = check_points(self, X, reset=True)
        ids = np.arange(len(X), dtype=np.uint64)
        with reporting(self.progress) as callback:
            self._index = _carya.Index.build(self._spec(), _metric(self.metric), ids, X, callback)
        self._next_id = len(X)
        return self

    def add(self, X, ids=None):
        """Add rows, array (n_new, n_features).

        ids : array (n_new,) of int, not negative, optional
            New ones; by default they go on after the largest that was ever given.
        """
        check_is_fitted(self, "_index")
        X = check_points(self, X, reset=False)
        n = len(X)
        if ids is None:
            first = self._next_id if len(self) else 0
            if first is None:
                raise ValueError("ids are needed: a loaded index does not know the last one")
            ids = np.arange(first, first + n, dtype=np.uint64)
        else:
            ids = _ids(ids, n)
        with reporting(self.progress) as callback:
            self._index.add(ids, X, callback)
        if n and self._next_id is not None:
            self._next_id = max(self._next_id if len(self) > n else 0, int(ids.max()) + 1)
        return self

    def update(self, X, ids):
        """Give items other vectors: X, array (n, n_features); ids (n,), which must be there."""
        check_is_fitted(self, "_index")
        X = check_points(self, X, reset=False)
        self._index.update(_ids(ids, len(X)), X)
        return self

    def remove(self, ids):
        """Remove items; raises KeyError for an id that is not there (those before it are gone)."""
        check_is_fitted(self, "_index")
        for id in np.atleast_1d(ids):
            if id < 0 or not self._index.remove(int(id)):
                raise KeyError(f"there is no item with the id {id}")
        return self

    def kneighbors(self, X, n_neighbors=10, return_distance=True, *, within=None, vectors=None):
        """The nearest items of each row.

        Parameters
        ----------
        X : array (n_queries, n_features)
        n_neighbors : int
        within : array of int, optional
            Only items with these ids; as exact as without, however few they are.
        vectors : array (n_items, n_features), optional
            The vector of id i is row i: ranks the answers of an index that keeps codes only.

        Returns
        -------
        (distances, ids) : arrays (n_queries, n_neighbors) of float32 and int64
            Nearest first; where there are fewer items, the rest is inf and -1.  Only ids if not
            return_distance.
        """
        check_is_fitted(self, "_index")
        X = check_points(self, X, reset=False)
        ids, distances = self._index.search(
            X, whole("n_neighbors", n_neighbors, 1), *self._how(within, vectors)
        )
        return (_shown(distances, self.metric), ids) if return_distance else ids

    def radius_neighbors(self, X, radius, return_distance=True, *, within=None, vectors=None):
        """The items no farther than `radius` from each row of X, nearest first.

        Returns
        -------
        (distances, ids) : lists of n_queries arrays, as long as each has items
            Only ids if not return_distance.
        """
        check_is_fitted(self, "_index")
        X = check_points(self, X, reset=False)
        limit = radius * radius if self.metric == "euclidean" and radius > 0 else radius
        begins, ids, distances = self._index.search_range(X, limit, *self._how(within, vectors))
        cuts = begins.ravel()[1:-1]
        ids = np.split(ids.ravel(), cuts)
        return (np.split(_shown(distances.ravel(), self.metric), cuts), ids) if return_distance else ids

    def recall_curve(self, X, n_neighbors=10, *, vectors=None):
        """What rising effort finds of the true neighbours of the queries X, and what it costs.

        Returns
        -------
        dict of arrays: effort, recall, queries_per_second (on one thread), distances (per query)
        """
        check_is_fitted(self, "_index")
        return self._curve(X, n_neighbors, 0, vectors)

    def tune(self, X, recall=0.95, n_neighbors=10, *, vectors=None):
        """Set `effort` to the least that finds this share of the neighbours of the queries X."""
        check_is_fitted(self, "_index")
        if not 0 < recall <= 1:
            raise ValueError(f"recall is {recall}: above 0 and at most 1")
        curve = self._curve(X, n_neighbors, recall, vectors)
        if not len(curve["effort"]):
            raise ValueError(f"no effort reaches a recall of {recall}; give the exact vectors")
        self.effort = int(curve["effort"][0])
        return self

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
        if index.facts["type"] != cls._type:
            raise ValueError(f"{path}: is of the type {index.facts['type']}, not {cls._type}")
        names = {"squared_l2": "euclidean"}
        params.setdefault("metric", names.get(index.metric, index.metric))
        result = cls(**params)
        if _metric(result.metric) != index.metric:
            raise ValueError(f"{path}: its metric is {index.metric}, not {result.metric}")
        result._index = index
        result.n_features_in_ = index.dim
        result._next_id = None  # not in the file
        return result

    def _how(self, within, vectors):
        if within is not None:
            within = _ids(within, np.size(within))
        if vectors is not None:
            vectors = check_points(self, vectors, reset=False)
        return whole("effort", self.effort, 1), within, vectors

    def _curve(self, X, n_neighbors, target, vectors):
        X = check_points(self, X, reset=False)
        _, _, vectors = self._how(None, vectors)
        rows = self._index.recall_curve(X, whole("n_neighbors", n_neighbors, 1), target, vectors)
        return {
            "effort": rows[:, 0].astype(np.int64),
            "recall": rows[:, 1],
            "queries_per_second": rows[:, 2],
            "distances": rows[:, 3],
        }


class HNSW(_Index):
    """An index of vectors with ids, approximate: a hierarchical navigable small world graph.

    Finds in about log n steps, can be added to and removed from while others search, saved and
    mapped from a file.  The graph depends on the vectors, their order and the seed only, not on the
    threads.

    Parameters
    ----------
    metric : {"euclidean", "sqeuclidean", "cosine", "inner_product", "hamming", "jaccard"}
        "cosine" is 1 - cos; "inner_product" is the negative product; "hamming" (how many differ)
        and "jaccard" are of numbers 0 and 1, kept as bits.
    m : int, default=16
        Links of a node, 2 to 512: more for better recall in high dimensions.
    ef_construction : int, default=200
        Candidates that choose them: more is slower to build, and better.
    effort : int, default=100
        Candidates that a search keeps (ef): more is slower, and better; see tune.
    exact : {"f32", "bf16", "none"}
        What answers are ranked by; "none" keeps codes only, see `vectors` of kneighbors.
    codes : {"int8", "int4", "none"}
        What the graph is walked on.
    random_state : int, RandomState or None, default=0
    progress : bool or callable, optional
        As for Atlas.build.

    Attributes
    ----------
    n_features_in_ : int

    Examples
    --------
    >>> index = carya.HNSW(metric="cosine").fit(X)
    >>> distances, ids = index.tune(queries, recall=0.95).kneighbors(queries, 10)
    >>> index.add(more, ids=[1000, 1001]).remove([3])
    >>> index.save("vectors.hnsw"); index = carya.HNSW.load("vectors.hnsw")

    References
    ----------
    Malkov & Yashunin 2016.
    """

    _type = "hnsw"

    def __init__(
        self,
        metric="euclidean",
        *,
        m=16,
        ef_construction=200,
        effort=100,
        exact="f32",
        codes="int8",
        random_state=0,
        progress=None,
    ):
        self.metric = metric
        self.m = m
        self.ef_construction = ef_construction
        self.effort = effort
        self.exact = exact
        self.codes = codes
        self.random_state = random_state
        self.progress = progress

    def _spec(self):
        return _spec(
            self._type,
            m=whole("m", self.m, 2),
            ef_construction=whole("ef_construction", self.ef_construction, 1),
            exact=self.exact,
            codes=self.codes,
            seed=seed_of(self.random_state),
        )


class IVFPQ(_Index):
    """An index of vectors with ids, compressed: product codes in the lists of the nearest centroids.

    A tenth of the memory of HNSW and less.  Ranks by codes, and by exact vectors where kneighbors
    is given them.  Needs some thousand rows to learn from.

    Parameters
    ----------
    metric : {"euclidean", "sqeuclidean", "cosine", "inner_product"}
    n_lists : int, default=0
        0 is about 4 sqrt(n).
    n_parts : int, default=0
        Of a code, a divisor of n_features; 0 is about n_features / 4.
    bits : {4, 8}
        Of a part: 4 is faster, 8 finer.
    rotate : bool, default=True
        Learn a rotation first (OPQ).
    effort : int, default=8
        Lists that a search reads; see tune.
    random_state : int, RandomState or None, default=0
    progress : bool or callable, optional

    References
    ----------
    Johnson, Douze & Jegou 2017; Ge et al. 2013.
    """

    _type = "ivf_pq"

    def __init__(
        self,
        metric="euclidean",
        *,
        n_lists=0,
        n_parts=0,
        bits=4,
        rotate=True,
        effort=8,
        random_state=0,
        progress=None,
    ):
        self.metric = metric
        self.n_lists = n_lists
        self.n_parts = n_parts
        self.bits = bits
        self.rotate = rotate
        self.effort = effort
        self.random_state = random_state
        self.progress = progress

    def _spec(self):
        return _spec(
            self._type,
            lists=whole("n_lists", self.n_lists, 0),
            parts=whole("n_parts", self.n_parts, 0),
            bits=whole("bits", self.bits, 1),
            rotate="yes" if self.rotate else "no",
            seed=seed_of(self.random_state),
        )


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
