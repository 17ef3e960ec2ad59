#!/usr/bin/env python3
"""End-to-end tests of the program: every verb, every kind of bad input, interruption.

    python3 apps/cli_test.py build/release/apps/carya [unittest arguments]
"""

import csv
import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree
from pathlib import Path

CARYA = None  # the program, from the command line
THEMES = {
    "chess": "chess board pawn queen opening endgame player match",
    "image": "image photo viewer pixel colour camera picture filter",
    "network": "network router packet protocol server socket firewall traffic",
    "music": "music song guitar chord melody piano rhythm tune",
}


def themed_rows(n, first=0):
    """n items (id, text, theme, stars); the same for every call."""
    for i in range(first, first + n):
        theme = list(THEMES)[i % len(THEMES)]
        words = THEMES[theme].split()
        text = " ".join(words[(i * 7 + w * w + i // 3) % len(words)] for w in range(5))
        yield {"id": f"item{i}", "text": f"{text} number{i % 9}", "theme": theme, "stars": i % 5}


def write_csv(path, rows):
    rows = list(rows)
    with open(path, "w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def write_npy(path, rows):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    data = b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


class CliTest(unittest.TestCase):
    """Each test has a folder of its own; `self.atlas` is shared and must not be changed."""

    @classmethod
    def setUpClass(cls):
        cls.shared = Path(tempfile.mkdtemp(prefix="carya_cli_"))
        write_csv(cls.shared / "in.csv", themed_rows(200))
        cls.atlas = cls.shared / "shared.atlas"
        result = subprocess.run(
            [CARYA, "atlas", cls.shared / "in.csv", "--encoder", "lsa", "-o", cls.atlas],
            capture_output=True, text=True)
        if result.returncode != 0:
            raise AssertionError(result.stderr)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.shared)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="carya_cli_"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_carya(self, *args, code=0, stdin=None, **kwargs):
        result = subprocess.run([CARYA, *map(str, args)], capture_output=True, cwd=self.folder,
                                input=stdin, timeout=120, **kwargs)
        result.stdout, result.stderr = result.stdout.decode(), result.stderr.decode()
        self.assertEqual(result.returncode, code, f"{args}\n{result.stdout}\n{result.stderr}")
        if code not in (0, 130):
            self.assertIn("carya: error: ", result.stderr)
        return result

    def run_json(self, *args):
        return json.loads(self.run_carya(*args, "--json").stdout)

    def fails(self, *args, code, says, stdin=None):
        """The verb ends with the code and a message that has all of `says`; nothing is left."""
        def files():
            return sorted(p for p in self.folder.iterdir() if not p.name.endswith(".part"))
        before = files()
        message = self.run_carya(*args, code=code, stdin=stdin).stderr
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, message)
        self.assertEqual(before, files())

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def build(self, name, *args, **kwargs):
        return self.run_carya("atlas", name, "--encoder", "lsa", "-o", "out.atlas", *args, **kwargs)


class Verbs(CliTest):
    def test_info(self):
        info = self.run_json("info", self.atlas)
        self.assertEqual(info["items"], 200)
        self.assertEqual(info["columns"], {"theme": "text", "stars": "integer"})
        self.assertEqual(len(info["stages"]), 7)
        self.assertIn("items     200", self.run_carya("info", self.atlas).stdout)

    def test_tree(self):
        tree = self.run_json("tree", self.atlas, "--depth", "3")
        self.assertEqual(tree["size"], 200)
        own = tree["size"] - sum(child["size"] for child in tree["children"])
        self.assertGreaterEqual(own, 0)
        node = tree["children"][0]["node"]
        self.assertIn("keywords:", self.run_carya("tree", self.atlas, "--node", node).stdout)
        self.fails("tree", self.atlas, "--node", 999, code=2, says="no node 999")
        self.fails("tree", self.atlas, "--depth", -1, code=2, says="--depth")

    def test_search(self):
        for mode in "hybrid", "vector", "lexical":
            found = self.run_json("search", self.atlas, "guitar melody", "--mode", mode, "-k", 7)
            self.assertEqual(len(found["hits"]), 7)
            for hit in found["hits"]:
                self.assertRegex(hit["text"], "|".join(THEMES["music"].split()))
        hits = self.run_json("search", self.atlas, "guitar", "-k", 100, "--where", "stars >= 3")["hits"]
        stars = {row["id"]: row["stars"] for row in themed_rows(200)}
        self.assertTrue(hits)
        self.assertTrue(all(stars[hit["id"]] >= 3 for hit in hits))
        none = self.run_carya("search", self.atlas, "guitar", "--where", "stars > 99")
        self.assertIn("no item is found", none.stdout)
        for query in '" OR * NEAR(', "'; DROP TABLE items", "\udcff", "x" * 100_000, "日本", "-k":
            self.run_carya("search", self.atlas, "--", query)
        self.fails("search", self.atlas, "", code=2, says="the query is empty")
        self.fails("search", self.atlas, "x", "-k", 0, code=2, says="-k is 0")
        self.fails("search", self.atlas, "x", "-k", -3, code=2, says="-k")
        self.fails("search", self.atlas, "x", "-k", 10**6, code=2, says="at most 10000")
        self.fails("search", self.atlas, "x", "-k", 10**30, code=2, says="-k")
        self.fails("search", self.atlas, "x", "--node", 10**6, code=2, says="no node")
        self.fails("search", self.atlas, "x", "--mode", "magic", code=2, says="magic")
        self.fails("search", self.atlas, "x", "--where", "colour = red", code=2,
                   says="there are: theme, stars")
        self.fails("search", self.atlas, "x", "--where", "stars >", code=2, says="at character 8")

    def test_show(self):
        item = self.run_json("show", self.atlas, "item7", "-k", 3)
        self.assertEqual(item["id"], "item7")
        self.assertEqual(item["metadata"], {"theme": "music", "stars": 2})
        self.assertEqual(item["path"][0]["name"], "all")
        self.assertEqual(len(item["neighbors"]), 3)
        self.assertIn("neighbours:", self.run_carya("show", self.atlas, "item7").stdout)
        self.fails("show", self.atlas, "item777", code=1, says="no item 'item777'")

    def test_add(self):
        shutil.copytree(self.atlas, self.folder / "a.atlas")
        write_csv(self.folder / "more.csv", themed_rows(12, first=200))
        self.assertEqual(self.run_json("add", "a.atlas/", "more.csv"), {"added": 12})
        self.assertEqual(self.run_json("info", "a.atlas")["items"], 212)
        self.assertEqual(self.run_json("show", "a.atlas", "item205")["id"], "item205")
        self.fails("add", "a.atlas", "more.csv", code=2, says=["more.csv:2", "item200"])
        self.assertEqual(self.run_json("info", "a.atlas")["items"], 212)

    def test_export(self):
        tree = json.loads(self.run_carya("export", self.atlas).stdout)
        self.assertEqual(len(tree["items"]), 200)
        rows = list(csv.DictReader(io.StringIO(
            self.run_carya("export", self.atlas, "--format", "csv").stdout)))
        self.assertEqual(rows[3]["theme"], "music")
        self.run_carya("export", self.atlas, "--format", "newick", "-o", "tree.nwk")
        newick = (self.folder / "tree.nwk").read_text()
        self.assertEqual(newick.count("("), newick.count(")"))
        for picture in "svg", "disk":
            svg = xml.etree.ElementTree.fromstring(
                self.run_carya("export", self.atlas, "--format", picture).stdout)
            self.assertEqual(svg.tag, "{http://www.w3.org/2000/svg}svg")
        linkage = self.run_carya("export", self.atlas, "--format", "linkage").stdout
        self.assertEqual(len(linkage.splitlines()), 200)
        self.fails("export", self.atlas, "--format", "xml", code=2, says="(or html)")
        self.fails("export", self.atlas, "--format", "xml", code=2, says="json, csv, newick")
        self.fails("export", self.atlas, "-o", "no/such/file", code=1, says="no/such/file")

    def test_eval(self):
        result = json.loads(self.run_carya("eval", self.atlas, "--label", "theme").stdout)
        self.assertEqual(set(result), {"ami", "purity", "dendrogram_purity", "cut_nodes", "placed"})
        self.assertGreater(result["ami"], 0.5)
        self.fails("eval", self.atlas, "--label", "colour", code=2, says="there are: theme, stars")

    def test_encode(self):
        result = self.run_json("encode", self.shared / "in.csv", "--encoder", "lsa", "-o", "v.npy")
        self.assertEqual(result["items"], 200)
        self.run_carya("atlas", "v.npy", "-o", "v.atlas")
        self.assertEqual(self.run_json("info", "v.atlas")["dims"], result["dims"])
        self.fails("encode", self.shared / "in.csv", "--encoder", "none", "-o", "n.npy", code=2,
                   says="--encoder none")
        self.fails("encode", "absent.txt", "-o", "n.npy", code=1, says="absent.txt")

    def test_reproduce(self):
        lines = self.run_carya("reproduce", "--list").stdout.splitlines()
        self.assertEqual(len(lines), 185)
        table = self.run_carya("reproduce", "--table").stdout
        self.assertEqual(len(re.findall(r"^\| \d{3} ", table, re.M)), 185)
        self.fails("reproduce", 0, code=2, says="1 to 185")
        self.fails("reproduce", 186, code=2, says="1 to 185")
        self.fails("reproduce", "x", code=2, says="x")

    def test_completion(self):
        for shell in "bash", "zsh", "fish":
            script = self.run_carya("completion", shell).stdout
            for verb in "atlas", "search", "reproduce":
                self.assertIn(verb, script)
            if shutil.which(shell):
                check = "-n" if shell != "fish" else "--no-execute"
                subprocess.run([shell, check], input=script.encode(), check=True)
        complete = ("source <({0} completion bash); COMP_WORDS=(carya sea); COMP_CWORD=1; _carya; "
                    "echo ${{COMPREPLY[@]}}").format(CARYA)
        out = subprocess.run(["bash", "-c", complete], capture_output=True, text=True, check=True)
        self.assertEqual(out.stdout.strip(), "search")
        self.fails("completion", "tcsh", code=2, says="tcsh")

    def test_help_and_its_examples(self):
        verbs = re.findall(r"^  (\w+) {2,}\S", self.run_carya("--help").stdout.split("Subcommands:")[1],
                           re.M)
        self.assertEqual(len(verbs), 14)
        for verb in verbs:
            help_text = self.run_carya(verb, "--help").stdout
            examples = re.findall(r"carya " + verb + r" .*", help_text)
            self.assertTrue(examples, f"{verb} --help has no example")
        self.assertRegex(self.run_carya("--version").stdout, r"^carya \d+\.\d+\.\d+\n$")

    def test_examples_run(self):
        """The commands of all footers, on files of the names that they have."""
        rows = [{"title": r["id"], "body": r["text"], "asin": r["id"], "stars": r["stars"]}
                for r in themed_rows(60)]
        write_csv(self.folder / "reviews.csv", rows)
        write_csv(self.folder / "today.csv", [dict(r, asin="new" + r["asin"], extra=1) for r in rows])
        (self.folder / "notes").mkdir()
        for row in rows:
            (self.folder / "notes" / (row["asin"] + ".txt")).write_text(row["body"])
        self.file("notes.txt", "\n".join(row["body"] for row in rows))
        pixels = bytes((i * 7 + j) % 256 for i in range(40) for j in range(16))
        self.file("train-images-idx3-ubyte", struct.pack(">IIII", 0x803, 40, 4, 4) + pixels)
        lines = "".join(json.dumps({"text": row["body"]}) + "\n" for row in rows)
        subprocess.run(["gzip"], input=lines.encode(), check=True,
                       stdout=open(self.folder / "log.jsonl.gz", "wb"))
        demo = "".join(json.dumps({"id": "gnuchess" if i == 0 else f"p{i}", "text": row["text"],
                                   "size": i * 9, "section": ["games", "graphics", "gnome"][i % 3]})
                       + "\n" for i, row in enumerate(themed_rows(600)))
        self.file("demo.jsonl", demo)
        self.run_carya("atlas", "demo.jsonl", "--encoder", "lsa", "-o", "demo.atlas")
        program = self.folder / "bin" / "carya"
        program.parent.mkdir()
        program.symlink_to(CARYA)
        environment = dict(os.environ, PATH=f"{program.parent}:{os.environ['PATH']}",
                           CARYA_CACHE=str(self.folder / "no-models"))
        ran = 0
        for verb in "", "atlas", "info", "tree", "search", "show", "add", "export", "eval", "encode", "mcp", "completion":
            help_text = self.run_carya(*filter(None, [verb, "--help"])).stdout
            lines = re.findall(r"^(?:Example: +|  )((?:zcat \S+ \| |source <\()?carya " + (verb or r"\w+")
                               + r" .*?)(?:   .*)?$", help_text, re.M)
            for command in lines:
                if "VERB" in command or "carya serve" in command:  # does not end: serve_test.py
                    continue
                output = re.search(r"-o (\S+\.atlas)", command)
                if output:
                    shutil.rmtree(self.folder / output[1], ignore_errors=True)
                command = command.replace("--encoder minilm", "--encoder lsa")
                result = subprocess.run(["bash", "-c", "set -o pipefail; " + command],
                                        cwd=self.folder, env=environment, capture_output=True)
                self.assertEqual(result.returncode, 0, f"{command}\n{result.stderr.decode()}")
                ran += 1
        self.assertGreaterEqual(ran, 15)


class BadInput(CliTest):
    def test_usage(self):
        self.fails(code=2, says="subcommand")
        self.fails("frobnicate", code=2, says="frobnicate")
        self.fails("atlas", code=2, says="input")
        self.fails("atlas", "x.csv", code=2, says="--output")
        self.fails("info", self.atlas, "--frobnicate", code=2, says="--frobnicate")

    def test_options_that_cannot_be(self):
        self.file("in.txt", "a chess board\nan image\n")
        for option, value, says in [
                ("--min-cluster-size", 1, "--min-cluster-size is 1"),
                ("--min-cluster-size", -5, "--min-cluster-size"),
                ("--levels", 11, "--levels is 11"), ("--levels", -1, "--levels"),
                ("--threads", -1, "--threads"), ("--seed", -1, "--seed"),
                ("--memory", "lots", "--memory lots"), ("--memory", "-1G", "--memory"),
                ("--memory", "1M", "--memory is 0.00 GB"), ("--organise", "magic", "magic"),
                ("--encoder", "none", "--encoder none"), ("--precision", "f8", "f8"),
                ("--delimiter", "ab", "--delimiter 'ab'"), ("--text", "body", "--text")]:
            with self.subTest(option=option, value=value):
                self.fails("atlas", "in.txt", "-o", "out.atlas", *([] if option == "--encoder" else
                           ["--encoder", "lsa"]), f"{option}={value}", code=2, says=says)
        self.fails("atlas", "in.txt", "-o", "out.atlas", "--encoder", "no/model", code=1,
                   says=["no/model", "sentence-transformers"])

    def test_files(self):
        self.file("empty.txt", "")
        self.file("empty.csv", "")
        self.file("empty.npy", "")
        self.file("blank.txt", "\n \n\t\n")
        self.file("head.csv", "id,text\n")
        self.file("ragged.csv", "id,text\n1,a\n2,b,c\n")
        self.file("quote.csv", "id,text\n1,\"never closed\n")
        self.file("twice.csv", "id,text\n1,a\n2,b\n1,c\n")
        self.file("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": \n")
        self.file("list.jsonl", "[1, 2]\n")
        self.file("other.csv", "id,body\n1,a\n")
        self.file("what.doc", "x")
        self.file("short.npy", b"\x93NUMPY\x01\x00\x76\x00{'descr'")
        write_npy(self.folder / "nan.npy", [[1, 2], [3, float("nan")], [5, 6]])
        write_npy(self.folder / "inf.npy", [[1, 2], [3, 4], [float("inf"), 6]])
        for name, code, says in [
                ("absent.csv", 1, "absent.csv: there is no such file"),
                ("empty.txt", 1, "empty.txt: has no items"), ("blank.txt", 1, "has no items"),
                ("empty.csv", 2, "empty.csv: is empty"), ("head.csv", 1, "has no items"),
                ("empty.npy", 1, "empty.npy"), ("short.npy", 1, "short.npy"),
                ("ragged.csv", 1, ["ragged.csv:3", "3 fields, the header has 2"]),
                ("quote.csv", 1, ["quote.csv:2", "never closed"]),
                ("twice.csv", 2, ["twice.csv:4", "'1'", "twice.csv:2"]),
                ("bad.jsonl", 1, "bad.jsonl:2"), ("list.jsonl", 1, "list.jsonl:1"),
                ("other.csv", 2, ["--text", "id, body"]),
                ("what.doc", 2, [".csv", ".jsonl", ".npy"]),
                ("nan.npy", 2, "vector 1"), ("inf.npy", 2, "vector 2")]:
            with self.subTest(name=name):
                encoder = [] if name.endswith(".npy") else ["--encoder", "lsa"]
                self.fails("atlas", name, *encoder, "-o", "out.atlas", code=code, says=says)
        self.fails("atlas", "other.csv", "--text", "title", "--encoder", "lsa", "-o", "out.atlas",
                   code=2, says=["no column 'title'", "id, body"])

    def test_degenerate_but_fine(self):
        self.file("one.txt", "one item\n")
        self.file("two.txt", "the same\nthe same\n")
        self.file("all.txt", "the same words\n" * 100)
        self.file("bytes.txt", b"\xff\xfe broken \x80\nfine words\n")
        self.file("long.txt", "words " * 1_700_000 + "\nshort words\n")  # a line of 10 MB
        write_npy(self.folder / "zeros.npy", [[0.0] * 4] * 30)
        for name, n in [("one.txt", 1), ("two.txt", 2), ("all.txt", 100), ("bytes.txt", 2),
                        ("long.txt", 2), ("zeros.npy", 30)]:
            with self.subTest(name=name):
                encoder = [] if name.endswith(".npy") else ["--encoder", "lsa"]
                self.run_carya("atlas", name, *encoder, "-o", name + ".atlas")
                self.assertEqual(self.run_json("info", name + ".atlas")["items"], n)
                self.run_json("tree", name + ".atlas")
                first = "0" if name.endswith(".npy") else "1"
                self.run_json("show", name + ".atlas", first)
                self.run_carya("export", name + ".atlas", "--format", "newick")

    def test_outputs(self):
        self.file("in.txt", "a chess board\nan image\n")
        self.fails("atlas", "in.txt", "--encoder", "lsa", "-o", "no/such/out", code=1,
                   says="no/such/out")
        self.fails("atlas", "in.txt", "--encoder", "lsa", "-o", "", code=2, says="output")
        self.build("in.txt")
        self.fails("atlas", "in.txt", "--encoder", "lsa", "-o", "out.atlas", code=2,
                   says=["out.atlas: is there already", "--force"])
        self.build("in.txt", "--force")
        (self.folder / "mine").mkdir()
        self.fails("atlas", "in.txt", "--encoder", "lsa", "-o", "mine", "--force", code=2,
                   says="mine: is no atlas")

    def test_a_full_disk(self):
        write_csv(self.folder / "in.csv", themed_rows(400))
        limited = f"ulimit -f 60; exec '{CARYA}' atlas in.csv --encoder lsa -o out.atlas"
        result = subprocess.run(["bash", "-c", limited], cwd=self.folder, capture_output=True)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(b"out.atlas.part", result.stderr)
        self.assertFalse((self.folder / "out.atlas").exists())
        self.build("in.csv")

    def test_damaged_atlases(self):
        self.fails("info", "absent.atlas", code=1, says="there is no atlas")
        for name in sorted(os.listdir(self.atlas)):
            if name in ("run.json", "manifest.json"):
                continue
            for damage in "flip", "cut":
                with self.subTest(name=name, damage=damage):
                    copy = self.folder / "copy.atlas"
                    shutil.rmtree(copy, ignore_errors=True)
                    shutil.copytree(self.atlas, copy)
                    data = bytearray((copy / name).read_bytes())
                    if damage == "flip":
                        data[len(data) // 2] ^= 4
                    else:
                        del data[len(data) // 2:]
                    (copy / name).write_bytes(data)
                    for verb in (["info"], ["search", "x"], ["tree"]):
                        self.fails(verb[0], copy, *verb[1:], code=1, says=name)
        manifest = copy / "manifest.json"
        whole = json.loads(manifest.read_text())
        manifest.write_text(json.dumps(dict(whole, version=99)))
        self.fails("info", copy, code=1, says=["version 99", "reads version"])
        manifest.write_text("{")
        self.fails("info", copy, code=1, says="manifest.json")


class Streams(CliTest):
    def test_standard_input(self):
        rows = list(themed_rows(30))
        lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
        self.run_carya("atlas", "-", "--encoder", "lsa", "-o", "json.atlas", stdin=lines)
        self.assertEqual(self.run_json("show", "json.atlas", "item3")["metadata"]["theme"], "music")
        text = "".join(row["text"] + "\n" for row in rows).encode()
        self.run_carya("atlas", "-", "--encoder", "lsa", "-o", "text.atlas", stdin=text)
        self.assertEqual(self.run_json("info", "text.atlas")["items"], 30)
        table = "id;text\n" + "".join(f"{row['id']};{row['text']}\n" for row in rows)
        self.run_carya("atlas", "-", "--delimiter", ";", "--encoder", "lsa", "-o", "table.atlas",
                       stdin=table.encode())
        self.assertEqual(self.run_json("show", "table.atlas", "item3")["id"], "item3")
        self.fails("atlas", "-", "--encoder", "lsa", "-o", "none.atlas", code=1,
                   says="standard input: has no items", stdin=b"")

    def test_a_closed_pipe_is_quiet(self):
        command = f"set -o pipefail; '{CARYA}' export '{self.atlas}' --format csv | head -1"
        write_csv(self.folder / "in.csv", themed_rows(3000))
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
        self.assertTrue(result.stdout.startswith("id,node,path"))
        self.assertEqual(result.stderr, "")
        read, write = os.pipe()
        os.close(read)
        result = subprocess.run([CARYA, "export", self.atlas], stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        self.assertEqual((result.returncode, result.stderr), (1, b""))

    def test_a_full_standard_output_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([CARYA, "export", self.atlas], stdout=full,
                                    stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"No space left", result.stderr)

    def test_control_characters_do_not_reach_the_terminal(self):
        self.file("in.jsonl", json.dumps({"id": "a\x1b[31m", "text": "evil \x1b]0;title\x07 text"})
                  + "\n")
        self.build("in.jsonl")
        for verb in (["show", "out.atlas", "a\x1b[31m"], ["search", "out.atlas", "evil"],
                     ["tree", "out.atlas"]):
            self.assertNotIn("\x1b", self.run_carya(*verb).stdout)


class Interruption(CliTest):
    def interrupt(self, command, when):
        """Sends SIGINT once `when()` holds; the exit code and standard error."""
        process = subprocess.Popen([CARYA, *command], cwd=self.folder, stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        while process.poll() is None and not when():
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=60)[1].decode()
        return process.returncode, message

    def test_an_interrupted_build_goes_on(self):
        write_csv(self.folder / "in.csv", themed_rows(6000))
        command = ["atlas", "in.csv", "--encoder", "lsa", "-o", "out.atlas"]
        state = self.folder / "out.atlas.part" / "state.json"
        code, message = self.interrupt(
            command, lambda: state.exists() and json.loads(state.read_text())["done"])
        self.assertEqual(code, 130, message)
        self.assertIn("run the same command again to go on", message)
        self.assertFalse((self.folder / "out.atlas").exists())
        self.assertTrue((self.folder / "out.atlas.part").exists())
        self.fails("info", "out.atlas", code=1, says="run `carya atlas` again to go on")
        again = self.run_carya(*command)
        self.assertIn("going on with out.atlas.part", again.stderr)
        self.assertEqual(self.run_json("info", "out.atlas")["items"], 6000)
        self.assertFalse((self.folder / "out.atlas.part").exists())

    def test_an_interrupted_add_changes_nothing(self):
        shutil.copytree(self.atlas, self.folder / "a.atlas")
        write_csv(self.folder / "more.csv", themed_rows(20_000, first=200))
        code, message = self.interrupt(["add", "a.atlas", "more.csv"],
                                       (self.folder / "a.atlas.add").exists)
        self.assertIn(code, (0, 130))
        items = self.run_json("info", "a.atlas")["items"]
        self.assertEqual(items, 200 if code == 130 else 20_200, message)
        if code == 130:
            self.assertIn("a.atlas is unchanged", message)
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name.endswith(".add")], [])


class Model(CliTest):
    def test_the_sentence_encoder(self):
        cache = Path(os.environ.get("CARYA_CACHE", Path.home() / ".cache" / "carya"))
        if not (cache / "models" / "all-MiniLM-L6-v2").exists():
            self.skipTest("no model: scripts/get-data fetches it")
        self.run_carya("atlas", self.shared / "in.csv", "-o", "out.atlas")
        self.assertIn("all-MiniLM-L6-v2", self.run_json("info", "out.atlas")["encoder"])
        hits = self.run_json("search", "out.atlas", "instruments", "--mode", "vector", "-k", 3)["hits"]
        self.assertEqual(len(hits), 3)

    def test_without_a_model_words_are_compared(self):
        result = self.run_carya("atlas", self.shared / "in.csv", "-o", "out.atlas",
                                env=dict(os.environ, CARYA_CACHE=str(self.folder / "none")))
        self.assertIn("no sentence encoder", result.stderr)
        self.assertIn("scripts/get-data", result.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    CARYA = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()
