"""The estimators: scikit-learn's conventions, its results and hdbscan's, bad input."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import carya

ALL = [
    carya.HDBSCAN(),
    carya.HDBSCAN(min_cluster_size=3, cluster_selection_method="leaf"),
    carya.KMeansTree(),
    carya.KMeansTree(6, branching=2, n_resamples=2),
    carya.HNSW(),
    carya.HNSW(metric="cosine", m=4, effort=20),
    carya.NearestNeighbors(),
    carya.NearestNeighbors(algorithm="hnsw"),
]


@parametrize_with_checks(ALL)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:Can't test estimator")
@parametrize_with_checks([carya.LSA(), carya.SentenceEncoder()])
def test_scikit_learns_checks_of_texts(estimator, check):
    check(estimator)


@pytest.mark.parametrize("method", ["eom", "leaf"])
def test_hdbscan_agrees_with_the_hdbscan_package(blobs, method):
    theirs = pytest.importorskip("hdbscan").HDBSCAN(
        min_cluster_size=8, min_samples=5, approx_min_span_tree=False,
        cluster_selection_method=method,
    ).fit(blobs[0].astype(np.float64))
    ours = carya.HDBSCAN(min_cluster_size=8, min_samples=5, cluster_selection_method=method)
    ours.fit(blobs[0])
    assert adjusted_rand_score(ours.labels_, theirs.labels_) == 1
    assert ours.probabilities_ == pytest.approx(theirs.probabilities_, abs=1e-4)
    assert ours.outlier_scores_ == pytest.approx(theirs.outlier_scores_, abs=1e-4)
    assert ours.single_linkage_tree_[:, 2] == pytest.approx(
        theirs.single_linkage_tree_.to_numpy()[:, 2], rel=1e-4
    )
    frame = theirs.condensed_tree_.to_numpy()
    assert frame.dtype.names == ours.condensed_tree_.dtype.names
    assert np.sort(ours.condensed_tree_["lambda_val"]) == pytest.approx(
        np.sort(frame["lambda_val"]), rel=1e-4
    )


def test_hdbscan_agrees_with_scikit_learn(blobs):
    from sklearn.cluster import HDBSCAN

    theirs = HDBSCAN(min_cluster_size=8, min_samples=6, copy=True).fit(blobs[0])  # counts itself
    ours = carya.HDBSCAN(min_cluster_size=8, min_samples=5).fit(blobs[0])
    assert adjusted_rand_score(ours.labels_, theirs.labels_) == 1


def test_hdbscan_of_distances_and_dbscan_cuts(blobs):
    from sklearn.cluster import DBSCAN
    from sklearn.metrics import pairwise_distances

    points = blobs[0].astype(np.float64)
    distances = pairwise_distances(points)
    distances = (distances + distances.T) / 2
    ours = carya.HDBSCAN(min_samples=5).fit(points)
    given = carya.HDBSCAN(min_samples=5, metric="precomputed").fit(distances)
    assert adjusted_rand_score(ours.labels_, given.labels_) == 1
    assert given.probabilities_ == pytest.approx(ours.probabilities_, abs=1e-4)
    core = DBSCAN(eps=2.0, min_samples=6).fit(points)
    labels = np.full(len(points), -1)
    labels[core.core_sample_indices_] = core.labels_[core.core_sample_indices_]
    assert adjusted_rand_score(ours.dbscan_clustering(2.0), labels) == 1
    with pytest.raises(ValueError, match="square"):
        carya.HDBSCAN(metric="precomputed").fit(distances[:, :5])
    with pytest.raises(ValueError, match="no coordinates"):
        given.approximate_predict(points)


def test_hdbscan_predicts_where_points_would_fall(blobs):
    model = carya.HDBSCAN(min_cluster_size=8).fit(blobs[0])
    labels, probabilities = model.approximate_predict(blobs[0] + np.float32(0.01))
    assert adjusted_rand_score(labels, model.labels_) > 0.95 and (probabilities <= 1).all()
    far, strength = model.approximate_predict(np.full((2, 6), 1000))
    assert set(strength) <= {0.0} or (strength < 0.1).all()
    with pytest.raises(ValueError, match="features"):
        model.approximate_predict(blobs[0][:, :3])


def test_kmeans_tree_has_levels(blobs):
    model = carya.KMeansTree([40, 5], random_state=3).fit(blobs[0])
    assert [len(level.centroids) for level in model.levels_] == [40, 5]
    assert (model.predict(blobs[0]) == model.labels_).all()
    assert (model.labels(0) == model.labels_).all()
    assert adjusted_rand_score(model.labels(1), blobs[1]) == 1
    assert (model.labels(-1) == model.labels(1)).all()
    centres = model.cluster_centers_[model.labels_]
    assert model.inertia_ == pytest.approx(((blobs[0] - centres) ** 2).sum(), rel=1e-3)
    assert [len(level.centroids) for level in carya.KMeansTree(60).fit(blobs[0]).levels_] == [60, 8]
    with pytest.raises(IndexError):
        model.labels(2)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine"])
def test_exact_neighbours_are_scikit_learns(blobs, metric):
    from sklearn.neighbors import NearestNeighbors

    theirs = NearestNeighbors(metric=metric, algorithm="brute").fit(blobs[0].astype(np.float64))
    ours = carya.NearestNeighbors(metric=metric).fit(blobs[0])
    for queries in (None, blobs[0][:50] + np.float32(0.5)):
        d1, i1 = theirs.kneighbors(queries, 7)
        d2, i2 = ours.kneighbors(queries, 7)
        assert (i1 == i2).mean() > 0.995 and i2.dtype == np.int64
        assert d2 == pytest.approx(d1, rel=1e-3, abs=1e-5)
        for mode in ("connectivity", "distance"):
            a = theirs.kneighbors_graph(queries, 7, mode).toarray()
            b = ours.kneighbors_graph(queries, 7, mode).toarray()
            assert a.shape == b.shape and np.isclose(a, b, rtol=1e-3, atol=1e-5).mean() > 0.999


def test_hnsw_finds_what_brute_force_finds(blobs):
    exact = carya.NearestNeighbors().fit(blobs[0])
    graph = carya.NearestNeighbors(algorithm="hnsw", effort=200).fit(blobs[0])
    for queries in (None, blobs[0][:50] + np.float32(0.5)):
        a = exact.kneighbors(queries, 10, return_distance=False)
        b = graph.kneighbors(queries, 10, return_distance=False)
        assert np.mean([len(set(x) & set(y)) for x, y in zip(a, b)]) > 9.9
    assert not (graph.kneighbors(None, 10)[1] == np.arange(400)[:, None]).any()


def test_hnsw_changes_saves_and_loads(blobs, tmp_path):
    points = blobs[0]
    index = carya.HNSW().fit(points[:300])
    assert len(index) == 300
    index.add(points[300:]).remove([7, 8])
    assert len(index) == 398
    distances, ids = index.kneighbors(points[350:352], 1)
    assert list(ids[:, 0]) == [350, 351] and distances.max() == 0
    assert 7 not in index.kneighbors(points[7:8], 398)[1]
    assert (index.kneighbors(points[:1], 400)[1][0, -2:] == -1).all()
    with pytest.raises(KeyError, match="7"):
        index.remove(7)
    with pytest.raises(ValueError, match="id 9 is in the index already"):
        index.add(points[:1], ids=[9])
    with pytest.raises(ValueError, match="ids"):
        index.add(points[:2], ids=[-1, 3])
    index.save(tmp_path / "x.hnsw")
    again = carya.HNSW.load(tmp_path / "x.hnsw", effort=50)
    assert (again.kneighbors(points)[1] == index.set_params(effort=50).kneighbors(points)[1]).all()
    again.add(points[:1], ids=[1000])
    with pytest.raises(ValueError, match="ids are needed"):
        again.add(points[:1])
    with pytest.raises(ValueError, match="its metric"):
        carya.HNSW.load(tmp_path / "x.hnsw", metric="cosine")
    (tmp_path / "x.hnsw").write_bytes(b"CARYABIN")
    with pytest.raises(carya.CorruptError, match="x.hnsw"):
        carya.HNSW.load(tmp_path / "x.hnsw")


def test_hnsw_updates_filters_and_tunes(blobs):
    points = blobs[0]
    index = carya.HNSW(effort=400).fit(points)
    exact = ((points[:, None] - points[None, ::7]) ** 2).sum(-1)
    distances, ids = index.kneighbors(points, 3, within=np.arange(0, 400, 7))
    assert (ids == np.argsort(exact, axis=1, kind="stable")[:, :3] * 7).all()
    radius = 1.5
    all_exact = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1, dtype=np.float64))
    near, near_ids = index.radius_neighbors(points[:20], radius)
    assert [len(r) for r in near] == list((all_exact[:20] <= radius).sum(1))
    assert all((d <= radius).all() and (np.diff(d) >= 0).all() for d in near)
    assert [i[0] for i in near_ids] == list(range(20))
    index.update(points[:1] + 1000, [5])
    assert index.kneighbors(points[:1] + 1000, 1)[1][0, 0] == 5
    with pytest.raises(ValueError, match="id 400"):
        index.update(points[:1], [400])
    curve = index.recall_curve(points[:50])
    assert curve["recall"][-1] == 1 and (np.diff(curve["effort"]) > 0).all()
    assert index.tune(points[:50], recall=0.5).effort < 400
    with pytest.raises(ValueError, match="recall is 2"):
        index.tune(points[:50], recall=2)


def test_codes_are_ranked_by_the_callers_vectors(blobs):
    points = np.random.default_rng(1).standard_normal((3000, 16), dtype=np.float32)
    truth = carya.NearestNeighbors(10).fit(points).kneighbors(points[:100])[1]
    for index in (
        carya.HNSW(exact="none", codes="int4", effort=300),
        carya.IVFPQ(n_lists=20, n_parts=8, effort=20),
    ):
        index.fit(points)

        def recall(ids):
            return np.mean([len(set(a) & set(b)) for a, b in zip(ids, truth)]) / 10

        coarse = recall(index.kneighbors(points[:100], 10)[1])
        fine = recall(index.kneighbors(points[:100], 10, vectors=points)[1])
        assert coarse < fine > 0.95
    assert len(index) == 3000
    with pytest.raises(ValueError, match="too few to learn from"):
        carya.IVFPQ().fit(points[:3])


@pytest.mark.parametrize("metric", ["hamming", "jaccard"])
def test_binary_metrics(metric):
    from scipy.spatial.distance import cdist

    bits = (np.random.default_rng(2).random((2000, 90)) < 0.3).astype(np.float32)
    exact = cdist(bits[:40], bits, metric) * (90 if metric == "hamming" else 1)
    for model in carya.NearestNeighbors(5, metric=metric), carya.HNSW(metric=metric, effort=2000):
        distances, ids = model.fit(bits).kneighbors(bits[:40], 5)
        assert np.allclose(distances, np.sort(exact, axis=1)[:, :5], atol=1e-6)
        assert np.allclose(np.take_along_axis(exact, ids, axis=1), distances, atol=1e-6)
    with pytest.raises(ValueError, match="0 (and|or) 1"):
        carya.HNSW(metric=metric).fit(bits + 0.5)


def test_spann_reads_lists(blobs, tmp_path):
    points = np.random.default_rng(3).standard_normal((3000, 12), dtype=np.float32)
    truth = carya.NearestNeighbors(10).fit(points).kneighbors(points[:50])[1]
    index = carya.SPANN(effort=3000).fit(points)
    assert (index.kneighbors(points[:50], 10)[1] == truth).all()
    index.save(tmp_path / "x.spann")
    again = carya.SPANN.load(tmp_path / "x.spann", effort=3000).add(points[:1] + 100, ids=[9000])
    assert again.kneighbors(points[:1] + 100, 1)[1][0, 0] == 9000
    with pytest.raises(ValueError, match="head_ratio is 7"):
        carya.SPANN(heads=7).fit(points)


def test_windows():
    rng = np.random.default_rng(4)
    points, years = rng.standard_normal((4000, 8), dtype=np.float32), rng.integers(1900, 2000, 4000)
    index = carya.WindowIndex(effort=400, cutoff=200).fit(points, labels=years)
    inside = np.flatnonzero((years >= 1950) & (years <= 1960))
    truth = inside[carya.NearestNeighbors(5).fit(points[inside]).kneighbors(points[:30])[1]]
    found = index.kneighbors(points[:30], 5, window=(1950, 1960))[1]
    assert np.mean([len(set(a) & set(b)) for a, b in zip(found, truth)]) >= 4.9
    assert (index.kneighbors(points[:1], 1)[1] == 0).all()
    with pytest.raises(ValueError, match="labels"):
        carya.WindowIndex().fit(points, labels=years[:3])
    with pytest.raises(ValueError):
        index.kneighbors(points[:1], window=(2, 1))


def test_items_of_several_vectors(tmp_path):
    rng = np.random.default_rng(5)
    items = [rng.standard_normal((1 + i % 4, 6), dtype=np.float32) for i in range(300)]
    query = rng.standard_normal((3, 6), dtype=np.float32)
    index = carya.MultiVectorIndex(effort=2000).fit(items)
    scores = np.array([-(query @ item.T).max(1).sum() for item in items])
    distances, ids = index.late_interaction(query, 7)
    assert (ids == np.argsort(scores)[:7]).all()
    assert np.allclose(distances, np.sort(scores)[:7], atol=1e-5)
    nearest = np.array([[-(q @ item.T).max() for item in items] for q in query])
    assert (index.kneighbors(query, 4)[1] == np.argsort(nearest, axis=1)[:, :4]).all()
    assert set(index.late_interaction(query, 9, within=[3, 4])[1]) == {3, 4, -1}
    index.remove([int(ids[0])]).add([items[ids[0]]], ids=[5000])
    assert index.late_interaction(query, 1)[1][0] == 5000 and len(index) == 300
    index.save(tmp_path / "items")
    assert carya.MultiVectorIndex.load(tmp_path / "items").late_interaction(query, 1)[1][0] == 5000
    with pytest.raises(KeyError):
        index.remove([77777])
    with pytest.raises(ValueError, match="sqeuclidean"):
        carya.MultiVectorIndex("euclidean").fit(items)


def test_indexes_load_their_own_type_only(blobs, tmp_path):
    carya.IVFPQ(n_lists=4).fit(blobs[0]).save(tmp_path / "x.index")
    assert len(carya.IVFPQ.load(tmp_path / "x.index")) == 400
    with pytest.raises(ValueError, match="is of the type ivf_pq, not hnsw"):
        carya.HNSW.load(tmp_path / "x.index")


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_fitted_estimators_pickle(blobs, estimator, tmp_path):
    model = clone(estimator).fit(blobs[0])
    joblib.dump(model, tmp_path / "model")
    for again in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model")):
        for name, value in vars(model).items():
            if isinstance(value, np.ndarray):
                assert (getattr(again, name) == value).all(), name
        if hasattr(model, "kneighbors"):
            assert (again.kneighbors(blobs[0], 3)[1] == model.kneighbors(blobs[0], 3)[1]).all()
        if hasattr(model, "predict"):
            assert (again.predict(blobs[0]) == model.labels_).all()


def test_lsa_is_a_transformer(texts):
    model = carya.LSA(8, random_state=2)
    vectors = model.fit_transform(texts)
    assert vectors.shape == (300, 8) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(300), abs=1e-5)
    assert (np.diff(model.singular_values_) <= 0).all() and model.n_words_ > 30
    assert (model.transform(["zyzzyva", ""]) == 0).all()
    assert (pickle.loads(pickle.dumps(model)).transform(texts) == vectors).all()
    assert list(model.get_feature_names_out()) == [f"lsa{i}" for i in range(8)]
    pipeline = make_pipeline(carya.LSA(8), carya.KMeansTree(4))
    assert len(set(pipeline.fit_predict(texts))) == 4
    for bad, message in [("one text", "list of texts"), ([["a"]], "text 0 is list"),
                         (np.zeros((2, 2)), "2 dimensions"), (["!!"], "word"), (7, "int")]:
        with pytest.raises(ValueError, match=message):
            carya.LSA().fit(bad)


def test_sentence_encoder(texts, program, tmp_path):
    import os
    import subprocess

    if not os.path.isdir(os.path.join(carya.default_cache(), "models", "all-MiniLM-L6-v2")):
        pytest.skip("no encoder model: scripts/get-data model fetches it")
    encoder = carya.SentenceEncoder(precision="f32")
    vectors = encoder.fit_transform(texts)
    assert vectors.shape == (300, 384) and encoder.dim == 384
    (tmp_path / "in.txt").write_text("\n".join(texts))
    subprocess.run([program, "encode", tmp_path / "in.txt", "-o", tmp_path / "out.npy",
                    "--encoder", "minilm", "--precision", "f32"], check=True)
    assert vectors == pytest.approx(np.load(tmp_path / "out.npy"), abs=1e-6)
    again = pickle.loads(pickle.dumps(encoder))
    assert "_encoder" not in vars(again) and (again.transform(texts[:3]) == vectors[:3]).all()
    assert encoder.transform([]).shape == (0, 384)
    a, b, c = encoder.transform(["a dog barks", "a hound is barking", "stocks fell sharply"])
    assert a @ b > a @ c


def test_a_model_that_is_not_there_is_named(tmp_path):
    for model in ("no-such-model", tmp_path / "none"):
        with pytest.raises(FileNotFoundError, match=f"{model}.*scripts/get-data"):
            carya.SentenceEncoder(model).transform(["a"])


@pytest.mark.parametrize("estimator", ALL, ids=repr)
@pytest.mark.parametrize(
    "bad, message",
    [
        (np.zeros(5), "2D array"),
        (np.zeros((0, 3)), "minimum of 1 is required"),
        (np.zeros((3, 0)), "0 feature"),
        (np.array([[1, np.nan]] * 20), "NaN"),
        (np.array([[1, 1e300]] * 20), "infinity|too large"),
        (np.array([["a", "b"]] * 20, dtype=object), "convert|could not"),
    ],
    ids=["1-D", "no rows", "no columns", "NaN", "too large", "objects"],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_bad_arrays_are_refused(estimator, bad, message):
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(bad)


@pytest.mark.parametrize(
    "estimator, message",
    [
        (carya.HDBSCAN(min_cluster_size=1), "min_cluster_size is 1: a whole number from 2 on"),
        (carya.HDBSCAN(min_samples=0), "min_samples is 0"),
        (carya.HDBSCAN(min_samples=400), "min_samples"),
        (carya.HDBSCAN(metric="hamming"), "metric is 'hamming': one of 'euclidean'"),
        (carya.HDBSCAN(cluster_selection_method="best"), "cluster_selection_method is 'best'"),
        (carya.HDBSCAN(cluster_selection_epsilon=-1), "epsilon"),
        (carya.HDBSCAN(alpha=0), "alpha"),
        (carya.KMeansTree(0), "n_clusters is 0"),
        (carya.KMeansTree(401), "401"),
        (carya.KMeansTree([5, 40]), "40"),
        (carya.KMeansTree([]), "level"),
        (carya.KMeansTree(branching=1), "branching is 1"),
        (carya.KMeansTree(n_resamples=1.5), "n_resamples is 1.5"),
        (carya.HNSW(metric="haversine"), "metric is 'haversine'"),
        (carya.HNSW(m=1), "m is 1"),
        (carya.HNSW(ef_construction=3), "ef_construction"),
        (carya.HNSW(codes="int2"), "codes=int2 is none of int8, int4, none"),
        (carya.IVFPQ(bits=5), "bits"),
        (carya.NearestNeighbors(algorithm="kd"), "algorithm is 'kd': one of 'brute', 'hnsw'"),
        (carya.NearestNeighbors(n_neighbors=0), "n_neighbors is 0"),
    ],
    ids=lambda x: repr(x) if not isinstance(x, str) else "",
)
def test_bad_parameters_are_refused(blobs, estimator, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(blobs[0])


def test_more_neighbours_than_rows_are_refused(blobs):
    model = carya.NearestNeighbors().fit(blobs[0][:5])
    with pytest.raises(ValueError, match="n_neighbors <= n_samples_fit"):
        model.kneighbors(blobs[0], 6)
    with pytest.raises(ValueError, match="not its own neighbour"):
        model.kneighbors()
    with pytest.raises(ValueError, match="features"):
        model.kneighbors(blobs[0][:, :2], 1)
    with pytest.raises(ValueError, match="mode is 'x'"):
        model.kneighbors_graph(blobs[0], 2, mode="x")


def test_one_row():
    one = np.ones((1, 3))
    assert list(carya.HDBSCAN().fit(one).labels_) == [-1]
    assert list(carya.KMeansTree(1).fit(one).labels_) == [0]
    assert list(carya.HNSW().fit(one).kneighbors(one, 2)[1][0]) == [0, -1]
    assert carya.NearestNeighbors(n_neighbors=1).fit(one).kneighbors(one)[1][0, 0] == 0
