"""C++ objects that pickle as the bytes of the file that they save."""

import copyreg
import os
import tempfile

from . import _carya


def _bytes_of(saved):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "saved")
        saved.save(path)
        with open(path, "rb") as file:
            return file.read()


def _open(opener, data):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "saved")
        with open(path, "wb") as file:
            file.write(data)
        return opener(path)  # maps the file: it stays readable when its name is gone


def _index(data):
    return _open(_carya.Index.open, data)


def _lsa(data):
    return _open(_carya.Lsa.open, data)


copyreg.pickle(_carya.Index, lambda index: (_index, (_bytes_of(index),)))
copyreg.pickle(_carya.Lsa, lambda lsa: (_lsa, (_bytes_of(lsa),)))
