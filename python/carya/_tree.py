"""The tree of topics, as Python objects."""

from collections.abc import Sequence

import numpy as np

from ._repr import tree_html, tree_text


class Node:
    """A topic: a node of the tree with all items at or below it.

    ``node[i]`` is its i-th child, ``len(node)`` the number of its children, iteration runs over
    them.  Nodes are equal if they are the same place of the same atlas.
    """

    __slots__ = ("_atlas", "index", "name", "keywords", "size", "depth", "_exemplars")

    def __init__(self, atlas, index):
        self._atlas = atlas
        self.index = int(index)  #: its number; 0 is the root
        name, keywords, exemplars, size, depth = atlas._open.node(self.index)
        self.name = name  #: its first keywords, or "all" for the root
        self.keywords = keywords  #: best first
        self.size = size  #: items at or below it
        self.depth = depth  #: 0 for the root
        self._exemplars = exemplars
        if self.index == 0:
            self.name = "all"

    @property
    def parent(self):
        """The node above, or None for the root."""
        return None if self.index == 0 else Node(self._atlas, self._atlas.tree.parents[self.index])

    @property
    def children(self):
        """The nodes below, the largest first."""
        return [Node(self._atlas, child) for child in self._atlas._open.children(self.index)]

    @property
    def path(self):
        """The nodes from the root to this one, both included."""
        nodes = [self]
        while nodes[-1].index != 0:
            nodes.append(nodes[-1].parent)
        return nodes[::-1]

    @property
    def items(self):
        """Numbers of all items at or below, array (size,) of uint32."""
        return self._atlas._open.node_items(self.index, False)

    @property
    def own_items(self):
        """Numbers of the items that hang at the node itself, array of uint32."""
        return self._atlas._open.node_items(self.index, True)

    @property
    def exemplars(self):
        """The most typical items, as a list of Item."""
        return [self._atlas.item(item) for item in self._exemplars]

    @property
    def is_leaf(self):
        return not self._atlas._open.children(self.index)

    def __getitem__(self, i):
        return self.children[i]

    def __len__(self):
        return len(self._atlas._open.children(self.index))

    def __bool__(self):
        return True  # a leaf is a node, too

    def __iter__(self):
        return iter(self.children)

    def __eq__(self, other):
        return isinstance(other, Node) and (self._atlas, self.index) == (other._atlas, other.index)

    def __hash__(self):
        return hash((id(self._atlas), self.index))

    def __repr__(self):
        return f"<Node {self.index}: {self.name} ({self.size} items, {len(self)} children)>"

    def __str__(self):
        return tree_text(self)

    def _repr_html_(self):
        return tree_html(self)


class Tree(Sequence):
    """All nodes of an atlas, by number: parents before their children, the root first.

    ``tree[7]`` is node 7, ``tree.root.children`` are the topics of the first level; notebooks show
    the tree to unfold, ``print(tree)`` its first levels.
    """

    def __init__(self, atlas):
        self._atlas = atlas
        #: array (n_nodes,) of uint32: the number of each node's parent; the root's is 2**32 - 1
        self.parents = atlas._open.parents

    @property
    def root(self):
        """Node 0."""
        return Node(self._atlas, 0)

    @property
    def children(self):
        """The topics of the first level."""
        return self.root.children

    @property
    def depths(self):
        """Array (n_nodes,) of int64: 0 for the root."""
        depths = np.zeros(len(self.parents), dtype=np.int64)
        for node in range(1, len(depths)):
            depths[node] = depths[self.parents[node]] + 1
        return depths

    def __len__(self):
        return len(self.parents)

    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"there is no node {i}: they are 0 to {n - 1}")
        return Node(self._atlas, i % n)

    def __repr__(self):
        return f"<Tree of {len(self)} nodes, {self.root.size} items>"

    def __str__(self):
        return tree_text(self.root)

    def _repr_html_(self):
        return tree_html(self.root)
