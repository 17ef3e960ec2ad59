"""Progress callbacks, the GIL, Ctrl-C, threads."""

import io
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import carya
from carya._progress import _TextBar


@pytest.fixture(scope="module")
def long_texts():
    """Enough that a build takes a second or two."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(3000)])
    return [" ".join(words[rng.zipf(1.3, size=25) % 3000]) for _ in range(12_000)]


def test_a_callback_sees_every_stage_in_order(texts, tmp_path):
    seen = []
    caller = threading.get_ident()

    def callback(stage, done, total, unit):
        assert threading.get_ident() == caller
        seen.append((stage, done, total, unit))

    carya.Atlas.build(texts, tmp_path / "a", encoder="lsa", progress=callback)
    stages = list(dict.fromkeys(stage for stage, *_ in seen))
    assert stages[0] == "reading" and stages.index("encoding") < stages.index("naming")
    assert ("encoding", 0, 300, "texts") in seen and ("encoding", 300, 300, "texts") in seen
    assert all(0 <= done <= total or total == 0 for _, done, total, _ in seen)


def test_what_a_callback_raises_stops_the_work(texts, tmp_path):
    class Mine(Exception):
        pass

    def callback(stage, *_):
        if stage == "encoding":
            raise Mine("enough")

    with pytest.raises(Mine, match="enough"):
        carya.Atlas.build(texts, tmp_path / "a", encoder="lsa", progress=callback)
    assert not (tmp_path / "a").exists()
    with pytest.raises(TypeError):  # a callback of other arguments
        carya.Atlas.build(texts, tmp_path / "a", encoder="lsa", progress=lambda: None)
    assert len(carya.Atlas.build(texts, tmp_path / "a", encoder="lsa")) == 300


def test_false_from_a_callback_cancels(blobs):
    with pytest.raises(carya.Cancelled, match="returned False"):
        carya.KMeansTree(50, progress=lambda *_: False).fit(blobs[0])


def test_estimators_report(blobs, texts):
    for fit in (
        lambda p: carya.HDBSCAN(progress=p).fit(blobs[0]),
        lambda p: carya.KMeansTree(progress=p).fit(blobs[0]),
        lambda p: carya.HNSW(progress=p).fit(blobs[0]),
        lambda p: carya.NearestNeighbors(progress=p).fit(blobs[0]).kneighbors(),
        lambda p: carya.LSA(progress=p).fit(texts),
    ):
        seen = []
        fit(lambda *report: seen.append(report))
        assert seen


def test_a_bar_says_how_far_it_is():
    out = io.StringIO()
    bar = _TextBar(out)
    bar("encoding", 0, 200, "texts")
    bar("encoding", 50, 200, "texts")
    bar("naming", 0, 7, "topics")
    bar.close()
    assert " 25 %  50 of 200 texts" in out.getvalue() and "naming" in out.getvalue()
    assert out.getvalue().endswith("\n")


def test_true_shows_a_bar(texts, tmp_path, capfd):
    carya.Atlas.build(texts, tmp_path / "a", encoder="lsa", progress=True)
    assert "encoding" in capfd.readouterr().err


def test_python_runs_while_carya_computes(long_texts):
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.01)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.monotonic()
    carya.LSA(random_state=1).fit(long_texts)
    seconds = time.monotonic() - start
    done.set()
    thread.join()
    during = [t for t in ticks if start <= t <= start + seconds]
    # With the GIL held there would be none; a loaded machine may lose some.
    assert len(during) > seconds / 0.01 / 10


def test_searches_from_many_threads(atlas_path):
    from concurrent.futures import ThreadPoolExecutor

    with carya.Atlas(atlas_path) as atlas:
        queries = ["chess", "guitar", "router", "photo"] * 25
        alone = [[hit.id for hit in atlas.search(q)] for q in queries]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda q: [h.id for h in atlas.search(q)], queries))
        assert together == alone


def test_results_do_not_depend_on_the_threads(blobs):
    everything = carya.KMeansTree(20).fit(blobs[0])
    with carya.thread_limit(1):
        assert carya.n_threads() == 1
        one = carya.KMeansTree(20).fit(blobs[0])
    assert carya.n_threads() > 1 or carya.n_threads() == 1
    assert (one.cluster_centers_ == everything.cluster_centers_).all()


def test_control_c_stops_a_build_soon(long_texts, tmp_path):
    (tmp_path / "in.txt").write_text("\n".join(long_texts * 4))
    program = textwrap.dedent(
        f"""
        import sys, time
        import carya

        def callback(stage, done, total, unit):
            if stage == "nearest neighbours":
                print("now", flush=True)

        try:
            carya.Atlas.build({str(tmp_path / "in.txt")!r}, {str(tmp_path / "out")!r},
                              encoder="lsa", progress=callback)
        except KeyboardInterrupt:
            print("interrupted", time.monotonic())
            sys.exit(7)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "now\n"
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 7, output
    interrupted = float(output.splitlines()[-1].split()[1])
    print(f"Ctrl-C took {interrupted - sent:.2f} s")
    assert not (tmp_path / "out").exists() and (tmp_path / "out.part").exists()
