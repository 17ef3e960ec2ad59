#!/usr/bin/env python3
"""Texts a second of Carya's sentence encoder beside onnxruntime and sentence-transformers.

Same texts, same number of threads, one after the other in one run; the vectors are compared before a
time is believed.  Texts a CPU second are what a busy machine changes least.  The peers get their texts sorted by length (sentence-transformers does that itself)
and their best batch size of those tried on the first texts.

Needs: pip install torch transformers sentence-transformers onnx onnxruntime
Usage: encoder_peers.py --bench build/release/carya/text/sentence_encoder_bench --texts FILE
                        [--model FOLDER] [--threads 2] [--limit N]
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np


def carya(args, texts, precision):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "texts").write_text("\n".join(texts) + "\n")
        env = dict(os.environ, CARYA_TEXTS=str(folder / "texts"), CARYA_VECTORS=str(folder / "vectors"))
        out = subprocess.run([args.bench, f"--benchmark_filter=encode/{precision}/{args.threads}/",
                              "--benchmark_format=json"], env=env, capture_output=True, check=True)
        row = json.loads(out.stdout)["benchmarks"][0]
        vectors = np.fromfile(folder / "vectors", np.float32).reshape(len(texts), -1)
    cpu_seconds = row["cpu_time"] / 1000  # of the whole process
    return row["texts/s"], len(texts) / cpu_seconds, row["GFLOP/s"], vectors


def fastest(encode, texts):
    """Times encode(texts, batch_size) with the batch size that is best on a sample."""
    sample = texts[:: max(1, len(texts) // 1024)][:1024]
    encode(sample[:64], 32)
    seconds = {}
    for batch in (16, 32, 64, 128):
        start = time.perf_counter()
        encode(sample, batch)
        seconds[batch] = time.perf_counter() - start
    batch = min(seconds, key=seconds.get)
    start, cpu_start = time.perf_counter(), time.process_time()
    vectors = encode(texts, batch)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return len(texts) / seconds, len(texts) / cpu_seconds, vectors, batch


def sentence_transformers(args, texts):
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(args.threads)
    model = SentenceTransformer(args.model, device="cpu")
    return fastest(lambda t, b: model.encode(t, batch_size=b, show_progress_bar=False), texts)


def export_onnx(model, path):
    import torch
    from transformers import BertModel
    bert = BertModel.from_pretrained(model, attn_implementation="eager").eval()

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = bert

        def forward(self, ids, mask):
            return self.bert(input_ids=ids, attention_mask=mask).last_hidden_state

    ones = torch.ones(2, 16, dtype=torch.long)
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(Hidden(), (ones, ones), path, input_names=["ids", "mask"], output_names=["hidden"],
                      dynamic_axes={"ids": axes, "mask": axes, "hidden": axes}, dynamo=False)


def onnxruntime(args, texts):
    import onnxruntime as ort
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(os.path.join(args.model, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        export_onnx(args.model, path)
        try:  # fuses attention, gelu and layer norm; falls back to the session's own fusions
            from onnxruntime.transformers import optimizer
            fused = optimizer.optimize_model(path, model_type="bert", num_heads=12, hidden_size=384)
            fused.save_model_to_file(path)
            print("onnxruntime fusions:", fused.get_fused_operator_statistics())
        except Exception as e:  # the export's pattern may be unknown to this version
            print("onnxruntime.transformers.optimizer:", e)
        options = ort.SessionOptions()
        options.intra_op_num_threads = args.threads
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

        def encode(some, batch):
            encoded = [e.ids for e in tokenizer.encode_batch(some)]
            order = sorted(range(len(some)), key=lambda i: -len(encoded[i]))
            vectors = np.empty((len(some), 384), np.float32)
            for start in range(0, len(order), batch):
                rows = order[start:start + batch]
                ids = np.zeros((len(rows), len(encoded[rows[0]])), np.int64)
                mask = np.zeros_like(ids)
                for r, i in enumerate(rows):
                    ids[r, :len(encoded[i])] = encoded[i]
                    mask[r, :len(encoded[i])] = 1
                hidden = session.run(None, {"ids": ids, "mask": mask})[0]
                mean = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
                vectors[rows] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
            return vectors

        return fastest(encode, texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    cache = os.environ.get("CARYA_CACHE", os.path.expanduser("~/.cache/carya"))
    parser.add_argument("--model", default=os.path.join(cache, "models/all-MiniLM-L6-v2"))
    parser.add_argument("--bench", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int)
    args = parser.parse_args()
    texts = pathlib.Path(args.texts).read_text().splitlines()[:args.limit]

    peers, cpu_peers, reference = [], [], None
    for name, peer in (("sentence-transformers", sentence_transformers), ("onnxruntime", onnxruntime)):
        rate, cpu_rate, vectors, batch = peer(args, texts)
        reference = vectors if reference is None else reference
        print(f"{name:22} f32  {rate:7.0f} texts/s {cpu_rate:7.0f} texts/CPU s   batch {batch}, "
              f"least cosine {(vectors * reference).sum(1).min():.6f}", flush=True)
        peers.append(rate)
        cpu_peers.append(cpu_rate)
    for precision in ("f32", "bf16", "int8"):
        rate, cpu_rate, gflops, vectors = carya(args, texts, precision)
        cosines = (vectors * reference).sum(1)
        print(f"{'carya':22} {precision:4} {rate:7.0f} texts/s {cpu_rate:7.0f} texts/CPU s   "
              f"{rate / max(peers):.2f} x, {cpu_rate / max(cpu_peers):.2f} x the better peer; {gflops:.0f} GFLOP/s; "
              f"cosine least {cosines.min():.6f} mean {cosines.mean():.6f}", flush=True)


if __name__ == "__main__":
    main()
