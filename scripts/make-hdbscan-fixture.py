#!/usr/bin/env python3
"""Writes reproduce/testdata/clusterable_hdbscan.csv: what the hdbscan package says on the 2,309 points.

    pip install hdbscan && scripts/make-hdbscan-fixture.py $CARYA_DATA/clusterable/clusterable_data.npy

approx_min_span_tree=False: its default agrees with its own exact mode at ARI 0.963 only.  Points are
rounded to float32, as Carya reads them.
"""
import pathlib
import sys

import hdbscan
import numpy as np

points = np.load(sys.argv[1]).astype(np.float32).astype(np.float64)
fit = lambda method: hdbscan.HDBSCAN(
    min_cluster_size=15, approx_min_span_tree=False, cluster_selection_method=method).fit(points)
eom, leaf = fit("eom"), fit("leaf")
out = pathlib.Path(__file__).parent.parent / "reproduce/testdata/clusterable_hdbscan.csv"
rows = zip(eom.labels_, eom.probabilities_, eom.outlier_scores_, leaf.labels_)
out.write_text("label,probability,outlier_score,leaf_label\n" +
               "".join(f"{a},{p:.6f},{o:.6f},{b}\n" for a, p, o, b in rows))
