"""What the tests share: a small corpus, an atlas of it, the C++ programs."""

import glob
import os
import random

import numpy as np
import pytest

import carya

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

THEMES = {
    "chess": "chess board pawn queen opening endgame player match",
    "image": "image photo viewer pixel colour camera picture filter",
    "network": "network router packet protocol server socket firewall traffic",
    "music": "music song guitar chord melody piano rhythm tune",
}


def themed_records(n, first=0):
    """n dicts with id, text, theme and size, on four themes."""
    records = []
    for i in range(first, first + n):
        theme = list(THEMES)[i % 4]
        words = random.Random(i).choices(THEMES[theme].split(), k=6)
        text = " ".join(words) + f" number{i % 7}"
        records.append({"id": f"item{i}", "text": text, "theme": theme, "size": i})
    return records


@pytest.fixture(scope="session")
def records():
    return themed_records(300)


@pytest.fixture(scope="session")
def texts(records):
    return [record["text"] for record in records]


@pytest.fixture(scope="session")
def csv(records, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "in.csv"
    lines = ["id,text,theme,size"]
    lines += [f"{r['id']},{r['text']},{r['theme']},{r['size']}" for r in records]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def atlas_path(csv, tmp_path_factory):
    path = tmp_path_factory.mktemp("atlas") / "themes.atlas"
    carya.Atlas.build(csv, path, encoder="lsa")
    return path


@pytest.fixture
def atlas(atlas_path):
    return carya.Atlas(atlas_path)


@pytest.fixture(scope="session")
def blobs():
    """(points (400, 6) of float32, their 5 centres as labels)."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(-20, 20, size=(5, 6))
    labels = np.arange(400) % 5
    return (centres[labels] + rng.normal(size=(400, 6))).astype(np.float32), labels


def newest(pattern):
    """The newest of what was built, or a skip that says how to build it."""
    found = sorted(glob.glob(os.path.join(REPOSITORY, pattern)), key=os.path.getmtime)
    if not found:
        pytest.skip(f"no {pattern}: `make build` or `make python` makes it")
    return found[-1]


@pytest.fixture(scope="session")
def program():
    """The command line program."""
    return os.environ.get("CARYA_PROGRAM") or newest("build/*/apps/carya")


def files_of(folder):
    """{name: bytes} of an atlas, without run.json, in which times are."""
    contents = {}
    for name in os.listdir(folder):
        if name != "run.json":
            with open(os.path.join(folder, name), "rb") as file:
                contents[name] = file.read()
    return contents
