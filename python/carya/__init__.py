"""Carya: raw data to hierarchies that people search, browse and explain.

>>> atlas = carya.Atlas.build(frame, "reviews.atlas", text=["title", "body"])
>>> atlas.search("broken in a week", k=5)
>>> atlas.tree

Atlas                  build, open, search, browse, extend an atlas
HDBSCAN, KMeansTree    clusters of arrays, as scikit-learn's estimators
HNSW, NearestNeighbors approximate and exact nearest neighbours
SentenceEncoder, LSA   vectors of texts

Arrays come as numpy's, or as anything with the buffer protocol or DLPack (torch); what is float32
and C-contiguous is read where it lies, other numbers are converted to float32 once.  Long work
releases the GIL, takes ``progress=`` and stops at Ctrl-C.
"""

import importlib

from ._carya import (
    CorruptError,
    Cancelled,
    __version__,
    default_cache,
    n_threads,
    thread_limit,
)
from ._atlas import Atlas
from ._hits import Hit, Hits, Item
from ._tree import Node, Tree

# The estimators load scikit-learn, which takes a second, so they come when they are asked for.
_LAZY = {
    "HDBSCAN": "cluster",
    "KMeansTree": "cluster",
    "HNSW": "neighbors",
    "IVFPQ": "neighbors",
    "MultiVectorIndex": "neighbors",
    "SPANN": "neighbors",
    "WindowIndex": "neighbors",
    "NearestNeighbors": "neighbors",
    "SentenceEncoder": "text",
    "LSA": "text",
}

__all__ = [
    "Atlas",
    "Cancelled",
    "CorruptError",
    "Hit",
    "Hits",
    "Item",
    "Node",
    "Tree",
    "__version__",
    "default_cache",
    "n_threads",
    "thread_limit",
    *_LAZY,
]


def __getattr__(name):
    if name in _LAZY:
        return getattr(importlib.import_module("." + _LAZY[name], __name__), name)
    if name in ("cluster", "neighbors", "text"):
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module 'carya' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
