#!/usr/bin/env python3
"""Token ids by SentencePiece itself, for crates/gramask-model/tests/tokenizer.rs.

    pip install sentencepiece
    python scripts/sentencepiece-fixture.py crates/gramask-model/tests/fixtures/sentencepiece.json

Trains two small vocabularies on the pages in docs/: one as Llama 2's (a space is put before each text), one as Gemma's
(none is, and some marks are tokens). Writes their pieces as a GGUF file has them (text, score, type), and the ids of texts.
"""

import io
import json
import sys
from pathlib import Path

import sentencepiece as spm

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXTS = [
    "",
    " ",
    "Hello",
    " Hello world",
    "  two spaces   and three",
    "Mutations of BRCA1 (p.Cys61Gly) in 12,345 patients; p < 0.05.",
    "5-fluorouracil\n\tand  2',3'-dideoxycytidine   \n\n  caused neutropenia.",
    "IL-2's receptor doesn't bind; they'll say we've shown α-synuclein ↔ β-amyloid.",
    "naïve café – “quoted” … 日本語 русский العربية 🧬👩🏽‍🔬",
    "e\u0301 versus \u00e9, ½ and ٣ and Ⅷ",
    '[{"text": "tumor", "label": "Disease"}]',
    "trailing space ",
    "\r\nwindows\r\nlines\r\n",
    "the text </s> is not a token here",
    "the constraint allows the tokens of the grammar, and the model of the document the mask",
    "x" * 40 + "    " + "0" * 10,
    "aaaaaaaaaaaaaaaa banana bandana",
    "a\u00a0b\u3000c\u200bd",
]
MODELS = {
    "llama": dict(add_dummy_prefix=True),
    "gemma": dict(add_dummy_prefix=False, user_defined_symbols=["\n\n", "<mark>", "<table>"]),
}


def kind(model, id):
    """The type that GGUF files give to a token."""
    for code, holds in ((2, model.is_unknown), (3, model.is_control), (5, model.is_unused), (6, model.is_byte)):
        if holds(id):
            return code
    return 1


def main():
    lines = [line for page in sorted(DOCS.glob("*.md")) for line in page.read_text(encoding="utf-8").splitlines()]
    fixture = {}
    for name, options in MODELS.items():
        trained = io.BytesIO()
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=trained, model_type="bpe", vocab_size=600, byte_fallback=True,
            character_coverage=0.999, normalization_rule_name="identity", remove_extra_whitespaces=False,
            split_digits=True, allow_whitespace_only_pieces=True, minloglevel=2, **options,
        )
        model = spm.SentencePieceProcessor(model_proto=trained.getvalue())
        marks = set(options.get("user_defined_symbols", []))
        pieces = []
        for id in range(model.get_piece_size()):
            text = model.id_to_piece(id)
            pieces.append([text, model.get_score(id), 4 if text in marks else kind(model, id)])
        texts = TEXTS + ["a <mark> b\n\nc<table><mark>\n\n\n"] * bool(marks)
        fixture[name] = dict(
            add_space_prefix=options["add_dummy_prefix"], pieces=pieces,
            texts=[dict(text=text, ids=model.encode(text)) for text in texts],
        )
    text = json.dumps(fixture, ensure_ascii=True, separators=(",", ":")).replace("],[", "],\n[").replace("},{", "},\n{")
    Path(sys.argv[1]).write_text(text + "\n")


if __name__ == "__main__":
    main()
