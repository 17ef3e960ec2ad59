"""Arrays in and out: without copies where that can be."""

import array

import numpy as np
import pytest

import carya
from carya._arrays import as_matrix, as_numpy


class OnlyDlpack:
    """What any library's tensor is: DLPack, and nothing of numpy's."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


def test_float32_in_c_order_is_not_copied():
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    for same in (values, OnlyDlpack(values), memoryview(values)):
        assert as_matrix(same).ctypes.data == values.ctypes.data, type(same)


def test_other_numbers_and_orders_are_converted():
    values = np.arange(12).reshape(4, 3)
    for other in (values, values.astype(np.float64), np.asfortranarray(values, np.float32),
                  values.astype(np.float16), values > 3, values.tolist(),
                  OnlyDlpack(values.astype(np.float64)), values[::-1, ::-1][::-1, ::-1]):
        matrix = as_matrix(other)
        assert matrix.dtype == np.float32 and matrix.flags.c_contiguous
        assert (matrix == np.asarray(as_numpy(other), dtype=np.float32)).all()


def test_what_is_no_matrix_of_numbers_is_refused():
    for bad, message in [
        (np.zeros(3), "1 dimensions"),
        (np.zeros((2, 2, 2)), "3 dimensions"),
        (np.array([["a"]]), "not numbers"),
        (np.array([[object()]]), "not numbers"),
        (np.array(["2024-01-01"], dtype="M8[D]"), "not numbers"),
        (array.array("d", [1, 2]), "1 dimensions"),
    ]:
        with pytest.raises(ValueError, match=message):
            as_matrix(bad)


def test_dlpack_and_buffers_give_the_same_results(blobs):
    points, _ = blobs
    expected = carya.HDBSCAN().fit(points)
    for same in (OnlyDlpack(points), memoryview(points), np.asfortranarray(points),
                 points.astype(np.float64), points.tolist()):
        assert (carya.HDBSCAN().fit(same).labels_ == expected.labels_).all(), type(same)


def test_torch_tensors_are_read_where_they_lie(blobs):
    torch = pytest.importorskip("torch", reason="torch is not installed: 200 MB for one test")
    points, _ = blobs
    tensor = torch.from_numpy(points.copy())
    assert as_matrix(tensor).ctypes.data == tensor.data_ptr()
    assert as_matrix(tensor.clone().requires_grad_()).shape == points.shape
    labels = carya.HDBSCAN().fit(tensor).labels_
    assert (labels == carya.HDBSCAN().fit(points).labels_).all()
    with pytest.raises(ValueError):
        as_matrix(tensor.to(torch.bfloat16))


def test_fit_keeps_float32_without_a_copy(blobs):
    points, _ = blobs
    assert carya.NearestNeighbors().fit(points)._points.ctypes.data == points.ctypes.data
    assert carya.HDBSCAN().fit(points)._points.ctypes.data == points.ctypes.data


def test_results_own_their_memory(blobs):
    points, _ = blobs
    model = carya.HDBSCAN().fit(points)
    labels = model.labels_
    expected = labels.copy()
    del model
    assert (labels == expected).all() and labels.base is not None
    labels[0] = 5  # and may be written
