#!/usr/bin/env python3
"""Vectors of bits beside faiss: IndexBinaryFlat and IndexBinaryHNSW, hamming, the same bits.

    bench/binary_peers.py [--n 100000] [--dim 1024] [--data words|random]

Needs build/release (cmake --build --preset release --target carya_index), faiss-cpu, and for words
the data of scripts/get-data: 100-dim word vectors as the signs of --dim random projections.  Bound
of a scan: dim / 8 bytes a vector at the machine's 43 GB/s, half of it a core.  Times are of the
CPU, per query; recall is the share of hits no farther than the true 10th.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
HITS = 10
EFFORTS = [10, 20, 40, 60, 100, 200, 400]


def bits(data, n, dim):
    """Packed rows: n vectors and 1,000 queries."""
    rng = np.random.default_rng(1)
    if data == "random":
        rows = rng.integers(0, 256, (n + 1000, dim // 8), dtype=np.uint8)
    else:
        cache = pathlib.Path(os.environ.get("CARYA_CACHE", pathlib.Path.home() / ".cache/carya"))
        words = np.load(cache / "data/words/vectors.npy", mmap_mode="r")[:n + 1000]
        planes = rng.standard_normal((words.shape[1], dim), dtype=np.float32)
        rows = np.packbits(words.astype(np.float32) @ planes > 0, axis=1, bitorder="little")
    return rows[:-1000], rows[-1000:]


def run_carya(vectors, queries, dim):
    build = ROOT / "build/release"
    libraries = [build / f"carya/{m}/libcarya_{m}.a" for m in ("index", "tree", "simd", "core")]
    program = build / "binary_peers"
    subprocess.run(["c++", "-std=c++20", "-O3", f"-I{ROOT}", ROOT / "bench/binary_peers.cc", "-o",
                    program, "-Wl,--start-group", *libraries, "-Wl,--end-group", "-ltbb", "-lfmt",
                    "-lhwy", "-lxxhash", "-lpthread"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/vectors", f"{folder}/queries"]
        vectors.tofile(paths[0])
        queries.tofile(paths[1])
        out = subprocess.run([program, *paths, str(dim), "hamming"], check=True,
                             capture_output=True, text=True).stdout
    return [line.split() for line in out.splitlines()]


def run_faiss(vectors, queries, dim):
    import faiss
    rows = []

    def add(what, effort, index, truth):
        begin = time.process_time()
        found = index.search(queries, HITS)[0]
        us = 1e6 * (time.process_time() - begin) / len(queries)
        recall = 1 if truth is None else np.mean(found <= truth[:, -1:])
        rows.append([what, effort, f"{recall:.4f}", f"{us:.1f}", f"{found.sum():.3f}"])
        return found

    flat = faiss.IndexBinaryFlat(dim)
    flat.add(vectors)
    faiss.omp_set_num_threads(1)
    truth = add("exact_batch", 0, flat, None)
    faiss.omp_set_num_threads(2)
    graph = faiss.IndexBinaryHNSW(dim, 16)
    graph.hnsw.efConstruction = 200
    begin = time.process_time()
    graph.add(vectors)
    rows.append(["build", 0, 0, f"{1e6 * (time.process_time() - begin):.0f}", 0])
    faiss.omp_set_num_threads(1)
    for effort in EFFORTS:
        graph.hnsw.efSearch = effort
        add("hnsw", effort, graph, truth)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=1024, help="a multiple of 8")
    parser.add_argument("--data", default="words", choices=["words", "random"])
    args = parser.parse_args()
    vectors, queries = bits(args.data, args.n, args.dim)
    results = {"carya": run_carya(vectors, queries, args.dim),
               "faiss": run_faiss(vectors, queries, args.dim)}
    sums = {name: rows[0][4] for name, rows in results.items()}  # of the exact answers
    if float(sums["carya"]) != float(sums["faiss"]):
        raise SystemExit(f"the exact distances differ: {sums}")
    print(f"{len(vectors)} vectors of {args.dim} bits ({args.data}), {len(queries)} queries")
    print(f"  {'':6} {'what':12} {'effort':>6} {'recall':>7} {'us':>12}")
    for name, rows in results.items():
        for what, effort, recall, us, _ in rows:
            print(f"  {name:6} {what:12} {effort:>6} {recall:>7} {us:>12}")


if __name__ == "__main__":
    main()
