#!/usr/bin/env python3
"""A scripted client talks with `carya mcp`.

    python3 apps/mcp_test.py build/release/apps/carya [unittest arguments]
"""

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from cli_test import themed_rows, write_csv

CARYA = None  # the program, from the command line


class McpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="carya_mcp_"))
        rows = list(themed_rows(200))
        rows[0]["text"] = "<script>alert(1)</script> chess ü " + "long " * 6000
        write_csv(cls.folder / "in.csv", rows)
        subprocess.run([CARYA, "atlas", cls.folder / "in.csv", "--encoder", "lsa", "-o",
                        cls.folder / "a.atlas"], check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.server = subprocess.Popen([CARYA, "mcp", self.folder / "a.atlas"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.next_id = 0
        self.addCleanup(self.stop)

    def stop(self):
        self.server.stdin.close()
        self.assertEqual(self.server.wait(timeout=20), 0)
        self.assertEqual(self.server.stdout.read(), b"", "no more than the answers")
        self.server.stdout.close()

    def send(self, data):
        self.server.stdin.write(data if isinstance(data, bytes) else json.dumps(data).encode())
        self.server.stdin.write(b"\n")
        self.server.stdin.flush()

    def receive(self):
        answer = json.loads(self.server.stdout.readline())
        self.assertEqual(answer["jsonrpc"], "2.0")
        return answer

    def ask(self, method, params=None):
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params or {}})
        answer = self.receive()
        self.assertEqual(answer["id"], self.next_id)
        return answer

    def call(self, tool, **arguments):
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})["result"]
        self.assertFalse(result["isError"], result)
        self.assertEqual(json.loads(result["content"][0]["text"]), result["structuredContent"])
        return result["structuredContent"]

    def refused(self, says, tool, **arguments):
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})["result"]
        self.assertTrue(result["isError"], result)
        self.assertIn(says, result["content"][0]["text"])

    def test_a_conversation(self):
        start = self.ask("initialize", {"protocolVersion": "2025-03-26", "capabilities": {},
                                        "clientInfo": {"name": "test", "version": "1"}})["result"]
        self.assertEqual(start["protocolVersion"], "2025-03-26")
        self.assertEqual(start["capabilities"], {"tools": {}})
        self.assertIn("200 items", start["instructions"])
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})  # has no answer
        self.assertEqual(self.ask("ping")["result"], {})
        tools = {tool["name"]: tool for tool in self.ask("tools/list")["result"]["tools"]}
        self.assertEqual(set(tools), {"list_topics", "get_topic", "search", "get_item",
                                      "neighbors", "compare_topics"})
        for tool in tools.values():
            self.assertEqual(tool["inputSchema"]["type"], "object")
            self.assertTrue(tool["annotations"]["readOnlyHint"])
        self.assertIn("theme, stars", tools["search"]["inputSchema"]["properties"]["where"]["description"])

        topics = self.call("list_topics")
        self.assertEqual(topics["size"], 200)
        first, second = (child["node"] for child in topics["children"][:2])
        topic = self.call("get_topic", node=first)
        self.assertEqual([above["node"] for above in topic["path"]], [0, first])
        self.assertTrue(all(example["text"] for example in topic["exemplars"]))
        hits = self.call("search", query="chess queen", k=5, where="theme = chess")["hits"]
        self.assertEqual(len(hits), 5)
        self.assertTrue(all("chess" in self.call("get_item", id=hit["id"])["metadata"]["theme"]
                            for hit in hits))
        below = self.call("search", query="chess", k=50, node=second)["hits"]
        self.assertTrue(all(second in [above["node"] for above in
                                       self.call("get_item", id=hit["id"])["path"]]
                            for hit in below[:5]))
        near = self.call("neighbors", id=hits[0]["id"], k=3)["neighbors"]
        self.assertEqual(len(near), 3)
        self.assertNotIn(hits[0]["id"], [item["id"] for item in near])
        compared = self.call("compare_topics", first=first, second=second)
        self.assertEqual(compared["topics"][0]["node"], first)
        self.assertEqual([column["name"] for column in compared["columns"]], ["theme", "stars"])

    def test_an_unknown_version_is_answered_with_the_newest(self):
        for version in "1999-01-01", 7, None:
            start = self.ask("initialize", {"protocolVersion": version})["result"]
            self.assertEqual(start["protocolVersion"], "2025-06-18")

    def test_long_texts_are_cut(self):
        hits = self.call("search", query="alert", k=1, mode="lexical")["hits"]
        self.assertEqual(hits[0]["id"], "item0")
        self.assertEqual(len(hits[0]["text"]), 501)
        self.assertTrue(hits[0]["text"].startswith("<script>alert(1)</script> chess ü"))
        self.assertEqual(len(self.call("get_item", id="item0")["text"]), 20001)

    def test_wrong_arguments_are_told_to_the_model(self):
        self.refused("'query' is missing", "search")
        self.refused("no argument 'quer'", "search", query="x", quer="y")
        self.refused("'k' must be an integer from 1 to 50", "search", query="x", k=0)
        self.refused("'k' must be an integer", "search", query="x", k=2 ** 70)
        self.refused("'k' must be an integer", "search", query="x", k="3")
        self.refused("'mode' must be one of", "search", query="x", mode="best")
        self.refused("'query' must be a text", "search", query=["x"])
        self.refused("where", "search", query="x", where="no_such_column = 1")
        self.refused("'node' must be an integer from 0", "get_topic", node=-1)
        self.refused("'node' must be an integer from 0", "get_topic", node=10 ** 6)
        self.refused("nobody", "get_item", id="nobody")
        result = self.ask("tools/call", {"name": "search", "arguments": [1]})["result"]
        self.assertTrue(result["isError"])

    def test_wrong_messages_do_not_end_the_server(self):
        for message, code in [
                (b"no json", -32700), (b"{", -32700), (b"\xff\xfe", -32700), (b"[]", -32600),
                (b"[" * 100000, -32700), (b"1", -32600), (b"{}", -32600),
                (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600),
                (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
                (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600),
                (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', -32600),
                (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": 3}', -32602),
                (b'"' + b"x" * (1 << 21) + b'"', -32600)]:
            self.send(message)
            self.assertEqual(self.receive()["error"]["code"], code, message[:50])
        self.send(b"")
        self.send(b'{"jsonrpc": "2.0", "method": "no/such/notification"}')
        self.assertEqual(self.ask("no/such/method")["error"]["code"], -32601)
        self.assertEqual(self.ask("tools/call", {"name": "rm"})["error"]["code"], -32602)
        self.assertEqual(self.ask("tools/call", {})["error"]["code"], -32602)
        self.assertEqual(self.ask("ping")["result"], {})


class McpStartTest(unittest.TestCase):
    def test_a_missing_atlas_is_an_error_on_standard_error(self):
        result = subprocess.run([CARYA, "mcp", "no.atlas"], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("no.atlas", result.stderr)


if __name__ == "__main__":
    CARYA = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()
