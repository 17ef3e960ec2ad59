"""Data frames by their Arrow streams."""

import datetime
import decimal

import numpy as np
import pytest

import carya
from conftest import files_of

pa = pytest.importorskip("pyarrow")


def build(data, tmp_path, **options):
    options.setdefault("encoder", "lsa")
    return carya.Atlas.build(data, tmp_path / "out.atlas", overwrite=True, **options)


def frames(records):
    """The same table from each library."""
    import duckdb
    import pandas
    import polars

    table = pa.Table.from_pylist(records)
    yield "pyarrow.Table", table
    yield "pyarrow.RecordBatchReader", table.to_reader(max_chunksize=7)
    yield "chunks", pa.concat_tables([table.slice(i, 90) for i in range(0, len(table), 90)])
    yield "pandas", pandas.DataFrame(records)
    yield "polars", polars.DataFrame(records)
    yield "duckdb", duckdb.connect().from_arrow(table)


def test_every_frame_makes_the_atlas_of_the_csv(records, atlas, tmp_path):
    def content(atlas):
        files = files_of(atlas.path)
        del files["items.sqlite"], files["manifest.json"]  # a .csv's numbers come as text
        return files, atlas.columns, list(atlas)

    for name, frame in frames(records):
        assert content(build(frame, tmp_path)) == content(atlas), name


def test_a_series_of_texts_is_a_table_of_one_column(texts, tmp_path):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    expected = files_of(build(texts, tmp_path).path)
    for series in (pandas.Series(texts), polars.Series(texts), pa.chunked_array([texts]),
                   np.array(texts), np.array(texts, dtype=object), iter(texts)):
        assert files_of(build(series, tmp_path).path) == expected, type(series)
    with pytest.raises(ValueError, match="holds no texts"):
        build(polars.Series([1, 2]), tmp_path)


def test_every_type_of_column_becomes_metadata(tmp_path):
    day, moment = datetime.date(2024, 2, 29), datetime.datetime(1969, 12, 31, 23, 59, 59, 250_000)
    utc = datetime.timezone.utc
    columns = {
        "text": (pa.array(["one word", None, "two words"], pa.large_string()), None),
        "utf8": (pa.array(["a", None, "ö"]), ["a", None, "ö"]),
        "view": (pa.array(["short", None, "longer than twelve bytes"], pa.string_view()),
                 ["short", None, "longer than twelve bytes"]),
        "codes": (pa.array(["x", None, "x"]).dictionary_encode(), ["x", None, "x"]),
        "int8": (pa.array([-1, None, 127], pa.int8()), [-1, None, 127]),
        "uint16": (pa.array([1, None, 65535], pa.uint16()), [1, None, 65535]),
        "int64": (pa.array([-(2**63), None, 2**63 - 1], pa.int64()), [-(2**63), None, 2**63 - 1]),
        "uint64": (pa.array([1, None, 2**64 - 1], pa.uint64()), ["1", None, str(2**64 - 1)]),
        "half": (pa.array(np.array([0.5, 0, -2], np.float16)), [0.5, 0.0, -2.0]),
        "float": (pa.array([0.25, None, float("nan")], pa.float32()), [0.25, None, None]),
        "double": (pa.array([0.1, None, 1e300]), [0.1, None, 1e300]),
        "bool": (pa.array([True, None, False]), [1, None, 0]),
        "day": (pa.array([day, None, day]), ["2024-02-29", None, "2024-02-29"]),
        "moment": (pa.array([moment, None, moment], pa.timestamp("ms")),
                   ["1969-12-31T23:59:59.250", None, "1969-12-31T23:59:59.250"]),
        "zoned": (pa.array([moment.replace(tzinfo=utc)] * 3, pa.timestamp("us", "Europe/Paris")),
                  ["1969-12-31T23:59:59.250000Z"] * 3),
        "time": (pa.array([datetime.time(1, 2, 3), None, None], pa.time32("s")),
                 ["01:02:03", None, None]),
        "price": (pa.array([decimal.Decimal("-1.25"), None, decimal.Decimal("3.00")]),
                  [-1.25, None, 3.0]),
        "nothing": (pa.nulls(3), [None, None, None]),
        "empty": (pa.array(["", "x", ""]), [None, "x", None]),
    }
    table = pa.table({name: values for name, (values, _) in columns.items()})
    for sliced in (table, pa.concat_tables([table, table]).slice(3, 3)):
        atlas = build(sliced, tmp_path, text="text")
        assert atlas.texts() == ["one word", "", "two words"]
        for name, (_, expected) in columns.items():
            if name != "text":
                assert atlas.column(name) == expected, name


def test_text_and_id_are_chosen_as_of_a_csv(tmp_path):
    table = pa.table({"title": ["a", None], "body": ["b", "c"], "n": [1, 2], "key": [7, 8]})
    atlas = build(table, tmp_path, text=["title", "body"], id="key")
    assert atlas.texts() == ["a: b", "c"] and atlas["8"].metadata == {"n": 2}
    assert build(table.select(["body", "n"]), tmp_path).columns == {"n": "integer"}
    assert build(table.select(["body", "n"]), tmp_path)["2"].text == "c"
    assert build(table, tmp_path, text="n").texts() == ["1", "2"]
    with pytest.raises(ValueError, match="which column is the text.*title, body, n, key"):
        build(table, tmp_path)
    with pytest.raises(ValueError, match="no column 'boddy'; there are: title, body"):
        build(table, tmp_path, text="boddy")
    with pytest.raises(ValueError, match="no column 'uid'"):
        build(table, tmp_path, text="body", id="uid")
    with pytest.raises(ValueError, match="which column is the text"):
        build(table.select(["n"]), tmp_path)
    with pytest.raises(ValueError, match="row 2: the id 'x' .*row 1"):
        build(pa.table({"text": ["a b", "c d"], "id": ["x", "x"]}), tmp_path)
    with pytest.raises(FileNotFoundError, match="the Table: has no items"):
        build(pa.table({"text": pa.array([], pa.string())}), tmp_path)


def test_columns_that_cannot_be_metadata_are_named(tmp_path):
    texts = pa.array(["a b", "c d"])
    for name, values in {
        "lists": pa.array([[1], [2]]),
        "structs": pa.array([{"x": 1}, {"x": 2}]),
        "binary values": pa.array([b"a", b"b"]),
        "durations": pa.array([1, 2], pa.duration("s")),
    }.items():
        with pytest.raises(ValueError, match=f"column 'odd' holds {name}"):
            build(pa.table({"text": texts, "odd": values}), tmp_path)


def test_the_index_of_a_pandas_frame_is_no_metadata(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["a b", "c d", "e f"], "n": [1, 2, 3]})
    atlas = build(frame[frame.n != 2], tmp_path)
    assert atlas.texts() == ["a b", "e f"] and atlas.columns == {"n": "integer"}


def test_a_column_name_that_occurs_twice_goes_on(tmp_path):
    table = pa.table([pa.array(["a b"]), pa.array([1]), pa.array([2])], names=["text", "n", "n"])
    assert build(table, tmp_path)[0].metadata == {"n": 1, "n_2": 2}


def test_a_stream_that_fails_in_the_middle_leaves_no_atlas(tmp_path):
    schema = pa.schema([("text", pa.string())])

    def batches():
        yield pa.record_batch([["a b"] * 10], schema=schema)
        raise RuntimeError("the network is down")

    reader = pa.RecordBatchReader.from_batches(schema, batches())
    with pytest.raises(OSError, match="after row 10: .*the network is down"):
        build(reader, tmp_path)
    assert not (tmp_path / "out.atlas").exists()


def test_a_stream_is_read_once(tmp_path):
    reader = pa.Table.from_pydict({"text": ["a b"]}).to_reader()
    capsule = reader.__arrow_c_stream__()

    class Once:
        def __arrow_c_stream__(self, requested_schema=None):
            return capsule

    assert len(build(Once(), tmp_path)) == 1
    with pytest.raises(ValueError, match="used up"):
        build(Once(), tmp_path)


def test_an_interrupted_build_of_a_table_goes_on_if_it_is_the_same(records, tmp_path):
    table = pa.Table.from_pylist(records)
    out = tmp_path / "out.atlas"
    stages = []

    def stop_at_naming(stage, *_):
        stages.append(stage)
        return stage != "naming"

    def build_with(data, progress):
        return carya.Atlas.build(data, out, encoder="lsa", progress=progress)

    with pytest.raises(carya.Cancelled):
        build_with(table, stop_at_naming)
    assert "encoding" in stages and not out.exists()
    again = []
    build_with(table, lambda stage, *_: again.append(stage))
    assert "encoding" not in again and "naming" in again and out.exists()
    out.rename(tmp_path / "whole.atlas")
    with pytest.raises(carya.Cancelled):
        build_with(table, stop_at_naming)
    other = []
    build_with(table.slice(1), lambda stage, *_: other.append(stage))
    assert "encoding" in other and len(carya.Atlas(out)) == 299


def test_frames_that_are_none_say_what_to_do(tmp_path):
    polars = pytest.importorskip("polars")
    with pytest.raises(ValueError, match="collect"):
        build(polars.DataFrame({"text": ["a"]}).lazy(), tmp_path)
