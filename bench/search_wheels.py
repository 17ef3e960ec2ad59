"""The engines of bench/search_peers that come as wheels: each builds, then answers at rising effort.

Rows are [engine, what, effort, recall, microseconds of CPU (or bytes a vector), ""], as
search_peers.cc prints them.  Queries run one after another on one thread: in the library where it
takes a batch, else in Python, which adds about 2 us a query (ngt).
"""

import pathlib
import tempfile
import time

import numpy as np

HITS = 10
ENGINES = ["faiss-hnsw", "faiss-hnsw-sq8", "faiss-ivfpq", "usearch", "ngt"]
EFS = [10, 20, 40, 60, 100, 200, 400]


def neighbors(vectors, queries, metric):
    import faiss
    flat = faiss.IndexFlat(vectors.shape[1], _faiss_metric(metric))
    flat.add(vectors)
    return flat.search(queries, HITS)[1]


def _faiss_metric(metric):
    import faiss
    return faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT


class Faiss:
    def __init__(self, kind, vectors, metric, threads):
        import faiss
        self.kind = kind
        faiss.omp_set_num_threads(threads)
        dim = vectors.shape[1]
        if kind == "faiss-ivfpq":  # 4 bits for two dims, then the exact distances of k_factor * 10
            spec = f"IVF{1 << int(np.log2(4 * len(vectors) ** 0.5))},PQ{dim // 2}x4fs,RFlat"
        else:
            spec = "HNSW16,Flat" if kind == "faiss-hnsw" else "HNSW16,SQ8"
        self.index = faiss.index_factory(dim, spec, _faiss_metric(metric))
        if kind != "faiss-ivfpq":
            self.index.hnsw.efConstruction = 200
        self.index.train(vectors)
        self.index.add(vectors)
        faiss.omp_set_num_threads(1)

    def efforts(self):
        if self.kind != "faiss-ivfpq":
            return EFS
        return [(probes, factor) for probes in (1, 2, 4, 8, 16, 32, 64) for factor in (4, 10, 20)]

    def search(self, queries, effort):
        import faiss
        if self.kind != "faiss-ivfpq":
            self.index.hnsw.efSearch = effort
        else:
            faiss.extract_index_ivf(self.index.base_index).nprobe = effort[0]
            self.index.k_factor = effort[1]
        return self.index.search(queries, HITS)[1]

    def bytes(self):
        import faiss
        return faiss.serialize_index(self.index).nbytes


class Usearch:
    def __init__(self, _, vectors, metric, threads):
        from usearch.index import Index
        self.index = Index(ndim=vectors.shape[1], metric="l2sq" if metric == "l2" else "ip",
                           dtype="f32", connectivity=16, expansion_add=200)
        self.index.add(np.arange(len(vectors)), vectors, threads=threads)

    def efforts(self):
        return EFS

    def search(self, queries, effort):
        self.index.expansion_search = effort
        return self.index.search(queries, HITS, threads=1).keys

    def bytes(self):
        return self.index.serialized_length


class Ngt:
    def __init__(self, _, vectors, metric, threads):
        import ngtpy
        self.folder = tempfile.TemporaryDirectory()
        path = self.folder.name + "/index"
        ngtpy.create(path.encode(), vectors.shape[1], edge_size_for_creation=32,
                     distance_type="L2" if metric == "l2" else "Cosine")
        index = ngtpy.Index(path.encode())
        index.batch_insert(vectors, num_threads=threads)
        index.save()
        index.close()
        self.index = ngtpy.Index(path.encode(), read_only=True)

    def efforts(self):
        return [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3]

    def search(self, queries, effort):
        found = [self.index.search(q, HITS, epsilon=effort, with_distance=False) for q in queries]
        return [list(row) + [-1] * (HITS - len(row)) for row in found]

    def bytes(self):
        return sum(f.stat().st_size for f in pathlib.Path(self.folder.name).rglob("*") if f.is_file())


def best(curve):
    """The points that no other beats in both recall and time."""
    return [c for c in curve if not any(o[1] >= c[1] and o[2] < c[2] for o in curve)]


def run(engine, vectors, queries, metric, truth, threads):
    maker = {"usearch": Usearch, "ngt": Ngt}.get(engine, Faiss)
    begin = time.process_time()
    index = maker(engine, vectors, metric, threads)
    rows = [[engine, "build", "", "", f"{1e6 * (time.process_time() - begin):.0f}", ""],
            [engine, "bytes", "", "", f"{index.bytes() / len(vectors):.0f}", ""]]
    curve = []
    for effort in index.efforts():
        seconds = []
        for _ in range(5):
            begin = time.process_time()
            found = index.search(queries, effort)
            seconds.append(time.process_time() - begin)
        recall = np.mean([len(set(a) & set(b)) / HITS for a, b in zip(found, truth)])
        curve.append((effort, recall, 1e6 * min(seconds) / len(queries)))
    for effort, recall, time_us in best(curve):
        name = effort if not isinstance(effort, tuple) else "{}x{}".format(*effort)
        rows.append([engine, "search", str(name), f"{recall:.4f}", f"{time_us:.1f}", ""])
    return rows
