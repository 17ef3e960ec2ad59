"""Clusters of arrays: HDBSCAN*, hierarchical k-means."""

from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from . import _carya
from ._progress import reporting
from ._validation import check_points, seed_of, whole

__all__ = ["HDBSCAN", "KMeansLevel", "KMeansTree"]


class HDBSCAN(ClusterMixin, BaseEstimator):
    """Clusters of varying density, and noise.

    Exact, on all cores; labels do not depend on the order of the rows or on the number of threads.
    Distances are those of float32 coordinates, computed in double.

    Parameters
    ----------
    min_cluster_size : int, default=5
        Items, 2 or more; smaller groups are noise.
    min_samples : int, optional
        The core distance is that to the min_samples-th neighbour, the item itself not counted (as
        in the hdbscan package; scikit-learn counts it: its 5 is 4 here).  By default
        min_cluster_size.
    cluster_selection_epsilon : float, default=0.0
        Clusters are not split below this distance.
    metric : {"euclidean", "cosine", "precomputed"}
        "cosine": Euclidean between the vectors scaled to length 1.  "precomputed": X is (n, n).
    alpha : float, default=1.0
        Distances are divided by it, core distances not.
    cluster_selection_method : {"eom", "leaf"}
        Those that last longest, or those that do not split further.
    allow_single_cluster : bool, default=False
    progress : bool or callable, optional
        As for Atlas.build.

    Attributes
    ----------
    labels_ : array (n_samples,) of int32
        By their first item; -1 is noise.
    probabilities_ : array (n_samples,) of float64
        How deep in its cluster an item is, in [0, 1]; 0 for noise.
    outlier_scores_ : array (n_samples,) of float64
        GLOSH, in [0, 1]; large = outlier.
    core_distances_ : array (n_samples,) of float64
    minimum_spanning_tree_ : array (n_samples - 1, 3) of float64
        Items a and b and their mutual reachability, lightest first.
    single_linkage_tree_ : array (n_samples - 1, 4) of float64
        scipy's linkage matrix.
    condensed_tree_ : structured array with the fields parent, child, lambda_val, child_size
        As the hdbscan package has it: items are 0 to n_samples - 1, clusters follow.
    n_features_in_ : int

    References
    ----------
    Campello, Moulavi & Sander 2013; McInnes & Healy 2017.
    """

    def __init__(
        self,
        min_cluster_size=5,
        *,
        min_samples=None,
        cluster_selection_epsilon=0.0,
        metric="euclidean",
        alpha=1.0,
        cluster_selection_method="eom",
        allow_single_cluster=False,
        progress=None,
    ):
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.cluster_selection_epsilon = cluster_selection_epsilon
        self.metric = metric
        self.alpha = alpha
        self.cluster_selection_method = cluster_selection_method
        self.allow_single_cluster = allow_single_cluster
        self.progress = progress

    def fit(self, X, y=None):
        """Cluster the rows of X, array (n_samples, n_features), or of distances (n, n)."""
        options = self._options()
        if self.metric == "precomputed":
            X = check_points(self, X, reset=True, dtype=np.float64, ensure_all_finite=False)
            if X.shape[0] != X.shape[1]:
                raise ValueError(f"precomputed distances are {X.shape}: a square matrix is needed")
            result = _carya.hdbscan_precomputed(X, **options)
            self._points = None
        else:
            X = check_points(self, X, reset=True)
            with reporting(self.progress) as callback:
                result = _carya.hdbscan(X, metric=self.metric, progress=callback, **options)
            self._points = X
        self._fitted_options = options
        self.labels_ = result["labels"]
        self.probabilities_ = result["probabilities"]
        self.outlier_scores_ = result["outlier_scores"]
        self.core_distances_ = result["core_distances"]
        self.minimum_spanning_tree_ = result["mst"]
        self.single_linkage_tree_ = result["linkage"]
        parents, children, lambdas, sizes = result["condensed"]
        self.condensed_tree_ = np.empty(
            len(parents),
            dtype=[("parent", "i8"), ("child", "i8"), ("lambda_val", "f8"), ("child_size", "i8")],
        )
        self.condensed_tree_["parent"] = parents
        self.condensed_tree_["child"] = children
        self.condensed_tree_["lambda_val"] = lambdas
        self.condensed_tree_["child_size"] = sizes
        return self

    def approximate_predict(self, X):
        """Where new rows would fall, with the clusters as they are.

        Each joins the cluster of the fitted item of least mutual reachability.  Needs the X of fit,
        which is kept without a copy: do not change it between.

        Parameters
        ----------
        X : array (n_queries, n_features)

        Returns
        -------
        (labels, probabilities) : arrays (n_queries,) of int32 and float64
        """
        check_is_fitted(self)
        if self._points is None:
            raise ValueError("with metric='precomputed' there are no coordinates to compare with")
        X = check_points(self, X, reset=False)
        return _carya.hdbscan_predict(
            self.minimum_spanning_tree_,
            self.core_distances_,
            self._points,
            metric=self.metric,
            queries=X,
            **self._fitted_options,
        )

    def dbscan_clustering(self, cut_distance):
        """Labels (n_samples,) of DBSCAN* with eps = cut_distance, from the same spanning tree."""
        check_is_fitted(self)
        return _carya.dbscan_cut(
            self.minimum_spanning_tree_, self.core_distances_, float(cut_distance)
        )

    def _options(self):
        return {
            "min_cluster_size": whole("min_cluster_size", self.min_cluster_size, 2),
            "min_samples": (
                0 if self.min_samples is None else whole("min_samples", self.min_samples, 1)
            ),
            "alpha": float(self.alpha),
            "method": self.cluster_selection_method,
            "epsilon": float(self.cluster_selection_epsilon),
            "allow_single": bool(self.allow_single_cluster),
        }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.metric == "precomputed"
        return tags


class KMeansLevel(NamedTuple):
    """One level of a KMeansTree."""

    centroids: np.ndarray  #: (n_clusters, n_features) of float32
    parents: np.ndarray  #: of each sample, or cluster of the level below: its cluster here, uint32


class KMeansTree(ClusterMixin, BaseEstimator):
    """Clusters of clusters: k-means of the points, then of the centroids, and so on.

    Each level resamples, so that the centroids follow the density less than plain k-means' do
    (Vo et al. 2024).  The same for every number of threads.

    Parameters
    ----------
    n_clusters : int or sequence of int, default=8
        Of the finest level; or of all levels, the finest first.
    branching : int, default=8
        With a single n_clusters above it: each further level has n_clusters / branching of the
        level below, down to at most so many.
    n_resamples : int, default=10
        Rounds of resampling in each level; 0 is plain k-means.
    n_iterations : int, default=50
        Of each k-means.
    random_state : int, RandomState or None, default=0
    progress : bool or callable, optional
        As for Atlas.build.

    Attributes
    ----------
    labels_ : array (n_samples,) of int32
        The cluster in the finest level.
    cluster_centers_ : array (n_clusters, n_features) of float32
        Of the finest level.
    levels_ : list of KMeansLevel
        The finest first; the clusters of the last hang under one root.
    inertia_ : float
        Sum of the squared distances to the centres of the finest level.
    n_features_in_ : int
    """

    def __init__(
        self,
        n_clusters=8,
        *,
        branching=8,
        n_resamples=10,
        n_iterations=50,
        random_state=0,
        progress=None,
    ):
        self.n_clusters = n_clusters
        self.branching = branching
        self.n_resamples = n_resamples
        self.n_iterations = n_iterations
        self.random_state = random_state
        self.progress = progress

    def fit(self, X, y=None):
        """Cluster the rows of X, array (n_samples, n_features)."""
        X = check_points(self, X, reset=True)
        with reporting(self.progress) as callback:
            levels, distances = _carya.hierarchical_kmeans(
                X,
                self._level_sizes(),
                whole("n_resamples", self.n_resamples, 0),
                whole("n_iterations", self.n_iterations, 1),
                seed_of(self.random_state),
                callback,
            )
        self.levels_ = [KMeansLevel(*level) for level in levels]
        self.cluster_centers_ = self.levels_[0].centroids
        self.labels_ = self.levels_[0].parents.astype(np.int32)
        self.inertia_ = float(distances.sum(dtype=np.float64))
        return self

    def predict(self, X):
        """The nearest cluster of the finest level for each row: array (n_queries,) of int32."""
        check_is_fitted(self)
        X = check_points(self, X, reset=False)
        ids, _ = _carya.exact_knn(X, self.cluster_centers_, 1, "squared_l2", None)
        return ids[:, 0].astype(np.int32)

    def labels(self, level):
        """The cluster of each sample in a level (0 is the finest): array (n_samples,) of int32."""
        check_is_fitted(self)
        labels = self.levels_[0].parents
        for i in range(1, range(len(self.levels_))[level] + 1):
            labels = self.levels_[i].parents[labels]
        return labels.astype(np.int32)

    def _level_sizes(self):
        if not isinstance(self.n_clusters, (int, np.integer)):
            return [whole("n_clusters", n, 1) for n in self.n_clusters]
        branching = whole("branching", self.branching, 2)
        sizes = [whole("n_clusters", self.n_clusters, 1)]
        while sizes[-1] > branching:
            sizes.append(-(-sizes[-1] // branching))
        return sizes
