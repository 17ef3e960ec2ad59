"""The estimators give, bit for bit, what the C++ library gives: carya_python_reference calls it."""

import subprocess

import numpy as np
import pytest

import carya
from conftest import newest


@pytest.fixture(scope="module")
def expected(blobs, texts, tmp_path_factory):
    reference = newest("build/python-cp*/python/carya_python_reference")
    folder = tmp_path_factory.mktemp("reference")
    np.save(folder / "points.npy", blobs[0])
    (folder / "texts.txt").write_text("\n".join(texts))
    subprocess.run([reference, folder / "points.npy", folder / "texts.txt", folder], check=True)
    return lambda name: np.load(folder / f"{name}.npy").squeeze()


def test_hdbscan(blobs, expected):
    model = carya.HDBSCAN(7, min_samples=4).fit(blobs[0])
    assert (model.labels_ == expected("hdbscan_labels")).all()
    for name in ("probabilities", "outlier_scores"):
        found = getattr(model, name + "_").astype(np.float32)
        assert (found == expected("hdbscan_" + name)).all()


def test_kmeans_tree(blobs, expected):
    model = carya.KMeansTree([40, 5], random_state=3).fit(blobs[0])
    assert (model.cluster_centers_ == expected("kmeans_centroids")).all()
    assert (model.labels(0) == expected("kmeans_labels")).all()
    assert (model.labels(1) == expected("kmeans_labels_1")).all()


def test_exact_neighbours(blobs, expected):
    distances, ids = carya.NearestNeighbors(6, metric="sqeuclidean").fit(blobs[0]).kneighbors()
    assert (ids.ravel() == expected("knn_ids")).all()
    assert (distances == expected("knn_distances")).all()


def test_hnsw(blobs, expected):
    index = carya.HNSW("cosine", m=6, ef_construction=40, effort=20, random_state=5).fit(blobs[0])
    ids = index.kneighbors(blobs[0], 5, return_distance=False)
    assert (ids.ravel() == expected("hnsw_ids")).all()


def test_lsa(texts, expected):
    assert (carya.LSA(8, random_state=2).fit_transform(texts) == expected("lsa")).all()
