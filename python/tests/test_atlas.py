"""Atlas: build, open, search, browse, extend, close."""

import json
import os
import pickle
import shutil
import subprocess

import numpy as np
import pytest

import carya
from conftest import files_of, themed_records


def test_builds_the_same_files_as_the_program(csv, atlas_path, program, tmp_path):
    out = tmp_path / "program.atlas"
    subprocess.run([program, "atlas", csv, "-o", out, "--encoder", "lsa"], check=True)
    assert files_of(out) == files_of(atlas_path)


def test_vectors_build_the_same_files_as_the_program(blobs, program, tmp_path):
    np.save(tmp_path / "in.npy", blobs[0])
    subprocess.run([program, "atlas", tmp_path / "in.npy", "-o", tmp_path / "a"], check=True)
    carya.Atlas.build(blobs[0], tmp_path / "b")
    carya.Atlas.build(tmp_path / "in.npy", tmp_path / "c")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b") == files_of(tmp_path / "c")


@pytest.mark.parametrize("options", [[], ["--mode", "lexical"], ["--where", "size < 100"]])
def test_searches_as_the_program(atlas, program, options):
    command = [program, "search", atlas.path, "guitar melody", "-k", "7", "--json", *options]
    expected = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["hits"]
    names = {"--mode": "mode", "--where": "where"}
    hits = atlas.search("guitar melody", k=7, **{names[o]: v for o, v in zip(options, options[1:])})
    assert [hit.id for hit in hits] == [hit["id"] for hit in expected]
    assert [hit.score for hit in hits] == pytest.approx([hit["score"] for hit in expected])
    assert [hit.node for hit in hits] == [hit["node"] for hit in expected]


def test_hits_say_all_of_an_item(atlas):
    hits = atlas.search("chess", k=3, mode="vector", where="size >= 100")
    assert len(hits) == 3
    for hit in hits:
        assert hit.metadata["theme"] == "chess" and hit.metadata["size"] >= 100
        assert hit.similarity == pytest.approx(hit.score)
        assert hit.to_dict()["id"] == hit.id == f"item{hit.index}"
    assert [hit.index for hit in hits] == [h["index"] for h in hits.to_dicts()]
    assert atlas.search("chess", where="size > 1000") == []
    assert [len(h) for h in atlas.search_batch(["chess", "guitar"], k=4)] == [4, 4]


def test_a_search_below_a_topic_finds_its_items_only(atlas):
    topic = atlas.tree.root[0]
    items = set(topic.items)
    for node in (topic, topic.index):
        hits = atlas.search("number3", k=100, node=node)
        assert hits and {hit.index for hit in hits} <= items


def test_the_tree_is_nodes_and_items(atlas, records):
    tree = atlas.tree
    root = tree.root
    assert len(tree) == atlas.info["n_nodes"] > 4
    assert root.size == len(atlas) == len(records) == 300
    assert root.parent is None and root.depth == 0 and root.name == "all"
    assert sorted(root.items) == list(range(300))
    for node in tree:
        assert node == tree[node.index] and hash(node) == hash(tree[node.index])
        below = [i for child in node for i in child.items]
        assert sorted([*below, *node.own_items]) == sorted(node.items)
        assert len(node) == len(node.children) == len(list(node))
        assert node.is_leaf == (len(node) == 0)
        for child in node:
            assert child.parent == node and child.depth == node.depth + 1
        assert node.path[0] == root and node.path[-1] == node
        assert all(item.index in set(node.items) for item in node.exemplars)
    assert tree[-1].index == len(tree) - 1
    assert root[0] == root.children[0] and root[0].keywords
    with pytest.raises(IndexError, match="there is no node"):
        tree[len(tree)]
    themes = np.array([record["theme"] for record in records])
    assert {tuple(set(themes[child.items])) for child in root} == {
        ("chess",), ("image",), ("music",), ("network",)
    }


def test_labels_follow_the_tree_or_the_merges(atlas):
    four = atlas.labels(4)
    assert four.dtype == np.int32 and list(four[:5]) == [0, 1, 2, 3, 0]
    assert set(atlas.labels(depth=0)) == {0}
    depth1 = atlas.labels(depth=1)
    for child in atlas.tree.root:
        assert set(depth1[child.items]) == {child.index}
    deepest = atlas.labels(depth=99)
    assert [atlas.topic_of(i).index for i in range(9)] == list(deepest[:9])
    for bad in ({}, {"n_clusters": 3, "depth": 1}):
        with pytest.raises(ValueError, match="either"):
            atlas.labels(**bad)
    with pytest.raises(ValueError):
        atlas.labels(301)
    with pytest.raises(ValueError, match="depth is -1"):
        atlas.labels(depth=-1)


def test_linkage_is_scipys(atlas):
    from scipy.cluster.hierarchy import fcluster, is_valid_linkage

    assert is_valid_linkage(atlas.linkage)
    theirs = fcluster(atlas.linkage, 4, criterion="maxclust")
    ours = atlas.labels(4)
    assert len(set(zip(theirs, ours))) == 4


def test_items_by_number_and_id(atlas, records):
    item = atlas.item(17)
    assert (item.id, item.text) == (records[17]["id"], records[17]["text"])
    assert item.metadata == {"theme": records[17]["theme"], "size": 17}
    assert atlas["item17"] == atlas[17] == atlas.item(np.int64(17)) and atlas[-1].id == "item299"
    assert 0 < item.strength <= 1 and item.strength == atlas.strengths[17]
    assert atlas.outliers.dtype == bool and item.outlier == atlas.outliers[17]
    assert [i.id for i in atlas] == [r["id"] for r in records]
    assert atlas.texts(5, 2) == [records[5]["text"], records[6]["text"]]
    assert atlas.columns == {"theme": "text", "size": "integer"}
    assert atlas.column("size") == list(range(300))
    assert list(atlas.where("size >= 298")) == [298, 299]
    with pytest.raises(KeyError, match="item999"):
        atlas.item("item999")
    with pytest.raises(IndexError, match="0 to 299"):
        atlas.item(300)
    with pytest.raises(ValueError, match="theme, size"):
        atlas.column("colour")


def test_vectors_are_the_mapped_file_without_a_copy(atlas):
    vectors = atlas.vectors
    assert vectors.shape == (300, atlas.info["dim"]) and vectors.dtype == np.float32
    assert not vectors.flags.owndata and not vectors.flags.writeable
    assert vectors.ctypes.data == atlas.vectors.ctypes.data
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(300), abs=1e-5)
    expected = vectors[9].copy()
    atlas.close()
    del atlas
    assert (vectors[9] == expected).all()  # the array keeps the mapping alive


def test_neighbors_are_the_nearest(atlas):
    items, distances = atlas.neighbors("item9", k=5)
    everything = np.linalg.norm(atlas.vectors - atlas.vectors[9], axis=1)
    everything[9] = np.inf
    assert distances == pytest.approx(np.sort(everything)[:5], abs=1e-3)
    assert 9 not in items and len(items) == 5


def test_layout_is_within_the_disk(atlas):
    for focus in (0, atlas.tree[3]):
        nodes, items = atlas.layout(focus)
        assert nodes.shape == (len(atlas.tree), 2) and items.shape == (300, 2)
        assert (np.hypot(*items.T) <= 1).all()
        assert nodes[getattr(focus, "index", focus)] == pytest.approx([0, 0])


def test_evaluate_and_export(atlas, tmp_path):
    assert atlas.evaluate("theme")["ami"] > 0.9
    atlas.export(tmp_path / "out.nwk", "newick")
    assert (tmp_path / "out.nwk").read_text().rstrip().endswith(";")
    with pytest.raises(ValueError, match="newick"):
        atlas.export(tmp_path / "x", "gif")


def test_items_are_added(atlas_path, tmp_path):
    path = tmp_path / "more.atlas"
    shutil.copytree(atlas_path, path)
    pyarrow = pytest.importorskip("pyarrow")
    atlas = carya.Atlas(path)
    assert atlas.add(pyarrow.Table.from_pylist(themed_records(5, 300))) == 5
    assert len(atlas) == 305 and atlas["item304"].metadata["size"] == 304
    assert atlas.topic_of("item304").path[1] == atlas.topic_of("item0").path[1]
    assert atlas.add(["a song for the piano"]) == 1
    assert len(carya.Atlas(path)) == len(atlas) == 306 and atlas[305].id == "306"
    with pytest.raises(ValueError, match="item304"):
        atlas.add(pyarrow.Table.from_pylist(themed_records(1, 304)))
    with pytest.raises(ValueError, match="holds vectors, the atlas texts"):
        atlas.add(np.zeros((2, 3), np.float32))
    assert len(carya.Atlas(path)) == 306


def test_pickles_as_its_path(atlas):
    again = pickle.loads(pickle.dumps(atlas))
    assert again.path == atlas.path and len(again) == 300


def test_a_closed_atlas_says_so(atlas):
    with atlas as entered:
        assert entered is atlas and len(atlas) == 300
    for use in (len, lambda a: a.search("x"), lambda a: a.tree, lambda a: a.vectors, iter_first):
        with pytest.raises(ValueError, match="closed"):
            use(atlas)
    assert "closed" in repr(atlas)
    atlas.close()


def iter_first(atlas):
    return next(iter(atlas))


def test_what_is_shown_is_escaped(tmp_path):
    texts = [f"<b>bold</b> & script{i % 3} <script>alert({i})</script>" for i in range(40)]
    atlas = carya.Atlas.build(texts, tmp_path / "<i>.atlas", encoder="lsa")
    html = atlas._repr_html_() + atlas.search("bold")._repr_html_()
    assert "<script>" not in html and "<i>" not in html and "&lt;i&gt;" in html
    assert html.count("<details") == html.count("</details>") >= 1
    assert "40 items" in repr(atlas)
    assert "40" in str(atlas.tree) and "Tree" in repr(atlas.tree) and "Node" in repr(atlas.tree[0])
    assert atlas.tree._repr_html_() == atlas.tree.root._repr_html_()


@pytest.mark.parametrize("name", ["vectors.bin", "tree.bin", "items.sqlite", "manifest.json"])
def test_a_damaged_file_is_named(atlas_path, tmp_path, name):
    path = tmp_path / "damaged.atlas"
    shutil.copytree(atlas_path, path)
    with open(path / name, "r+b") as file:
        file.seek(os.path.getsize(path / name) // 2)
        file.write(b"\xff\xfe")
    with pytest.raises(carya.CorruptError, match=name) as caught:
        carya.Atlas(path)
    assert isinstance(caught.value, OSError)


def test_what_cannot_be_built_is_refused(tmp_path, csv):
    build = carya.Atlas.build
    out = tmp_path / "out.atlas"
    cases = [
        (dict(data=tmp_path / "no.csv"), FileNotFoundError, "no.csv"),
        (dict(data=csv, text="body"), ValueError, "no column 'body'; there are: id, text"),
        (dict(data=csv, encoder="lsa", min_cluster_size=1), ValueError, "min_cluster_size"),
        (dict(data=csv, min_cluster_size=2.5), ValueError, "min_cluster_size is 2.5"),
        (dict(data=csv, organise="magic"), ValueError, "magic"),
        (dict(data=csv, precision="f8"), ValueError, "precision is 'f8': one of 'auto'"),
        (dict(data=csv, encoder="none"), ValueError, "encoder none is for vectors"),
        (dict(data=csv, encoder="/no/such/model"), FileNotFoundError, "/no/such/model"),
        (dict(data=csv, encoder="lsa", max_memory=1000), ValueError, "max_memory is"),
        (dict(data=[]), FileNotFoundError, "has no items"),
        (dict(data=["a", None]), ValueError, "text 1 is None, not a str"),
        (dict(data=["a", 7]), ValueError, "text 1 is int"),
        (dict(data=["!!!", "..."], encoder="lsa"), ValueError, "word"),
        (dict(data=["a"], text="x"), ValueError, "no columns"),
        (dict(data={"a": 1}), TypeError, "cannot make items of a dict"),
        (dict(data=7), TypeError, "cannot make items of a int"),
        (dict(data=b"abc"), TypeError, "bytes"),
        (dict(data="-"), ValueError, "standard input"),
        (dict(data=np.zeros((0, 3))), FileNotFoundError, "has no vectors"),
        (dict(data=np.zeros(3)), ValueError, "reshape"),
        (dict(data=np.zeros((2, 2, 2))), ValueError, "3 dimensions"),
        (dict(data=np.array([[1, np.nan]])), ValueError, "vector 0"),
        (dict(data=np.array([[1, 1e300]])), ValueError, "vector 0"),
        (dict(data=np.zeros((2, 2), complex)), ValueError, "complex"),
        (dict(data=np.zeros((2, 2)), text="a"), ValueError, "an array has no columns"),
        (dict(data=csv, progress=3), TypeError, "progress"),
    ]
    for arguments, error, message in cases:
        with pytest.raises(error, match=message):
            build(path=out, **arguments)
        assert not out.exists(), arguments
    carya.Atlas.build(["one text"], out, encoder="lsa")
    with pytest.raises(ValueError, match="overwrite=True"):
        build(["other"], out, encoder="lsa")
    assert build(["other", "two"], out, encoder="lsa", overwrite=True).texts() == ["other", "two"]
    with pytest.raises(FileNotFoundError, match="there is no atlas"):
        carya.Atlas(tmp_path / "nowhere")


def test_searches_that_cannot_be_are_refused(atlas):
    for arguments, message in [
        (dict(query=""), "empty"),
        (dict(query="x", k=0), "^k is 0"),
        (dict(query="x", k=20_000), "^k is 20000"),
        (dict(query="x", mode="psychic"), "mode is 'psychic': one of 'hybrid'"),
        (dict(query="x", where="colour = red"), "colour"),
        (dict(query="x", node=10_000), "there is no node 10000"),
    ]:
        with pytest.raises(ValueError, match=message):
            atlas.search(**arguments)


def test_duplicate_ids_are_named(tmp_path):
    csv = tmp_path / "twice.csv"
    csv.write_text("id,text\na,one\nb,two\na,three\n")
    with pytest.raises(ValueError, match="twice.csv:4: the id 'a' .*twice.csv:2"):
        carya.Atlas.build(csv, tmp_path / "out", encoder="lsa")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_inputs(tmp_path, n):
    atlas = carya.Atlas.build(["one word"] * n, tmp_path / "texts", encoder="lsa")
    assert len(atlas) == n and atlas.search("word", k=50)[0].text == "one word"
    assert len(atlas.neighbors(0, 5)[0]) == n - 1 and str(atlas.tree) and atlas._repr_html_()
    assert len(carya.Atlas.build(np.zeros((n, 2)), tmp_path / "vectors")) == n
    assert atlas.linkage.shape == (n - 1, 4) and atlas.layout()[1].shape == (n, 2)


def test_an_encoder_that_is_not_there_is_a_warning(csv, tmp_path, monkeypatch):
    monkeypatch.setenv("CARYA_CACHE", str(tmp_path / "empty"))
    with pytest.warns(UserWarning, match="no sentence encoder"):
        carya.Atlas.build(csv, tmp_path / "out")


def test_half_a_surrogate_does_no_harm(tmp_path):
    atlas = carya.Atlas.build(["broken \ud800 text", "whole text"], tmp_path / "a", encoder="lsa")
    assert atlas.texts() == ["broken ? text", "whole text"]
