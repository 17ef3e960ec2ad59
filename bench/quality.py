#!/usr/bin/env python3
"""How well Carya's hierarchy agrees with known classes, beside the usual baselines, in one run.

The baselines cluster the texts of INPUT (JSON lines with "text" and the label) into as many groups as
are asked for, Carya's figures are those of `carya eval`.  Scores: AMI and purity against the label, an
item that is in no cluster counting as one of a further class; and the share of such items.  k-means
depends on its seed, so its row is the mean of some, and the range of AMI stands beside it.

  TF-IDF + SVD        scikit-learn: sublinear tf, min_df 3, 100 dims, k-means
  sentence vectors    of `carya encode --encoder minilm`, k-means; joined with the 100 dims, k-means
  PCA + HDBSCAN*      the sentence vectors on 10 principal components, the hdbscan package
  carya               the hierarchy of each encoder, cut where it agrees best; every item placed

Needs: pip install scikit-learn hdbscan (bench/requirements.txt has the versions).

Examples:
  bench/quality.py --carya build/release/apps/carya --input demo.jsonl --label section
  bench/quality.py --carya build/release/apps/carya --input demo.jsonl --label section \\
      --atlas auto=demo.atlas --encoders auto static lsa
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.preprocessing import normalize


def read_items(path, label):
    """The texts, and a class number for each; a missing label is a class of its own, as in eval."""
    texts, values = [], []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            item = json.loads(line)
            if label not in item or "text" not in item:
                sys.exit(f'quality: {path}:{number}: has no "text" or no "{label}"')
            texts.append(item["text"])
            values.append(str(item[label]))
    return texts, np.unique(values, return_inverse=True)[1]


def carya(program, *arguments):
    run = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        sys.exit(f"quality: carya {arguments[0]} failed")
    return run.stdout


def print_row(name, amis, purity, n_clusters, unplaced, seconds):
    ami = f"{np.mean(amis):.3f}" + (f" ({min(amis):.3f} to {max(amis):.3f})" if len(amis) > 1 else "")
    took = f"{seconds:.0f}" if seconds else "-"
    print(f"| {name} | {ami} | {purity:.3f} | {n_clusters} | {100 * unplaced:.0f} % | {took} |", flush=True)


def score(name, classes, cluster, seeds):
    """Runs cluster(seed) for each seed, and prints what the labels are worth on average."""
    amis, purities, seconds = [], [], []
    for seed in seeds:
        start = time.perf_counter()
        labels = cluster(seed)
        seconds.append(time.perf_counter() - start)
        amis.append(adjusted_mutual_info_score(classes, labels))
        purities.append(contingency_matrix(classes, labels).max(axis=0).sum() / len(labels))
    print_row(name, amis, np.mean(purities), len(set(labels) - {-1}), np.mean(labels < 0), np.median(seconds))


def score_k_means(name, vectors, classes, args):
    score(name, classes,
          lambda seed: KMeans(args.clusters, n_init=1, random_state=seed).fit_predict(vectors),
          range(args.seed, args.seed + args.repeats))


def score_hdbscan(name, vectors, classes, args):
    import hdbscan

    def cluster(seed):
        reduced = PCA(10, random_state=seed).fit_transform(vectors)
        return hdbscan.HDBSCAN(min_cluster_size=args.min_cluster_size, core_dist_n_jobs=-1).fit_predict(reduced)

    score(name, classes, cluster, [args.seed])


def score_carya(name, args, atlas):
    result = json.loads(carya(args.carya, "eval", atlas, "--label", args.label))
    run = pathlib.Path(atlas, "run.json")
    stages = json.loads(run.read_text())["stages"] if run.exists() else []
    print_row(name, [result["ami"]], result["purity"], result["cut_nodes"], 1 - result["placed"],
              sum(stage["seconds"] for stage in stages))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--carya", required=True, help="the program")
    parser.add_argument("--input", required=True, help="JSON lines")
    parser.add_argument("--label", required=True, help="field of the known classes")
    parser.add_argument("--clusters", type=int, default=57, help="of k-means (57: Debian's sections)")
    parser.add_argument("--min-cluster-size", type=int, default=20, help="of the hdbscan package")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5, help="seeds of k-means")
    parser.add_argument("--encoders", nargs="*", default=["auto", "static", "lsa"])
    parser.add_argument("--atlas", action="append", default=[], metavar="ENCODER=FOLDER",
                        help="of this input, built already; else it is built in a temporary folder")
    args = parser.parse_args()
    built = dict(pair.split("=", 1) for pair in args.atlas)
    texts, classes = read_items(args.input, args.label)
    print(f"{args.input}: {len(texts)} texts, {classes.max() + 1} classes; k-means with {args.clusters}\n")
    print("| method | AMI | purity | clusters | in none | seconds |\n|---|---|---|---|---|---|", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        tf_idf = TfidfVectorizer(sublinear_tf=True, min_df=3).fit_transform(texts)
        words = TruncatedSVD(100, random_state=args.seed).fit_transform(tf_idf)
        words_seconds = time.perf_counter() - start
        start = time.perf_counter()
        carya(args.carya, "encode", args.input, "--encoder", "minilm", "-o", f"{folder}/vectors.npy")
        sentences = np.load(f"{folder}/vectors.npy")
        sentences_seconds = time.perf_counter() - start
        score_k_means("TF-IDF + SVD-100 + k-means", words, classes, args)
        score_k_means("sentence vectors + k-means", sentences, classes, args)
        score_k_means("both joined + k-means", np.hstack([normalize(words), sentences]), classes, args)
        score_hdbscan("sentence vectors + PCA-10 + hdbscan", sentences, classes, args)
        for encoder in args.encoders:
            atlas = built.get(encoder)
            if atlas is None:
                atlas = f"{folder}/{encoder}.atlas"
                carya(args.carya, "atlas", args.input, "-o", atlas, "--encoder", encoder)
            score_carya(f"**carya** --encoder {encoder}", args, atlas)
    print(f"\nSeconds of the first four rows are of the clustering alone; TF-IDF + SVD took {words_seconds:.0f} s, "
          f"the sentence vectors {sentences_seconds:.0f} s.  Carya's are of the whole atlas.")


if __name__ == "__main__":
    main()
