#!/usr/bin/env python3
"""Writes carya/text/testdata: what Hugging Face and torch make of hard texts.

Needs: pip install torch transformers sentence-transformers tokenizers.
Usage: make-encoder-fixture.py MODEL_FOLDER [OUT], MODEL_FOLDER being all-MiniLM-L6-v2.

  wordpiece.tsv      base64(text bytes) TAB ids                    tokenizers, at most 256 ids
  minilm.tsv         base64(text) TAB base64(float16 vector)       sentence-transformers, float32
  tiny_bert/         a random BERT of 2 layers: safetensors, mean pooling, normalized
  tiny_bert_torch/   the same in float16 as pytorch_model.bin with the prefix `bert.`, vocab.txt,
                     CLS pooling, not normalized
  tiny_bert*.tsv     base64(text) TAB base64(float32 vector)       transformers, float32
"""
import base64
import json
import pathlib
import random
import sys

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

WORDS = ("time year people way day man thing woman life child world school state family student "
         "group country problem hand part place case week company system program question work "
         "government number night point home water room mother area money story fact month lot "
         "right study book eye job word business issue side kind head house service friend father "
         "kernel library package compiler graph hierarchy embedding tokenization antidisestablish"
         "mentarianism xylophone quixotic zzyzx http git python3 libfoo-dev 3.14 2026-01-01").split()
SCRIPTS = ["naïve café Ångström Übergröße façade jalapeño Dvořák Łódź İstanbul ſtraße ǅ ﬁ ﬂ",
           "机器学习和自然语言处理", "東京タワーへ行きました。", "한국어 형태소 분석기", "Привет, мир! Ёлка",
           "Γειά σου Κόσμε ΣΊΣΥΦΟΣ ς", "שָׁלוֹם עולם", "السَّلَامُ عَلَيْكُمْ", "नमस्ते दुनिया", "สวัสดีชาวโลก", "ⵜⴰⵎⴰⵣⵉⵖⵜ",
           "😀 👩‍👩‍👧‍👦 🏳️‍🌈 ❤️ 🇩🇪", "e\u0301 a\u0308 o\u0302\u0323 Z\u0351\u036b\u0343", "zero\u200bwidth\u200djoin\ufeffer",
           "soft\u00adhyphen", "a\u00a0b\u2003c\u3000d\u2028e", "“quotes” ‘single’ «guillemets» – — … ‰ § ¶ † •",
           "x² + y³ ≤ ∑∫√∞ ≈ π µ Ω €100 £5 ¥7 ₿", "①②③ ½ ¼ Ⅷ ℃ ™ © ®", "tab\tnew\nline\rreturn\x0bvt\x0cff",
           "nul\x00in\x01side\x7f\x85\x9f", "\ufffd replacement \ufffe", "[CLS] [SEP] [MASK] [PAD] [UNK] [unused1]",
           "don't can't won't I'm it's O'Neil's", "C++ C# .NET a_b-c/d\\e f@g.com #tag $x^2 `code` ~ | {} <>",
           "𝕳𝖊𝖑𝖑𝖔 𝓌𝑜𝓇𝓁𝒹 Ｆｕｌｌｗｉｄｔｈ", "㍿ ㌔ 豈 更 \uf900\ufa30 𠀀𪜀𫝀", "ʻokina ʼn ǆ ß ẞ ŉ", "Cafe\u0301 vs Café", "\u1e9b\u0323",
           "가각간갇 \u1100\u1161", "\u037e \u0387 \u1fef \u2000 \u2126 \u212a \u212b", "\u0130\u0131 Iı iİ", "ﷺ ﷽"]
INVALID = [b"\xff", b"abc\xffdef", b"\xc3", b"\xc3(", b"\xe2\x82", b"\xe2(\xa1", b"\xf0\x9f\x98", b"\xed\xa0\x80x",
           b"\xf5\x80\x80\x80", b"\xc0\xafslash", b"ok \x80\x81\x82 ok", b"\xf0\x9f\x98\x80\xff!", b"caf\xe9 latin-1"]


def hard_texts():
    """More than 500 byte strings; the same on every run."""
    rng = random.Random(2)
    texts = ["", " ", "   \t\n ", "a", "A", ".", "!?", "a" * 99, "a" * 100, "a" * 101, "é" * 100, "é" * 101,
             "x" * 5000, "ab " * 400, "." * 300, "中" * 300, " ".join(WORDS), "#" * 20, "##ing ##", "[", "[CLS", "[[SEP]]",
             "[cls]", "hello[SEP]world", "1234567890" * 12]
    texts += SCRIPTS + [s.upper() for s in SCRIPTS] + [s.replace(" ", "") for s in SCRIPTS]
    texts += ["".join(rng.sample(s, len(s))) for s in SCRIPTS]
    texts += [w + rng.choice(SCRIPTS) + w for w in WORDS]
    for _ in range(120):  # words and scripts mixed
        texts.append("".join(rng.choice(WORDS + SCRIPTS) + rng.choice(["", " ", "-", "\u200b", "\u0301"])
                             for _ in range(rng.randint(1, 12))))
    for _ in range(150):  # any characters of Unicode 1 .. 8 blocks, no surrogates
        high = rng.choice([0x250, 0x590, 0x2000, 0x3100, 0xd7ff, 0x1f700])
        texts.append("".join(chr(rng.randrange(1, high)) for _ in range(rng.randint(1, 60)))
                     .encode("utf-8", "replace").decode())
    raw = [t.encode("utf-8", "surrogatepass") for t in texts] + INVALID
    for _ in range(40):  # any bytes
        raw.append(bytes(rng.randrange(256) for _ in range(rng.randint(1, 80))))
    return raw


def sentences():
    """200 texts of all lengths up to 2,000 words and of all scripts."""
    rng = random.Random(3)
    texts = ["", " ", "word", "kernel", "a", "?", "naïve", "机器", "😀", "\x01\x02"] + SCRIPTS
    texts += [" ".join(rng.choice(WORDS) for _ in range(n)) for n in [2000, 1500, 600, 300, 260, 256, 255, 254, 253, 200]]
    while len(texts) < 200:
        words = [rng.choice(WORDS) for _ in range(rng.randint(1, 40))]
        if rng.random() < 0.3:
            words.insert(rng.randrange(len(words) + 1), rng.choice(SCRIPTS))
        texts.append(" ".join(words).capitalize() + rng.choice([".", "?", "!", ""]))
    return texts


def b64(data):
    return base64.b64encode(data).decode()


def write_tsv(path, rows):
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    print(f"{path}: {len(rows)} rows, {path.stat().st_size} bytes")


def write_wordpiece(model, out):
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    write_tsv(out / "wordpiece.tsv",
              [(b64(raw), " ".join(map(str, tokenizer.encode(raw.decode("utf-8", "replace")).ids)))
               for raw in hard_texts()])


def write_minilm(model, out):
    from sentence_transformers import SentenceTransformer
    encoder = SentenceTransformer(str(model), device="cpu")
    texts = sentences()
    vectors = encoder.encode(texts, batch_size=1, convert_to_numpy=True, show_progress_bar=False)
    write_tsv(out / "minilm.tsv",
              [(b64(t.encode()), b64(v.astype(np.float16).tobytes())) for t, v in zip(texts, vectors)])


TINY_WORDS = ["the", "a", "of", "tree", "kernel", "##s", "##ing", "##ed", "run", "graph", "search", "中", "文", "é"]


def write_tiny(out):
    """2 layers, 2 heads of 12: no multiple of a vector, so the tails are tested too."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list("abcdefghijklmnopqrstuvwxyz.,!")
    tokens += ["##" + c for c in "abcdefghijklmnopqrstuvwxyz"] + TINY_WORDS
    config = dict(vocab_size=len(tokens), hidden_size=24, num_hidden_layers=2, num_attention_heads=2,
                  intermediate_size=40, max_position_embeddings=40, hidden_act="gelu", model_type="bert",
                  layer_norm_eps=1e-12, type_vocab_size=2, position_embedding_type="absolute")
    torch.manual_seed(4)
    model = BertModel(BertConfig(**config, initializer_range=0.3), add_pooling_layer=False).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(0.2 * torch.randn_like(p))
    texts = ["", "tree", "The kernels of a tree", "searching, running!", "中文 é", "graphs of the trees.",
             "zzz qqq", "a " * 60, "\U0001F600"]

    def write_folder(name, half):
        folder = out / name
        (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config, indent=1))
        modules = [("", "Transformer"), ("1_Pooling", "Pooling")] + ([] if half else [("2_Normalize", "Normalize")])
        (folder / "modules.json").write_text(json.dumps(
            [{"idx": i, "name": str(i), "path": p, "type": "sentence_transformers.models." + t}
             for i, (p, t) in enumerate(modules)], indent=1))
        (folder / "1_Pooling/config.json").write_text(json.dumps(
            {"word_embedding_dimension": 24, "pooling_mode_cls_token": half, "pooling_mode_mean_tokens": not half}))
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 32, "do_lower_case": False}))
        (folder / "vocab.txt").write_text("".join(t + "\n" for t in tokens))
        state = model.state_dict()
        if half:
            state = {"bert." + k: v.half() if v.is_floating_point() else v for k, v in state.items()}
            state["bert.embeddings.LayerNorm.weight"] = state["bert.embeddings.LayerNorm.weight"].bfloat16()
            torch.save(state, folder / "pytorch_model.bin")
            model.load_state_dict({k[5:]: v.float() for k, v in state.items()})
        else:
            from safetensors.torch import save_file
            save_file({k: v.contiguous() for k, v in state.items()}, str(folder / "model.safetensors"))
        from tokenizers.implementations import BertWordPieceTokenizer
        tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
        tokenizer.enable_truncation(32)
        rows = []
        for text in texts:
            ids = torch.tensor([tokenizer.encode(text).ids])
            with torch.no_grad():
                hidden = model(input_ids=ids).last_hidden_state[0]
            vector = hidden[0] if half else torch.nn.functional.normalize(hidden.mean(0), dim=0)
            rows.append((b64(text.encode()), b64(vector.numpy().astype(np.float32).tobytes())))
        write_tsv(out / f"{name}.tsv", rows)

    write_folder("tiny_bert", half=False)
    write_folder("tiny_bert_torch", half=True)


def main():
    model = pathlib.Path(sys.argv[1])
    out = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "carya/text/testdata")
    out.mkdir(parents=True, exist_ok=True)
    write_tiny(out)
    write_wordpiece(model, out)
    write_minilm(model, out)


if __name__ == "__main__":
    main()
