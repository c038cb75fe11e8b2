import numpy as np

from alexnet.cluster import pack_fields, unpack_fields


def test_arrays_and_values_come_back_equal() -> None:
    rng = np.random.default_rng(0)
    kind = np.dtype(
        [("size", "<u4"), ("name", "S5"), ("digest", "u1", 16), ("square", "f2", (2, 3))]
    )
    table = np.zeros(4, dtype=kind)
    table["size"], table["digest"] = 7, rng.integers(0, 255, (4, 16))
    arrays = {
        "floats": rng.normal(size=(3, 5)).astype(np.float32)[:, ::2],
        "none": np.zeros((0, 7), dtype=np.float32),
        "table": table,
    }
    data = pack_fields(arrays, [[1, "a"], None])
    found, values = unpack_fields(data)
    assert values == [[1, "a"], None]
    assert [*found] == [*arrays]
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == np.ascontiguousarray(array).tobytes()
    assert pack_fields(arrays, [[1, "a"], None]) == data
