"""The atlas: build, open, search, browse, extend."""

import os
import warnings

import numpy as np

from . import _carya
from ._hits import Hit, Hits, Item
from ._input import as_input
from ._progress import reporting
from ._repr import atlas_html
from ._tree import Node, Tree


class Atlas:
    """A tree of topics in which every item has a place, with a vector and a full-text index.

    Made by :meth:`build`, opened by ``Atlas(path)`` or :meth:`open`.  ``len(atlas)`` is the number
    of items; items are numbered from 0 in the order of the input.  Pickles as its path.  A context
    manager, which closes it; arrays that it gave stay valid.

    Parameters
    ----------
    path : path-like
        The folder.  Every file's size and checksum are checked.

    Raises
    ------
    FileNotFoundError
        There is no atlas.
    CorruptError
        A file of it is damaged or of another version.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self._handle = _carya.Atlas.open(self.path)

    @classmethod
    def open(cls, path):
        """The atlas at `path`; the same as ``Atlas(path)``."""
        return cls(path)

    @classmethod
    def build(
        cls,
        data,
        path,
        *,
        text=None,
        id=None,
        delimiter=None,
        encoder="auto",
        precision="auto",
        organise="diffusion",
        min_cluster_size=None,
        n_levels=None,
        seed=0,
        max_memory=None,
        resume=True,
        overwrite=False,
        progress=None,
    ):
        """Build an atlas of `data` in the folder `path`, and open it.

        Parameters
        ----------
        data : path-like, data frame, array or iterable of str
            A path: all that ``carya atlas`` takes (.csv, .tsv, .jsonl, .txt, a folder, .npy ...).
            A data frame: anything with ``__arrow_c_stream__`` (pandas 2.2, polars, pyarrow, DuckDB
            relations), read batch by batch; a Series of strings is a table with the one column text.
            An array (n, dim) of vectors: numpy's, or with the buffer protocol or DLPack; used
            without a copy if it is float32 and C-contiguous.
            Any other iterable: texts, one an item.
        path : path-like
            The folder to be made.  It grows as PATH.part and is renamed when it is whole.
        text : str or list of str, optional
            Columns that are the text, joined by ": "; by default "text", or the only one.
        id : str, optional
            The column that names an item; by default "id" if there is one, else numbers from 1.
        delimiter : str, optional
            Of a .csv, one character; by default it is guessed.
        encoder : {"auto", "minilm", "static", "lsa"} or path-like
            How texts become vectors; a path is a sentence-transformers folder.  "auto" is the
            sentence encoder with the words, or the words alone where its model is not there.
        precision : {"auto", "f32", "bf16", "int8"}
            Of the sentence encoder.
        organise : {"diffusion", "hdbscan", "kmeans-tree"}
            What builds the hierarchy.
        min_cluster_size : int, optional
            Items that make a topic, 2 or more; by default sqrt(n / 10) / 4, within 5 and 50.
        n_levels : int, optional
            Of the tree, 1 to 10; by default 2 to 4.
        seed : int
            Of all that is drawn: the same input, options and machine give the same atlas.
        max_memory : int, optional
            Bytes; what is estimated to need more is an error before the work.
        resume : bool
            Go on with an interrupted build of the same data and options.
        overwrite : bool
            Replace an atlas that is there, once the new one is whole.
        progress : bool or callable, optional
            True: a bar on standard error.  A function: called as (stage, done, total, unit) about
            20 times a second in the calling thread; if it returns False, or raises, the build stops.

        Returns
        -------
        Atlas

        Raises
        ------
        ValueError
            An option or a column that cannot be; NaN; the folder exists.
        FileNotFoundError
            The file, its items or the encoder's model are not there.
        KeyboardInterrupt
            Ctrl-C; what is complete stays in PATH.part, and the same call goes on from there.
        """
        source = as_input(data, text, id, delimiter)
        with reporting(progress) as callback:
            notices = _carya.build_atlas(
                source,
                os.fspath(path),
                os.fspath(encoder),
                precision,
                organise,
                _number("min_cluster_size", min_cluster_size),
                _number("n_levels", n_levels),
                seed,
                _number("max_memory", max_memory),
                resume,
                overwrite,
                callback,
            )
        for notice in notices:
            if not notice.startswith("going on"):
                warnings.warn(notice, stacklevel=2)
        return cls(path)

    # What is in it.

    @property
    def _open(self):
        if self._handle is None:
            raise ValueError(f"{self.path}: this atlas is closed")
        return self._handle

    def __len__(self):
        return self._open.n_items

    @property
    def info(self):
        """dict: n_items, dim, n_nodes, n_leaves, max_depth, n_outliers, encoder, method, seconds."""
        return self._open.info()

    @property
    def columns(self):
        """dict: the metadata columns and their types, "integer", "number" or "text"."""
        return dict(self._open.columns)

    def column(self, name):
        """The values of a metadata column: a list with one an item, None where there is none."""
        return self._open.column(name)

    @property
    def vectors(self):
        """Array (n_items, dim) of float32, read-only, in the mapped file: no copy is made."""
        return self._open.vectors

    @property
    def strengths(self):
        """Array (n_items,) of float32, in (0, 1]: how typical each item is of its place."""
        return self._open.strengths

    @property
    def outliers(self):
        """Array (n_items,) of bool."""
        return self._open.outliers.view(bool)

    def item(self, item):
        """An item by its number (int) or id (str).

        Raises KeyError for an id and IndexError for a number that is not there.
        """
        index = self._index_of(item)
        id, text, values = self._open.item(index)
        return Item(
            index,
            id,
            text,
            dict(zip((name for name, _ in self._open.columns), values)),
            int(self._nodes_of_items[index]),
            self._open.strength(index),
            self._open.is_outlier(index),
        )

    def __getitem__(self, item):
        return self.item(item)

    def __iter__(self):
        return (self.item(i) for i in range(len(self)))

    def texts(self, first=0, count=None):
        """The texts of `count` items from number `first` on; by default of all."""
        return self._open.texts(first, len(self) if count is None else count)

    def where(self, condition):
        """Numbers of the items that meet a condition, array of uint32, rising.

        ``size >= 1000 and section in (games, 'old games') and not url ~ "example"``: the language
        is in docs/atlas.md.
        """
        return self._open.where(condition)

    # Search.

    def search(self, query, k=10, mode="hybrid", where="", node=None):
        """The best items for a query.

        Parameters
        ----------
        query : str
        k : int
            Hits wanted, 1 to 10,000.
        mode : {"hybrid", "vector", "lexical"}
            By meaning and words, by meaning, by words.
        where : str
            A condition on the metadata.
        node : int or Node, optional
            Only items at or below this topic.

        Returns
        -------
        Hits
            A list of Hit, best first.
        """
        index = getattr(node, "index", node)
        return self._hits(self._open.search(query, k, mode, where, index))

    def search_batch(self, queries, k=10, mode="hybrid", where="", node=None):
        """``search`` of each query: a list of Hits."""
        return [self.search(query, k, mode, where, node) for query in queries]

    def _hits(self, rows):
        hits = Hits()
        for index, score, similarity in rows:
            item = self.item(index)
            hits.append(
                Hit(
                    index,
                    item.id,
                    item.text,
                    score,
                    similarity,
                    item.node,
                    item.outlier,
                    item.metadata,
                )
            )
        return hits

    def neighbors(self, item, k=10):
        """The items nearest to one, itself left out.

        Returns
        -------
        (items, distances) : arrays (k,) of uint32 and float64
            Nearest first, Euclidean; fewer where fewer exist.
        """
        return self._open.neighbors(self._index_of(item), k)

    # The tree.

    @property
    def tree(self):
        """The Tree of topics."""
        if self._tree is None:
            self._tree = Tree(self)
        return self._tree

    def topic_of(self, item):
        """The deepest Node that has an item (its number or id)."""
        return Node(self, self._nodes_of_items[self._index_of(item)])

    def labels(self, n_clusters=None, *, depth=None):
        """A cluster for each item.

        Parameters
        ----------
        n_clusters : int
            Cut the hierarchy into so many: labels 0 to n_clusters - 1, by their first item.
        depth : int
            The numbers of the nodes at this depth of the tree (or above, where an item hangs
            higher).

        Returns
        -------
        array (n_items,) of int32
        """
        if (n_clusters is None) == (depth is None):
            raise ValueError("give either n_clusters or depth")
        if n_clusters is not None:
            return self._open.cut_into(n_clusters)
        if depth < 0:
            raise ValueError(f"depth is {depth}: 0 (the root) or more")
        tree = self.tree
        at_depth = np.arange(len(tree), dtype=np.int32)
        depths = tree.depths
        for node in range(1, len(tree)):  # a parent's is known before its children's
            if depths[node] > depth:
                at_depth[node] = at_depth[tree.parents[node]]
        return at_depth[self._nodes_of_items]

    @property
    def linkage(self):
        """scipy's linkage matrix, array (n_items - 1, 4) of float64: left, right, height, size."""
        return self._open.linkage

    def layout(self, focus=0):
        """A map: places in the Poincare disk, seen from a topic.

        Parameters
        ----------
        focus : int or Node
            The topic in the middle.

        Returns
        -------
        (nodes, items) : arrays (n_nodes, 2) and (n_items, 2) of float64
            x and y within the unit circle.
        """
        return self._open.layout(getattr(focus, "index", focus))

    def evaluate(self, column):
        """How well the tree agrees with a metadata column.

        Returns a dict: ami, purity (of the best cut), cut_nodes, dendrogram_purity, placed.
        """
        return self._open.evaluate(column)

    def export(self, path, format="json"):
        """Write a file: "json", "csv", "newick", "svg", "disk" or "linkage"."""
        self._open.export(os.fspath(path), format)

    # Changes, and its life.

    def add(self, data, *, text=None, id=None, delimiter=None, progress=None):
        """Add items, as for :meth:`build`; each hangs where its nearest items hang.

        The topics and names stay.  Items in memory without ids are numbered on.  The atlas is replaced when the new one is whole; this object is
        then of the new one.  Returns the number of new items.
        """
        source = as_input(data, text, id, delimiter, n_before=len(self))
        with reporting(progress) as callback:
            n_new = _carya.add_to_atlas(self.path, source, callback)
        self._handle = _carya.Atlas.open(self.path)
        return n_new

    def close(self):
        """Lets go of the files; then only arrays that were taken before can be used."""
        self._handle = None

    def __enter__(self):
        self._open
        return self

    def __exit__(self, *exception):
        self.close()

    def __reduce__(self):
        return (Atlas, (self.path,))

    def __repr__(self):
        if self._handle is None:
            return f"<Atlas {self.path}, closed>"
        info = self.info
        return f"<Atlas {self.path}: {info['n_items']} items, {info['n_nodes'] - 1} topics>"

    def _repr_html_(self):
        return atlas_html(self)

    # The handle, and what is kept of it.

    @property
    def _handle(self):
        return self.__handle

    @_handle.setter
    def _handle(self, handle):
        self.__handle = handle
        self._tree = None
        self._nodes_of_items = None if handle is None else handle.nodes_of_items

    def _index_of(self, item):
        if isinstance(item, str):
            index = self._open.find(item)
            if index is None:
                raise KeyError(f"there is no item with the id {item!r}")
            return index
        index = int(item)
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"there is no item number {item}: they are 0 to {n - 1}")
        return index % n


def _number(name, value):
    """An option whose default the library finds: 0 there."""
    if value is None:
        return 0
    if value != int(value) or value < 1:
        raise ValueError(f"{name} is {value!r}: a whole number from 1 on, or None")
    return int(value)
