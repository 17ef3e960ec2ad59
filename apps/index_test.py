#!/usr/bin/env python3
"""End-to-end tests of `carya index`: every verb on small files, and bad input.

    python3 apps/index_test.py build/release/apps/carya [unittest arguments]
"""

import json
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree
from pathlib import Path

import cli_test
from cli_test import write_npy


def vectors(n, dim, seed):
    rng = random.Random(seed)
    return [[rng.gauss(0, 1) for _ in range(dim)] for _ in range(n)]


def nearest(query, rows, k):
    """Row numbers by squared distance, the definition."""
    distance = [sum((a - b) ** 2 for a, b in zip(query, row)) for row in rows]
    return sorted(range(len(rows)), key=lambda i: (distance[i], i))[:k]


def read_ivecs(path):
    numbers = struct.unpack(f"<{path.stat().st_size // 4}i", path.read_bytes())
    width = numbers[0] + 1
    return [list(numbers[i + 1:i + width]) for i in range(0, len(numbers), width)]


class IndexTest(cli_test.CliTest):
    """600 vectors of 12 dims in words.npy, 20 queries beside them."""

    @classmethod
    def setUpClass(cls):
        cls.shared = Path(tempfile.mkdtemp(prefix="carya_index_"))
        cls.rows, cls.queries = vectors(600, 12, 1), vectors(20, 12, 2)

    def setUp(self):
        super().setUp()
        write_npy(self.folder / "words.npy", self.rows)
        write_npy(self.folder / "queries.npy", self.queries)

    def build(self, name="words.index", *args):
        return self.run_carya("index", "build", "words.npy", "-o", name, *args)


class Verbs(IndexTest):
    def test_build_and_search(self):
        truth = [nearest(q, self.rows, 5) for q in self.queries]
        for kind in "flat", "spann", "hnsw", "hnsw:m=8,codes=int4", "ivf_pq:lists=4,parts=12,bits=8":
            with self.subTest(kind=kind):
                self.build("words.index", "--type", kind, "--force")
                found = [[] for _ in self.queries]
                out = self.run_carya("index", "search", "words.index", "queries.npy", "-k", 5,
                                     "--effort", 600, "--vectors", "words.npy").stdout
                lines = out.splitlines()
                self.assertEqual(lines[0], "query,rank,id,distance")
                for line in lines[1:]:
                    query, rank, item, _ = line.split(",")
                    found[int(query)].append(int(item))
                    self.assertEqual(int(rank), len(found[int(query)]))
                if kind.startswith("ivf_pq"):  # ranks the best fifty of its codes
                    hits = sum(len(set(a) & set(b)) for a, b in zip(found, truth))
                    self.assertGreaterEqual(hits, 98)
                else:
                    self.assertEqual(found, truth)

    def test_outputs(self):
        self.build()
        search = ["index", "search", "words.index", "queries.npy", "-k", 4, "--effort", 600]
        truth = [nearest(q, self.rows, 4) for q in self.queries]
        self.run_carya(*search, "-o", "hits.ivecs")
        self.assertEqual(read_ivecs(self.folder / "hits.ivecs"), truth)
        self.run_carya(*search, "-o", "hits.npy")
        data = (self.folder / "hits.npy").read_bytes()
        self.assertIn(b"'<i8', 'fortran_order': False, 'shape': (20, 4)", data)
        self.assertEqual(list(struct.unpack("<4q", data[-32:])), truth[-1])
        self.run_carya(*search, "-o", "hits.jsonl")
        printed = self.run_carya(*search, "--json").stdout
        self.assertEqual((self.folder / "hits.jsonl").read_text(), printed)
        last = json.loads(printed.splitlines()[-1])
        self.assertEqual((last["query"], [h["id"] for h in last["hits"]]), (19, truth[-1]))
        self.run_carya(*search, "-o", "hits.csv")
        self.assertEqual((self.folder / "hits.csv").read_text(), self.run_carya(*search).stdout)

    def test_only_some_items(self):
        self.build()
        self.file("some.txt", "".join(f"{i}\n" for i in range(0, 600, 50)))
        out = self.run_carya("index", "search", "words.index", "queries.npy", "-k", 3, "--only",
                             "some.txt").stdout
        rows = self.rows[::50]
        truth = [50 * i for q in self.queries for i in nearest(q, rows, 3)]
        self.assertEqual([int(line.split(",")[2]) for line in out.splitlines()[1:]], truth)

    def test_window(self):
        self.file("years.txt", "".join(f"{1980 + i % 40}.5\n" for i in range(600)))
        self.build("years.index", "--labels", "years.txt")
        self.assertEqual(self.run_json("index", "info", "years.index")["type"], "window")
        out = self.run_carya("index", "search", "years.index", "queries.npy", "-k", 3, "--window",
                             "1990,1995.5").stdout
        inside = [i for i in range(600) if 10 <= i % 40 <= 15]
        rows = [self.rows[i] for i in inside]
        truth = [inside[i] for q in self.queries for i in nearest(q, rows, 3)]
        self.assertEqual([int(line.split(",")[2]) for line in out.splitlines()[1:]], truth)
        self.build()
        self.fails("index", "search", "words.index", "queries.npy", "--window", "1,2", code=2,
                   says="--labels")
        self.fails("index", "search", "years.index", "queries.npy", "--window", "2,1", code=2,
                   says="2")

    def test_radius(self):
        self.build("words.index", "--type", "flat")
        out = self.run_carya("index", "search", "words.index", "queries.npy", "--radius", 14).stdout
        within = sum(sum((a - b) ** 2 for a, b in zip(q, row)) <= 14
                     for q in self.queries for row in self.rows)
        self.assertEqual(len(out.splitlines()) - 1, within)

    def test_ids_add_remove_and_info(self):
        self.file("ids.txt", "\n".join(str(10 ** 12 + i) for i in range(600)) + "\n")
        self.build("words.index", "--ids", "ids.txt")
        write_npy(self.folder / "more.npy", self.queries)
        self.file("more.txt", "".join(f"{7 + i}\r\n" for i in range(20)))
        self.run_carya("index", "add", "words.index", "more.npy", "--ids", "more.txt")
        info = self.run_json("index", "info", "words.index")
        self.assertEqual((info["items"], info["dim"], info["type"]), (620, 12, "hnsw"))
        self.assertEqual(info["bytes"], (self.folder / "words.index").stat().st_size)
        first = self.run_carya("index", "search", "words.index", "queries.npy", "-k", 1).stdout
        self.assertEqual([line.split(",")[2] for line in first.splitlines()[1:]],
                         [str(7 + i) for i in range(20)])
        self.file("gone.txt", "7\n8\n999\n")
        result = self.run_carya("index", "remove", "words.index", "--ids", "gone.txt")
        self.assertIn("1 of the ids were not in words.index", result.stderr)
        self.assertEqual(self.run_json("index", "info", "words.index")["items"], 618)
        twice = self.fails("index", "add", "words.index", "more.npy", "--ids", "more.txt", code=2,
                           says="9")
        self.assertEqual(self.run_json("index", "info", "words.index")["items"], 618, twice)

    def test_tune_an_index(self):
        self.build()
        result = self.run_json("index", "tune", "words.index", "queries.npy", "--recall", 0.9,
                               "--svg", "curve.svg")
        self.assertGreaterEqual(result["chosen"]["recall"], 0.9)
        self.assertEqual(result["curve"][-1]["recall"], 1)
        xml.etree.ElementTree.parse(self.folder / "curve.svg")
        text = self.run_carya("index", "tune", "words.index", "queries.npy").stdout
        self.assertRegex(text, r"recall 0.95 needs --effort \d+")

    def test_tune_and_compare_types(self):
        result = self.run_json("index", "tune", "words.npy", "--type", "hnsw:m=4", "--type", "flat")
        self.assertEqual([i["index"] for i in result["indexes"]], ["hnsw:m=4", "flat"])
        self.assertEqual((result["vectors"], result["queries"]), (540, 60))
        self.assertIn(result["best"], ("hnsw:m=4", "flat"))
        result = self.run_json("index", "bench", "words.npy", "queries.npy", "--type", "hnsw",
                               "--svg", "curves.svg")
        self.assertEqual((result["vectors"], result["queries"]), (600, 20))
        self.assertGreater(result["indexes"][0]["bytes_per_item"], 12)
        xml.etree.ElementTree.parse(self.folder / "curves.svg")

    def test_truth_may_be_given(self):
        self.build("words.index", "--type", "flat")
        self.run_carya("index", "search", "words.index", "queries.npy", "-o", "truth.ivecs")
        result = self.run_json("index", "bench", "words.npy", "queries.npy", "--truth",
                               "truth.ivecs", "--type", "flat")
        self.assertEqual([p["recall"] for p in result["indexes"][0]["curve"]], [1])

    def test_estimate(self):
        result = self.run_json("index", "build", "words.npy", "--estimate")
        self.assertEqual((result["items"], result["dim"]), (600, 12))
        self.assertGreater(result["build_bytes"], result["file_bytes"])
        self.assertFalse((self.folder / "words.index").exists())

    def test_examples_run(self):
        """Of all footers, on files of the names that they have."""
        write_npy(self.folder / "more.npy", self.queries)
        self.file("gone.txt", "1\n2\n")
        self.build()
        self.file("years.txt", "".join(f"{1980 + i % 40}\n" for i in range(600)))
        self.build("years.index", "--labels", "years.txt")
        verbs = re.findall(r"^  (\w+) {2,}\S",
                           self.run_carya("index", "--help").stdout.split("Subcommands:")[1], re.M)
        self.assertEqual(len(verbs), 7)
        ran = 0
        for verb in verbs:
            text = self.run_carya("index", verb, "--help").stdout
            lines = re.findall(r"^(?:Example: +|  )carya (index " + verb + r" .*)$", text, re.M)
            self.assertTrue(lines, f"index {verb} --help has no example")
            for line in lines:
                if "hdf5" in line or "sift" in line:  # hdf5_test.cc reads such a file
                    continue
                output = re.search(r"-o (\w+\.index)", line)
                if output:
                    (self.folder / output[1]).unlink(missing_ok=True)
                self.run_carya(*line.split())
                ran += 1
        self.assertGreaterEqual(ran, 10)


class BadInput(IndexTest):
    def test_files_and_options(self):
        self.build()
        write_npy(self.folder / "wide.npy", vectors(3, 13, 3))
        write_npy(self.folder / "nan.npy", [[1.0] * 11 + [float("nan")]])
        write_npy(self.folder / "none.npy", [[]])
        self.file("ids.txt", "1\n2\nx\n")
        self.file("short.txt", "1\n2\n")
        self.file("notes.txt", "words\n")
        self.file("junk.index", "no index")
        for args, code, says in [
                (["build", "words.npy"], 2, "-o FILE"),
                (["build", "words.npy", "-o", "words.index"], 2, ["is there already", "--force"]),
                (["build", "absent.npy", "-o", "a"], 1, "absent.npy"),
                (["build", "notes.txt", "-o", "a"], 2, "texts, not vectors"),
                (["build", "words.npy", "-o", "a", "--type", "tree"], 2, "hnsw, flat"),
                (["build", "words.npy", "-o", "a", "--type", "hnsw:q=1"], 2, "ef_construction"),
                (["build", "words.npy", "-o", "a", "--metric", "near"], 2, "cosine"),
                (["build", "words.npy", "-o", "a", "--ids", "ids.txt"], 2, ["ids.txt:3", "'x'"]),
                (["build", "words.npy", "-o", "a", "--ids", "short.txt"], 2, "2 ids for 600"),
                (["build", "nan.npy", "-o", "a"], 2, "vector 0"),
                (["build", "words.npy", "-o", "no/folder/a"], 1, "no/folder"),
                (["search", "junk.index", "queries.npy"], 1, "junk.index"),
                (["search", "words.index", "wide.npy"], 2, "13 dims, the index 12"),
                (["search", "words.index", "nan.npy"], 2, "query 0"),
                (["search", "words.index", "queries.npy", "-k", 0], 2, "k is 0"),
                (["search", "words.index", "queries.npy", "-o", "hits.doc"], 2, ".ivecs"),
                (["tune", "words.index"], 2, "which queries"),
                (["tune", "words.index", "queries.npy", "--recall", 7], 2, "--recall"),
                (["tune", "words.index", "queries.npy", "--type", "flat"], 2, "is built already"),
                (["bench", "words.npy", "--truth", "t.ivecs"], 2, "name their file"),
                (["remove", "words.index", "--ids", "ids.txt"], 2, "ids.txt:3"),
                ([], 2, "subcommand")]:
            with self.subTest(args=args):
                self.fails("index", *args, code=code, says=says)

    def test_a_damaged_index(self):
        self.build()
        path = self.folder / "words.index"
        whole = path.read_bytes()
        for content in whole[:100], whole[:-1], whole[:5000] + b"\x55" + whole[5001:]:
            path.write_bytes(content)
            self.fails("index", "info", "words.index", code=1, says="words.index")

    def test_an_interrupted_build_leaves_nothing(self):
        rows = random.Random(5).randbytes(60_000 * 256)
        header = "{'descr': '|u1', 'fortran_order': False, 'shape': (60000, 256), }".ljust(117) + "\n"
        self.file("large.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
                  + header.encode() + rows)
        process = subprocess.Popen([cli_test.CARYA, "index", "build", "large.npy", "-o", "a.index"],
                                   cwd=self.folder, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 130, message)
        self.assertEqual([f.name for f in self.folder.iterdir() if "a.index" in f.name], [])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    cli_test.CARYA = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()
