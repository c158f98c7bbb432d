#!/usr/bin/env python3
"""Makes the mini corpus from its source.

Reads crates/gramask-ner/data/mini/source.txt (its head explains the markup) and writes, beside it, train.pubtator,
test.pubtator, nested/NAME.txt and NAME.ann (BRAT standoff), nested.jsonl, and the table of counts in README.md.
Offsets count characters.

    scripts/mini-corpus.py            write the files
    scripts/mini-corpus.py --check    write nothing; fail where a committed file differs from what would be written

Either way it fails, naming the line of the source, where an entity is not what it claims to be (see `check_document`)
and where the annotation contradicts itself (see `check_consistency`).
"""

import json
import re
import sys
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "crates/gramask-ner/data/mini"
LABELS = ["Chemical", "Disease", "Gene"]
FLAT, NESTED = ["train", "test"], "nested"
LEAST = {"train": 40, "test": 50, "nested": 24}  # sentences
WORDS_PER_SENTENCE = range(8, 36)  # counted at white space
WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
OPENING = re.compile(r"\{([A-Za-z]+)(?:#(\d+))?\|")
BEGIN, END = "<!-- counts: written by scripts/mini-corpus.py -->", "<!-- end of counts -->"


class SourceError(Exception):
    """Something wrong in the source: the message says where."""


@dataclass(frozen=True)
class Entity:
    label: str
    fragments: tuple  # of (start, end), in text order

    @property
    def start(self):
        return self.fragments[0][0]

    @property
    def end(self):
        return self.fragments[-1][1]

    def mention(self, text):
        return " ".join(text[start:end] for start, end in self.fragments)

    def order(self):
        return (self.start, -self.end, LABELS.index(self.label), self.fragments)


@dataclass
class Document:
    id: str
    line: int
    split: str
    sentences: list = field(default_factory=list)  # of (start, end)
    text: str = ""
    entities: list = field(default_factory=list)
    pieces: dict = field(default_factory=dict)  # (label, number) -> fragments, while being read

    @property
    def title(self):
        start, end = self.sentences[0]
        return self.text[start:end]

    @property
    def abstract(self):
        return self.text[self.sentences[0][1] + 1 :]


# --- reading -----------------------------------------------------------------------------------------------------


def add_sentence(document, marked, line):
    """Appends one line of markup to the document's text, and its entities."""
    if document.sentences:
        document.text += " "
    begin, written, stack, at = len(document.text), [], [], 0
    while at < len(marked):
        here = begin + len(written)
        opening = OPENING.match(marked, at)
        if opening:
            label, number = opening.groups()
            if label not in LABELS:
                raise SourceError(f"line {line}: label {label!r} is none of {', '.join(LABELS)}")
            stack.append((label, number, here))
            at = opening.end()
            continue
        char = marked[at]
        if char == "}":
            if not stack:
                raise SourceError(f"line {line}: '}}' at column {at + 1} closes nothing; write '\\}}' for the character")
            label, number, start = stack.pop()
            if number is None:
                document.entities.append(Entity(label, ((start, here),)))
            else:
                document.pieces.setdefault((label, number), []).append((start, here))
        elif char == "{":
            raise SourceError(f"line {line}: '{{' at column {at + 1} opens no '{{Label|'; write '\\{{' for the character")
        elif char == "\\":
            at += 1
            if marked[at : at + 1] not in ("{", "}", "\\"):
                raise SourceError(f"line {line}: '\\' at column {at} must stand before '{{', '}}' or '\\'")
            written.append(marked[at])
        else:
            written.append(char)
        at += 1
    if stack:
        raise SourceError(f"line {line}: an entity {stack[-1][0]} is not closed")
    document.text += "".join(written)
    document.sentences.append((begin, len(document.text)))


def read_source(path):
    """The documents of the source, in its order, their entities in document order."""
    documents, split = [], None
    for line, row in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not row.strip() or row.startswith("#"):
            continue
        if row.startswith("["):
            split = row.strip()[1:-1]
            if split not in LEAST:
                raise SourceError(f"line {line}: split {split!r} is none of {', '.join(LEAST)}")
        elif row[0] == " ":
            if not documents:
                raise SourceError(f"line {line}: a further sentence before any document")
            add_sentence(documents[-1], row.strip(), line)
        else:
            head = re.match(r"([\w-]+): ", row)
            if not head or split is None:
                raise SourceError(f"line {line}: expected 'ID: sentence' below a [split]")
            documents.append(Document(head.group(1), line, split))
            add_sentence(documents[-1], row[head.end() :], line)
    for document in documents:
        for (label, number), fragments in document.pieces.items():
            if len(fragments) < 2:
                raise SourceError(f"line {document.line}: {label}#{number} has one fragment only")
            document.entities.append(Entity(label, tuple(sorted(fragments))))
        document.entities.sort(key=Entity.order)
    return documents


# --- checking ----------------------------------------------------------------------------------------------------


def check_document(document):
    """Each entity lies in one sentence, on word boundaries, once, its fragments apart; flat splits are flat."""

    def fail(what):
        raise SourceError(f"line {document.line}, document {document.id}: {what}")

    text, entities = document.text, document.entities
    for char in text:
        # Regex engines disagree on whether these belong to words, so they stay out; so do control characters.
        if unicodedata.category(char) in ("Mn", "Mc", "Me", "No", "Nl", "Cc", "Cf") or (char.isspace() and char != " "):
            fail(f"character {char!r} is not allowed")
    words = [word.span() for word in WORD.finditer(text)]
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    for start, end in document.sentences:
        count = len(text[start:end].split())
        if count not in WORDS_PER_SENTENCE:
            fail(f"a sentence of {count} words; {WORDS_PER_SENTENCE.start} to {WORDS_PER_SENTENCE.stop - 1} are wanted")
    for i, entity in enumerate(entities):
        mention = entity.mention(text)
        for start, end in entity.fragments:
            if start not in starts or end not in ends or start >= end:
                fail(f"{text[start:end]!r} at {start}..{end} does not begin and end on word boundaries")
        for (_, end), (start, _) in zip(entity.fragments, entity.fragments[1:]):
            if not text[end:start].strip():
                fail(f"the fragments of {mention!r} touch or overlap")
        if not any(start <= entity.start and entity.end <= end for start, end in document.sentences):
            fail(f"{mention!r} crosses a sentence boundary")
        if entity in entities[:i]:
            fail(f"{mention!r} is annotated twice")
        if document.split in FLAT:
            if len(entity.fragments) > 1:
                fail(f"{mention!r} is discontinuous in a flat split")
            if i and entities[i - 1].end > entity.start:
                fail(f"{mention!r} overlaps another entity in a flat split")


def check_consistency(documents):
    """No id or sentence twice; a surface has one label everywhere, and each place where it stands is annotated."""
    seen, label_of = set(), {}
    for document in documents:
        for key in [document.id] + [document.text[start:end] for start, end in document.sentences]:
            if key in seen:
                raise SourceError(f"line {document.line}: {key!r} occurs twice")
            seen.add(key)
        for entity in document.entities:
            if len(entity.fragments) == 1:
                mention = entity.mention(document.text)
                # Symbols in capitals keep their case: MET is a gene, "met" a verb.
                surface = mention if mention.isupper() else mention.lower()
                if label_of.setdefault(surface, entity.label) != entity.label:
                    raise SourceError(f"line {document.line}: {surface!r} is {entity.label} here, another label elsewhere")
    for document in documents:
        text = document.text
        covered = {at for entity in document.entities for s, e in entity.fragments for at in range(s, e)}
        for surface in label_of:
            where = text if surface.isupper() else text.lower()
            for start in occurrences(where, surface):
                if start not in covered:
                    raise SourceError(f"line {document.line}: {surface!r} is an entity elsewhere, at {start} it is not")


def occurrences(text, surface):
    """Where `surface` stands in `text` as whole words."""
    words = [word.span() for word in WORD.finditer(text)]
    ends = {end for _, end in words}
    return [s for s, _ in words if text.startswith(surface, s) and s + len(surface) in ends]


# --- writing -----------------------------------------------------------------------------------------------------


def pubtator(documents):
    out = []
    for document in documents:
        out += [f"{document.id}|t|{document.title}", f"{document.id}|a|{document.abstract}"]
        for entity in document.entities:
            row = (document.id, entity.start, entity.end, entity.mention(document.text), entity.label, "-1")
            out.append("\t".join(map(str, row)))
        out.append("")
    return "\n".join(out) + "\n"


def brat(document):
    out = []
    for number, entity in enumerate(document.entities, 1):
        offsets = ";".join(f"{start} {end}" for start, end in entity.fragments)
        out.append(f"T{number}\t{entity.label} {offsets}\t{entity.mention(document.text)}\n")
    return "".join(out)


def jsonl(documents):
    out = []
    for document in documents:
        entities = [{"label": e.label, "fragments": [list(f) for f in e.fragments]} for e in document.entities]
        row = {"id": document.id, "text": document.text, "entities": entities}
        out.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(out)


def counts(documents):
    """The table of README.md."""
    columns = ["split", "documents", "sentences", "without entity", "mentions", *LABELS]
    columns += ["surface repeated in its sentence", "nested", "discontinuous"]
    rows = [columns, ["---"] + ["---:"] * (len(columns) - 1)]
    for split in LEAST:
        mine = [document for document in documents if document.split == split]
        sentences = empty = repeated = inside = 0
        entities = [entity for document in mine for entity in document.entities]
        for document in mine:
            for start, end in document.sentences:
                here = [entity for entity in document.entities if start <= entity.start < end]
                sentences += 1
                empty += not here
                sentence = document.text[start:end]
                repeated += sum(len(occurrences(sentence, e.mention(document.text))) > 1 for e in here)
                inside += sum(any(is_inside(a, b) for b in here) for a in here)
        if sentences < LEAST[split]:
            raise SourceError(f"split {split}: {sentences} sentences, at least {LEAST[split]} are wanted")
        row = [split, len(mine), sentences, f"{empty} ({empty / sentences:.0%})", len(entities)]
        row += [sum(entity.label == label for entity in entities) for label in LABELS]
        row += [f"{repeated} ({repeated / len(entities):.0%})", inside]
        rows.append(row + [sum(len(entity.fragments) > 1 for entity in entities)])
    return "".join("| " + " | ".join(map(str, row)) + " |\n" for row in rows)


def is_inside(a, b):
    """Whether all of `a` lies in fragments of `b`, another entity."""
    return a != b and all(any(s <= start and end <= e for s, e in b.fragments) for start, end in a.fragments)


def files(documents):
    """What belongs into the folder: path -> content."""
    out = {ROOT / f"{split}.pubtator": pubtator([d for d in documents if d.split == split]) for split in FLAT}
    nested = [document for document in documents if document.split == NESTED]
    for document in nested:
        out[ROOT / NESTED / f"{document.id}.txt"] = document.text
        out[ROOT / NESTED / f"{document.id}.ann"] = brat(document)
    out[ROOT / "nested.jsonl"] = jsonl(nested)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SourceError(f"README.md: the table of counts must stand between '{BEGIN}' and '{END}'")
    out[ROOT / "README.md"] = f"{before}{BEGIN}\n{counts(documents)}{END}{after}"
    return out


def verify_written(out):
    """Reads the written offsets back: each mention must be the text at its offsets."""
    for path, content in out.items():
        texts = {}
        for row in content.split("\n") if path.suffix == ".pubtator" else []:
            if row.count("\t") == 5:
                id, start, end, mention, _, _ = row.split("\t")
                if texts[id][int(start) : int(end)] != mention:
                    raise SourceError(f"{path.name}: {row!r} is not the text at its offsets")
            elif row:
                id, part, text = row.split("|", 2)
                texts[id] = text if part == "t" else f"{texts[id]} {text}"
        for row in content.splitlines() if path.suffix == ".ann" else []:
            _, place, mention = row.split("\t")
            spans = [map(int, span.split()) for span in place.split(" ", 1)[1].split(";")]
            text = out[path.with_suffix(".txt")]
            if " ".join(text[start:end] for start, end in spans) != mention:
                raise SourceError(f"{path.name}: {row!r} is not the text at its offsets")


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    try:
        documents = read_source(ROOT / "source.txt")
        for document in documents:
            check_document(document)
        check_consistency(documents)
        out = files(documents)
        verify_written(out)
    except SourceError as error:
        sys.exit(f"mini-corpus: {error}")
    stale = sorted(set((ROOT / NESTED).glob("*")) - set(out))
    if arguments:
        differing = [p for p, content in out.items() if not p.exists() or p.read_bytes() != content.encode()]
        if differing or stale:
            names = ", ".join(str(path.relative_to(ROOT)) for path in differing + stale)
            sys.exit(f"mini-corpus: {names}: not as the source makes it; run scripts/mini-corpus.py")
    else:
        (ROOT / NESTED).mkdir(exist_ok=True)
        for path in stale:
            path.unlink()
        for path, content in out.items():
            path.write_bytes(content.encode())
    print(f"mini-corpus: {len(documents)} documents, {len(out)} files {'as they should be' if arguments else 'written'}")


if __name__ == "__main__":
    main(sys.argv[1:])
