"""Items and what a search found."""

import dataclasses
from typing import Any, Dict, List, Optional

from ._repr import hits_table


@dataclasses.dataclass(frozen=True)
class Item:
    """One item of an atlas."""

    index: int  #: its number, 0 to len(atlas) - 1
    id: str
    text: str
    metadata: Dict[str, Any]  #: {column: value}; None where there is none
    node: int  #: the deepest node of the tree that has it
    strength: float  #: how typical it is of its place, in (0, 1]
    outlier: bool

    def to_dict(self):
        """The fields as a dict."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Hit:
    """An item that a search found."""

    index: int
    id: str
    text: str
    score: float  #: of the mode: fused ranks, cosine or BM25; larger is better
    similarity: Optional[float]  #: cosine with the query, where the search by meaning found it
    node: int
    outlier: bool
    metadata: Dict[str, Any]

    def to_dict(self):
        """The fields as a dict."""
        return dataclasses.asdict(self)


class Hits(List[Hit]):
    """Hits, best first: a list that notebooks show as a table."""

    def to_dicts(self):
        """A list of dicts, as data frames take it: ``pandas.DataFrame(hits.to_dicts())``."""
        return [hit.to_dict() for hit in self]

    def _repr_html_(self):
        return hits_table(self)
