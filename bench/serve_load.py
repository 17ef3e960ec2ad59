#!/usr/bin/env python3
"""Searches a second that `carya serve` answers, measured by wrk on this machine.

    bench/serve_load.py build/release/apps/carya demo.atlas

Bound: arithmetic of the query's encoding, the posting lists of its words, and their JSON; where an
answer was given before, the system's sockets.  1,000 queries of one to three words from the items'
texts, hybrid, 10 hits.  `cold`: each query is asked once, four at a time, after the server has begun
(time and latency of this client).  `warm`: wrk asks them again and again over keep-alive
connections.  Errors count: there must be none.
"""

import argparse
import concurrent.futures
import http.client
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

N_QUERIES, SEED = 1000, 1
SCRIPT = """
local paths = {}
for line in io.lines("%s") do paths[#paths + 1] = line end
local i = math.random(#paths)
function request() i = i %% #paths + 1; return wrk.format("GET", paths[i]) end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %%.0f %%.2f %%.2f %%d\\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def ask(port, target):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", target)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    if answer.status != 200:
        sys.exit(f"{target}: {answer.status} {content}")
    return content


def queries(port, base, n_items):
    draw = random.Random(SEED)
    found = set()
    while len(found) < N_QUERIES:
        words = re.findall(r"\w+", ask(port, f"{base}/items/{draw.randrange(n_items)}")["text"])
        if words:
            begin = draw.randrange(len(words))
            found.add(" ".join(words[begin:begin + draw.randint(1, 3)]))
    return sorted(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("carya")
    parser.add_argument("atlas")
    parser.add_argument("--seconds", type=int, default=10, help="of each warm run")
    arguments = parser.parse_args()
    server = subprocess.Popen([arguments.carya, "serve", arguments.atlas, "--port", "0"],
                              stdout=subprocess.PIPE, text=True)
    try:
        port = int(re.search(r":(\d+)/", server.stdout.readline())[1])
        atlas = ask(port, "/api/v1/atlases")["atlases"][0]
        base = f"/api/v1/atlases/{quote(atlas['name'])}"
        paths = [f"{base}/search?query={quote(q)}" for q in queries(port, base, atlas["n_items"])]
        ask(port, f"{base}/search?query=warm")  # the model is loaded

        def timed(path):
            begin = time.perf_counter()
            ask(port, path)
            return time.perf_counter() - begin

        print(f"{'':22} searches/s  p50 ms  p99 ms  errors")
        begin = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            seconds = sorted(pool.map(timed, paths))
        whole = time.perf_counter() - begin
        print(f"{'cold, 4 at a time':22} {len(paths) / whole:10.0f} "
              f"{1000 * seconds[len(seconds) // 2]:7.2f} {1000 * seconds[len(seconds) * 99 // 100]:7.2f}       0")
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "paths").write_text("\n".join(paths) + "\n")
            Path(folder, "load.lua").write_text(SCRIPT % Path(folder, "paths"))
            for connections in (16, 64, 256):
                out = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{arguments.seconds}",
                                      "-s", f"{folder}/load.lua", f"http://127.0.0.1:{port}"],
                                     capture_output=True, text=True, check=True).stdout
                rate, p50, p99, errors = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+)", out).groups()
                print(f"{f'warm, {connections} connections':22} {rate:>10} {p50:>7} {p99:>7} {errors:>7}")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
