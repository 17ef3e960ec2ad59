"""Indexes of vectors with ids."""

import os

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import _carya, _pickling  # noqa: F401: the index pickles through it
from ._progress import reporting
from ._validation import check_points, seed_of, whole

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
        return self._fit(X, None)

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
        return self._kneighbors(X, n_neighbors, return_distance, within, vectors, None)

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

    def _fit(self, X, labels):
        X = check_points(self, X, reset=True)
        ids = np.arange(len(X), dtype=np.uint64)
        with reporting(self.progress) as callback:
            self._index = _carya.Index.build(
                self._spec(), _metric(self.metric), ids, X, labels, callback
            )
        self._next_id = len(X)
        return self

    def _kneighbors(self, X, n_neighbors, return_distance, within, vectors, window):
        check_is_fitted(self, "_index")
        X = check_points(self, X, reset=False)
        ids, distances = self._index.search(
            X, whole("n_neighbors", n_neighbors, 1), *self._how(within, vectors), window
        )
        return (_shown(distances, self.metric), ids) if return_distance else ids

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
        0 is about 2 sqrt(n).
    n_parts : int, default=0
        Of a code, a divisor of n_features; 0 is about n_features / 2, or / 4 if bits is 8.
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


class SPANN(_Index):
    """An index of vectors with ids, larger than memory: all vectors in lists in its file.

    One vector in six, the heads of the lists, lies in memory; a search reads the lists of the
    nearest heads.  Rows that are added lie in memory.

    Parameters
    ----------
    metric : {"euclidean", "sqeuclidean", "cosine", "inner_product"}
    heads : float, default=0.16
        Lists per vector, in (0, 1]: fewer take less memory and are longer.
    copies : int, default=8
        Lists, at most, that a vector lies in.
    format : {"f32", "int8"}
        Of the vectors in the lists.
    effort : int, default=40
        Lists that a search reads; see tune.
    random_state : int, RandomState or None, default=0
    progress : bool or callable, optional

    References
    ----------
    Chen et al. 2021.
    """

    _type = "spann"

    def __init__(
        self,
        metric="euclidean",
        *,
        heads=0.16,
        copies=8,
        format="f32",
        effort=40,
        random_state=0,
        progress=None,
    ):
        self.metric = metric
        self.heads = heads
        self.copies = copies
        self.format = format
        self.effort = effort
        self.random_state = random_state
        self.progress = progress

    def _spec(self):
        return _spec(
            self._type,
            heads=float(self.heads),
            copies=whole("copies", self.copies, 1),
            format=self.format,
            seed=seed_of(self.random_state),
        )


class WindowIndex(_Index):
    """An index of vectors with ids and labels, searched within a window of the labels.

    A label is a number: a time, a price.  Ten times as fast and more as filtering, where a window
    holds some per cent of the items.

    Parameters
    ----------
    metric : {"euclidean", "sqeuclidean", "cosine", "inner_product"}
    m, ef_construction, codes
        Of the graphs: see HNSW.
    cutoff : int, default=1000
        Ranges of so many items or fewer have no graph: they are scanned.
    effort : int, default=100
        Candidates that a search keeps.
    random_state : int, RandomState or None, default=0
    progress : bool or callable, optional

    Examples
    --------
    >>> index = carya.WindowIndex("cosine").fit(X, labels=years)
    >>> distances, ids = index.kneighbors(queries, 10, window=(1990, 1995))

    References
    ----------
    Engels et al. 2024.
    """

    _type = "window"

    def __init__(
        self,
        metric="euclidean",
        *,
        m=16,
        ef_construction=200,
        codes="int8",
        cutoff=1000,
        effort=100,
        random_state=0,
        progress=None,
    ):
        self.metric = metric
        self.m = m
        self.ef_construction = ef_construction
        self.codes = codes
        self.cutoff = cutoff
        self.effort = effort
        self.random_state = random_state
        self.progress = progress

    def fit(self, X, y=None, *, labels=None):
        """A new index of the rows of X, with the ids 0, 1, ...

        labels : array (n_samples,) of numbers, optional
            Without them no window holds anything.
        """
        if labels is not None:
            labels = np.ascontiguousarray(labels, dtype=np.float64)
        return self._fit(X, labels)

    def kneighbors(
        self, X, n_neighbors=10, return_distance=True, *, window=None, within=None, vectors=None
    ):
        """The nearest items of each row, as of HNSW.

        window : (low, high), optional
            Only items whose label lies between these, both included.
        """
        if window is not None:
            low, high = window
            window = (float(low), float(high))
        return self._kneighbors(X, n_neighbors, return_distance, within, vectors, window)

    def _spec(self):
        return _spec(
            self._type,
            m=whole("m", self.m, 2),
            ef_construction=whole("ef_construction", self.ef_construction, 1),
            codes=self.codes,
            cutoff=whole("cutoff", self.cutoff, 1),
            seed=seed_of(self.random_state),
        )
