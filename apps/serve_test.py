#!/usr/bin/env python3
"""`carya serve` as a program: every answer fits its OpenAPI document; tokens; signals; bad clients.

    python3 apps/serve_test.py build/release/apps/carya [unittest arguments]
"""

import http.client
import json
import math
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import quote

from cli_test import themed_rows, write_csv, write_npy

CARYA = None  # the program, from the command line
BASE = "/api/v1/atlases/a"


def mismatch(value, schema, components, where="$"):
    """What of a value does not fit its JSON schema (the words that openapi.json uses), or None."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[1]]
    known = {"type", "required", "properties", "additionalProperties", "items", "enum", "oneOf",
             "minimum", "maximum", "minItems", "maxItems", "description", "default", "format"}
    assert set(schema) <= known, f"the test does not know {set(schema) - known}"
    if "oneOf" in schema:
        fits = [s for s in schema["oneOf"] if mismatch(value, s, components) is None]
        return None if len(fits) == 1 else f"{where}: fits {len(fits)} of {schema['oneOf']}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where}: {value!r} is none of {schema['enum']}"
    types = schema.get("type", [])
    is_a = {"object": isinstance(value, dict), "array": isinstance(value, list),
            "string": isinstance(value, str), "boolean": isinstance(value, bool),
            "integer": isinstance(value, int) and not isinstance(value, bool),
            "number": isinstance(value, (int, float)) and not isinstance(value, bool),
            "null": value is None}
    types = [types] if isinstance(types, str) else types
    if types and not any(is_a[t] for t in types):
        return f"{where}: {value!r} is no {types}"
    if is_a["number"]:
        if not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
            return f"{where}: {value} is out of range"
    if is_a["array"]:
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
            return f"{where}: {len(value)} members"
        for i, member in enumerate(value):
            if wrong := mismatch(member, schema.get("items", {}), components, f"{where}[{i}]"):
                return wrong
    if is_a["object"]:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        if missing := set(schema.get("required", [])) - set(value):
            return f"{where}: lacks {missing}"
        for name, member in value.items():
            if name not in properties and others is False:
                return f"{where}: has {name}, which is not described"
            if wrong := mismatch(member, properties.get(name, others or {}), components,
                                 f"{where}.{name}"):
                return wrong
    return None


class Server:
    """A running `carya serve`."""

    def __init__(self, *arguments, port=0, environment=None):
        self.process = subprocess.Popen([CARYA, "serve", *map(str, arguments), "--port", str(port)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.line = self.process.stdout.readline()
        found = re.search(r"http://(\S+?):(\d+)/", self.line)
        assert found, self.line + self.process.stderr.read()
        self.port = int(found[2])

    def ask(self, target, method="GET", body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class ServeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="carya_serve_"))
        rows = list(themed_rows(300))
        for i, row in enumerate(rows):
            row["day"] = f"2024-{i % 12 + 1:02}-01"
            row["link"] = f"https://example.org/{i}"
        rows[0]["text"] = "<script>alert(1)</script> chess ü " + "long " * 6000
        rows[1]["stars"] = ""
        write_csv(cls.folder / "in.csv", rows)
        subprocess.run([CARYA, "atlas", cls.folder / "in.csv", "--encoder", "lsa", "-o",
                        cls.folder / "a.atlas"], check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def serve(self, *arguments, **options):
        server = Server(*(arguments or [self.folder / "a.atlas"]), **options)
        self.addCleanup(server.close)
        return server

    def test_every_answer_fits_the_document(self):
        server = self.serve()
        _, _, content = server.ask("/api/v1/openapi.json")
        document = json.loads(content)
        self.assertTrue(document["openapi"].startswith("3."))
        schemas = document["components"]["schemas"]
        asked = {
            "/api/v1/openapi.json": ["", "?x=1"], "/api/v1/atlases": [""],
            "": [""], "/tree": ["", "?depth=100", "?node=1&depth=0", "?node=9999999"],
            "/nodes/{node}": ["0", "1", "9999999", "x"],
            "/nodes/{node}/items": ["0/items", "1/items?limit=3&offset=2", "0/items?limit=0"],
            "/items": ["?id=item7", "?id=nobody", ""],
            "/items/{item}": ["0", "1", "299", "300"],
            "/items/{item}/neighbors": ["0/neighbors", "5/neighbors?limit=300"],
            "/search": ["?query=chess", "?query=chess&brief=true&limit=1000", "?query=",
                        "?query=board&mode=lexical&offset=3", "?query=board&mode=vector&node=1",
                        "?query=song&where=" + quote("stars >= 3 and theme in (music, image)"),
                        "?query=x&where=nothing"],
            "/compare": ["?first=0&second=1", "?first=1", "?first=1&second=1"],
            "/columns/{column}/histogram": ["stars/histogram", "day/histogram?bins=3&node=1",
                                            "theme/histogram"],
            "/columns/{column}/facets": ["theme/facets?limit=2", "stars/facets", "none/facets"],
            "/columns/{column}/values": ["theme/values", "stars/values", "day/values", "link/values"],
            "/layout/nodes": [""], "/layout/items": ["", "?node=1&zoom=3", "?zoom=21"],
        }
        n_errors = 0
        for path, operations in document["paths"].items():
            short = path.replace("/api/v1/atlases/{atlas}", "")
            for what in asked.pop(short if path.startswith("/api/v1/atlases/") else path):
                target = path.replace("/api/v1/atlases/{atlas}", BASE)
                target = target[:target.index("{")] + what if "{" in target else target + what
                status, headers, content = server.ask(target)
                responses = operations["get"]["responses"]
                described = responses.get(str(status)) or responses["default"]
                kind = headers["Content-Type"]
                self.assertIn(kind, described["content"], target)
                if kind != "application/octet-stream":
                    wrong = mismatch(json.loads(content), described["content"][kind]["schema"],
                                     schemas)
                    self.assertIsNone(wrong, target)
                n_errors += status >= 400
        self.assertEqual(asked, {}, "what the document does not have")
        self.assertGreaterEqual(n_errors, 10)
        body = {"query": "chess", "limit": 3, "where": "stars > 1", "mode": "hybrid"}
        self.assertIsNone(mismatch(body, schemas["SearchRequest"], schemas))
        status, _, content = server.ask(BASE + "/search", "POST", json.dumps(body),
                                        {"Content-Type": "application/json"})
        self.assertEqual(status, 200)
        self.assertIsNone(mismatch(json.loads(content), schemas["Hits"], schemas))

    def test_kinds_of_columns_and_binary_answers(self):
        server = self.serve()
        info = json.loads(server.ask(BASE)[2])
        kinds = {c["name"]: c["kind"] for c in info["columns"]}
        self.assertEqual(kinds, {"theme": "category", "stars": "number", "day": "date",
                                 "link": "text"})
        data = server.ask(BASE + "/columns/day/values")[2]
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + length])
        self.assertEqual(header["values"]["dtype"], "F64")
        begin, end = header["values"]["data_offsets"]
        days = struct.unpack(f"<{(end - begin) // 8}d", data[8 + length:][begin:end])
        self.assertEqual(days[0], 1704067200)  # 2024-01-01
        self.assertEqual(len(days), 300)

    def test_several_atlases_and_one_of_vectors(self):
        write_npy(self.folder / "v.npy", [[i % 7, i % 5, i] for i in range(50)])
        subprocess.run([CARYA, "atlas", self.folder / "v.npy", "-o", self.folder / "v.atlas"],
                       check=True, capture_output=True)
        shutil.copytree(self.folder / "a.atlas", self.folder / "other" / "a.atlas")
        server = self.serve(self.folder / "a.atlas", self.folder / "v.atlas",
                            self.folder / "other" / "a.atlas")
        names = [a["name"] for a in json.loads(server.ask("/api/v1/atlases")[2])["atlases"]]
        self.assertEqual(names, ["a", "v", "a-2"])
        self.assertFalse(json.loads(server.ask("/api/v1/atlases/v")[2])["has_texts"])
        status, _, content = server.ask("/api/v1/atlases/v/search?query=x")
        self.assertEqual(status, 400)
        self.assertIn("vectors without texts", json.loads(content)["detail"])

    def test_texts_of_items_are_never_html(self):
        server = self.serve()
        for target in (BASE + "/items/0", BASE + "/search?query=script",
                       "/%3Cscript%3Ealert(1)%3C/script%3E",
                       BASE + "/search?query=%3Cscript%3E&mode=%3Cscript%3E"):
            _, headers, _ = server.ask(target)
            self.assertIn("json", headers["Content-Type"])
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        _, headers, _ = server.ask("/")
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'self'", policy)
        self.assertNotIn("script-src", policy)

    def test_a_token_is_made_beyond_loopback(self):
        server = self.serve(self.folder / "a.atlas", "--host", "0.0.0.0")
        token = re.search(r"#token=(\w{48})", server.line)[1]
        self.assertEqual(server.ask(BASE)[0], 401)
        self.assertEqual(server.ask(BASE, headers={"Authorization": "Bearer x"})[0], 401)
        self.assertEqual(server.ask(BASE, headers={"Authorization": "Bearer " + token})[0], 200)
        server = self.serve(environment={"CARYA_TOKEN": "of the environment"})
        self.assertEqual(server.ask(BASE)[0], 401)

    def test_names_of_other_hosts_are_refused(self):
        server = self.serve()
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"},
                        {"Sec-Fetch-Site": "cross-site"}):
            self.assertEqual(server.ask(BASE, headers=headers)[0], 403, headers)
        server = self.serve(self.folder / "a.atlas", "--allow-host", "maps.example")
        self.assertEqual(server.ask(BASE, headers={"Host": "maps.example"})[0], 200)

    def test_large_and_malformed_requests(self):
        server = self.serve()
        self.assertEqual(server.ask(BASE + "/search?query=" + "a" * 1_000_000)[0], 431)
        json_type = {"Content-Type": "application/json"}
        body = json.dumps({"query": "a" * 1_000_000})
        self.assertEqual(server.ask(BASE + "/search", "POST", body, json_type)[0], 400)
        try:
            self.assertEqual(server.ask(BASE + "/search", "POST", body * 20, json_type)[0], 413)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was closed before all was sent
        self.assertEqual(server.ask(BASE + "/search", "POST", '{"query"', json_type)[0], 400)
        self.assertEqual(server.ask(BASE)[0], 200)

    def test_a_thousand_idle_connections_hinder_nobody(self):
        server = self.serve()
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(1000)]
        for connection in idle[:500]:
            connection.send(b"GET / HTTP/1.1\r\nHo")
        self.assertEqual(server.ask(BASE)[0], 200)
        for connection in idle:
            connection.close()
        self.assertEqual(server.ask(BASE)[0], 200)

    def test_it_ends_well_while_clients_ask(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            server = self.serve()
            done = threading.Event()
            wrong = []

            def client():
                n = 0
                while not done.is_set():
                    try:
                        status, _, content = server.ask(f"{BASE}/search?query=chess{n}")
                        json.loads(content)
                        if status != 200:
                            wrong.append(status)
                    except (OSError, http.client.HTTPException):
                        pass  # the server is gone
                    except json.JSONDecodeError as error:
                        wrong.append(error)
                    n += 1

            threads = [threading.Thread(target=client) for _ in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            server.process.send_signal(how)
            self.assertEqual(server.process.wait(timeout=20), 0)
            done.set()
            for thread in threads:
                thread.join()
            self.assertEqual(wrong, [])
            self.assertEqual(server.process.stderr.read(), "")

    def test_killed_it_can_be_started_again_at_once(self):
        server = self.serve()
        server.ask(BASE)
        server.process.kill()
        server.process.wait()
        again = self.serve(self.folder / "a.atlas", port=server.port)
        self.assertEqual(again.port, server.port)
        self.assertEqual(again.ask(BASE)[0], 200)
        self.assertEqual(again.stop(), 0)

    def test_an_atlas_deleted_under_it(self):
        shutil.copytree(self.folder / "a.atlas", self.folder / "gone.atlas")
        server = self.serve(self.folder / "gone.atlas")
        shutil.rmtree(self.folder / "gone.atlas")
        for what in ("", "/search?query=chess", "/items/3", "/nodes/0", "/layout/nodes"):
            status, headers, _ = server.ask("/api/v1/atlases/gone" + what)
            self.assertIn("json" if status != 200 else "application", headers["Content-Type"])
        self.assertIsNone(server.process.poll())

    def test_the_access_log_has_a_line_a_request(self):
        log = self.folder / "access.log"
        server = self.serve(self.folder / "a.atlas", "--access-log", log)
        server.ask(BASE + "/search?query=a%0Ab")
        server.ask("/nowhere")
        self.assertEqual(server.stop(), 0)
        lines = sorted(log.read_text().splitlines(), key=lambda line: "/nowhere" in line)
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^\S+Z 127\.0\.0\.1 GET /api\S+ 200 \d+ [\d.]+$")
        self.assertIn(" GET /nowhere 404 ", lines[1])

    def test_what_cannot_be_served_is_said(self):
        def fails(*arguments):
            done = subprocess.run([CARYA, "serve", *map(str, arguments)], capture_output=True,
                                  text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0)
            return done.stderr

        self.assertIn("there is no atlas", fails(self.folder / "nothing"))
        server = self.serve()
        self.assertIn("--port 0", fails(self.folder / "a.atlas", "--port", server.port))
        self.assertIn("cannot listen at", fails(self.folder / "a.atlas", "--host", "no.invalid"))
        self.assertIn("no/such/folder", fails(self.folder / "a.atlas", "--port", 0, "--access-log",
                                              "/no/such/folder/log"))


if __name__ == "__main__":
    CARYA = sys.argv.pop(1)
    unittest.main()
