#!/usr/bin/env python3
"""HDBSCAN* beside its Python peers, in one run: seconds, weight of the tree, agreement of the labels.

    bench/hdbscan_peers.py [--bench build/release/carya/tree/hdbscan_bench] [--min-size 15] [--fast]

Data: MNIST's 60,000 images on 10 principal components; the first 20,000 word vectors of 100 dims;
200,000 uniform points in 2-D (scripts/get-data mnist words).  Peers, on all cores: hdbscan with
approx_min_span_tree=False (so exact, as Carya is) and fast_hdbscan (after one warm-up call, for its
compiler).  The hdbscan package orders equal edges by rows, so that it does not fully agree with itself
when rows are shuffled; --shuffle measures that.  --fast leaves the hdbscan package out.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import time

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score


def idx(path):
    raw = path.read_bytes()
    shape = struct.unpack(f">{raw[3]}I", raw[4:4 + 4 * raw[3]])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def data_sets(cache):
    images = idx(cache / "mnist/train-images-idx3-ubyte").reshape(60000, -1).astype(np.float32)
    yield "MNIST PCA-10", PCA(10, svd_solver="full").fit_transform(images)
    yield "words 20k", np.load(cache / "words/vectors.npy", mmap_mode="r")[:20000]
    yield "uniform 2-D", np.random.default_rng(0).random((200000, 2))


def run_carya(bench, points, min_size):
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/points.npy", np.ascontiguousarray(points, dtype=np.float32))
        out = subprocess.run([bench, f"{folder}/points.npy", str(min_size), "3", f"{folder}/labels"],
                             check=True, capture_output=True, text=True).stdout
        row = json.loads(out)
        return row["total_s"], row["mst_weight"], np.loadtxt(f"{folder}/labels", dtype=int)


def run_hdbscan(points, min_size):
    import hdbscan
    start = time.perf_counter()
    fit = hdbscan.HDBSCAN(min_cluster_size=min_size, approx_min_span_tree=False,
                          core_dist_n_jobs=-1, gen_min_span_tree=True).fit(points)
    seconds = time.perf_counter() - start
    return seconds, fit.minimum_spanning_tree_.to_numpy()[:, 2].sum(), fit.labels_


def run_fast_hdbscan(points, min_size):
    import fast_hdbscan
    fast_hdbscan.HDBSCAN(min_cluster_size=min_size).fit(points[:1000])  # compiles
    start = time.perf_counter()
    fit = fast_hdbscan.HDBSCAN(min_cluster_size=min_size).fit(points)
    return time.perf_counter() - start, float("nan"), fit.labels_


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", default="build/release/carya/tree/hdbscan_bench")
    parser.add_argument("--cache", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("CARYA_CACHE", "~/.cache/carya")) / "data")
    parser.add_argument("--min-size", type=int, default=15)
    parser.add_argument("--fast", action="store_true", help="without the hdbscan package")
    parser.add_argument("--shuffle", action="store_true", help="hdbscan against itself, shuffled")
    args = parser.parse_args()

    print(f"{'data':14} {'method':14} {'seconds':>8} {'clusters':>8} {'noise':>6} "
          f"{'tree weight':>18} {'ARI with carya':>14}")
    for name, points in data_sets(args.cache.expanduser()):
        points = np.ascontiguousarray(points, dtype=np.float32).astype(np.float64)
        results = {"carya": run_carya(args.bench, points, args.min_size)}
        if points.shape[1] <= 20:  # above, fast_hdbscan is approximate and needs pynndescent
            results["fast_hdbscan"] = run_fast_hdbscan(points, args.min_size)
        if not args.fast:
            results["hdbscan"] = run_hdbscan(points, args.min_size)
        for method, (seconds, weight, labels) in results.items():
            agreement = adjusted_rand_score(results["carya"][2], labels)
            print(f"{name:14} {method:14} {seconds:8.2f} {labels.max() + 1:8} "
                  f"{np.mean(labels < 0):6.3f} {weight:18.12g} {agreement:14.4f}", flush=True)
        if args.shuffle:
            order = np.random.default_rng(1).permutation(len(points))
            labels = np.empty(len(points), int)
            labels[order] = run_hdbscan(points[order], args.min_size)[2]
            own = adjusted_rand_score(results["hdbscan"][2], labels)
            print(f"{name:14} hdbscan with itself after shuffling the rows: ARI {own:.4f}")


if __name__ == "__main__":
    main()
