"""What comes in as an array."""

import numpy as np


def as_numpy(array):
    """An array as numpy's, without a copy; what is no array as it is.

    Objects that only speak DLPack (torch tensors on the CPU, and others) become numpy arrays on the
    same memory; whatever has ``__array__``, the buffer protocol or is a sequence is left to numpy.
    """
    if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack__"):
        return array
    if hasattr(array, "detach"):  # a torch tensor that wants gradients refuses otherwise
        array = array.detach()
    try:
        return np.from_dlpack(array)
    except (BufferError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"cannot read the {type(array).__name__} as an array: {error}; "
            "bring it to the CPU and to a type that numpy has (float32)"
        ) from error


def as_matrix(array, name="array", dtype=np.float32):
    """Numbers as a C-contiguous matrix [n, dim].

    Without a copy if they are one already; other types of numbers and other orders are converted
    once.  Raises ValueError unless there are two dimensions of numbers.
    """
    array = np.asarray(as_numpy(array))
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise ValueError(f"the {name} holds {array.dtype}, not numbers")
    if array.ndim != 2:
        raise ValueError(
            f"the {name} has {array.ndim} dimensions {array.shape}: 2 are needed, [n, dim]"
            + ("; reshape(1, -1) makes a single row of it" if array.ndim == 1 else "")
        )
    with np.errstate(over="ignore"):  # what becomes infinite is refused by name later
        return np.ascontiguousarray(array, dtype=dtype)


def is_array(data):
    """Whether `data` is to be read as an array of numbers."""
    if isinstance(data, np.ndarray):
        return data.dtype.kind not in "OUST"  # objects, strings: texts
    if hasattr(data, "__dlpack__"):
        return True
    return isinstance(data, (memoryview, bytearray)) or type(data).__name__ == "array"
