"""What an atlas is made of, by its type."""

import os

from . import _carya
from ._arrays import as_matrix, is_array


def _names(text):
    if text is None:
        return []
    return [text] if isinstance(text, str) else [str(name) for name in text]


def _refuse(what, **options):
    given = [name for name, value in options.items() if value not in (None, "", [])]
    if given:
        raise ValueError(f"{' and '.join(given)}: of tables and files; {what} has no columns")


def as_input(data, text=None, id=None, delimiter=None, n_before=0):
    """The _carya.Input of a path, a table, an array of vectors, or texts.

    Items in memory without ids get the numbers after `n_before`.
    """
    if isinstance(data, (str, os.PathLike)):
        path = os.fspath(data)
        if path == "-":
            raise ValueError("'-': standard input is for the command line; give a path or the data")
        return _carya.file_input(path, _names(text), id or "", delimiter or "")
    if hasattr(data, "__arrow_c_stream__"):
        if delimiter:
            raise ValueError("delimiter: of files; a table has columns")
        name = f"the {type(data).__name__}"
        return _carya.table_input(data.__arrow_c_stream__(), _names(text), id or "", name, n_before)
    if type(data).__name__ == "LazyFrame":
        raise ValueError("a LazyFrame has no rows yet: give frame.collect()")
    if type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "columns"):
        raise ValueError("this pandas has no Arrow stream: pandas 2.2 or later and pyarrow are needed")
    if is_array(data):
        _refuse("an array", text=text, id=id, delimiter=delimiter)
        return _carya.vector_input(as_matrix(data))
    if isinstance(data, (bytes, dict)) or not hasattr(data, "__iter__"):
        raise TypeError(
            f"cannot make items of a {type(data).__name__}: a path, a list of texts, a data frame "
            "(__arrow_c_stream__) or an array of vectors [n, dim] is needed"
        )
    _refuse("a list of texts", text=text, id=id, delimiter=delimiter)
    return _carya.text_input(data, n_before)
