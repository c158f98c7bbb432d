"""The logits processor for `transformers`, on real models: greedy decoding is the command's; whatever is drawn is read."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LABELS, ROOT

import gramask

torch = pytest.importorskip("torch", reason="torch is not installed: the processor for transformers is not tested")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: its processor is not tested")

from gramask.transformers import LogitsProcessor  # noqa: E402

TINY = ROOT / "crates/gramask-model/tests/golden/tiny-llama"
CACHE = Path(os.environ.get("GRAMASK_CACHE", Path.home() / ".cache/gramask"))
SMOLLM = CACHE / "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf"

TEXTS = ["Naloxone reverses clonidine.", "Rats with hypertension got aspirin.", "No drug helped."]


class Setup:
    """A model with its tokenizer, as `transformers` and as the command load it."""

    def __init__(self, path, model, tokenizer, vocabulary):
        self.path, self.model, self.tokenizer, self.vocabulary = path, model, tokenizer, vocabulary
        model.generation_config.eos_token_id = vocabulary.end
        model.generation_config.pad_token_id = vocabulary.end[0]
        model.eval()

    def prompt(self, fmt, labels, text):
        """The prompt that the command gives."""
        messages = fmt.messages(text, labels=labels)
        if self.tokenizer.chat_template:
            return self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return f"{messages[0]['content']}\n\nText: {text}\nAnswer:\n"

    def generate(self, fmt, labels, texts, budget, level="grounded", constrained=True, **options):
        """The output tokens of each row, without padding, and the constraints."""
        prompts = [self.prompt(fmt, labels, text) for text in texts]
        self.tokenizer.padding_side = "left"
        inputs = self.tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        inputs.pop("token_type_ids", None)
        constraints = [fmt.constraint(text, labels=labels, level=level, vocabulary=self.vocabulary) for text in texts]
        processors = [LogitsProcessor(constraints, budget=budget)] if constrained else []
        with torch.no_grad():
            made = self.model.generate(**inputs, max_new_tokens=budget, logits_processor=processors, **options)
        outputs = []
        for row in made[:, inputs["input_ids"].shape[1] :].tolist():
            ends = [place for place, token in enumerate(row) if token in self.vocabulary.end]
            outputs.append(row[: ends[0] + 1] if ends else row)
        return outputs, constraints


@pytest.fixture(scope="module", params=["tiny-llama", "smollm2-135m"])
def setup(request):
    if request.param == "tiny-llama":
        if not TINY.is_dir():
            pytest.skip("no checkout around the tests: the tiny checkpoint is missing")
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_file=str(TINY / "tokenizer.json"), eos_token="<|endoftext|>", pad_token="<|endoftext|>"
        )
        model = transformers.LlamaForCausalLM.from_pretrained(TINY, dtype=torch.float32)
        end = [tokenizer.convert_tokens_to_ids(token) for token in ("<|endoftext|>", "<|im_end|>")]
        vocabulary = gramask.Vocabulary.from_transformers(tokenizer, end=end, size=model.config.vocab_size)
        return Setup(TINY, model, tokenizer, vocabulary)
    if not SMOLLM.is_file():
        pytest.skip("the model smollm2-135m-instruct is not in the cache")
    for package in ("gguf", "accelerate"):
        pytest.importorskip(package, reason=f"{package} is not installed: transformers cannot read the model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(SMOLLM.parent, gguf_file=SMOLLM.name)
    model = transformers.AutoModelForCausalLM.from_pretrained(SMOLLM.parent, gguf_file=SMOLLM.name, dtype=torch.float32)
    return Setup(SMOLLM, model, tokenizer, gramask.Vocabulary.from_pretrained(SMOLLM))


def test_vocabularies_are_those_of_the_files(setup):
    """The tokens by way of the tokenizer are those that the command reads from the file."""
    theirs = gramask.Vocabulary.from_transformers(setup.tokenizer, end=setup.vocabulary.end, size=len(setup.vocabulary))
    tokenizers = gramask.Vocabulary.from_tokenizers(setup.tokenizer.backend_tokenizer, size=len(setup.vocabulary))
    own = gramask.Vocabulary.from_pretrained(setup.path)
    assert len(theirs) == len(setup.vocabulary) and theirs.end == setup.vocabulary.end
    for token in range(len(own)):
        assert theirs.is_special(token) == tokenizers.is_special(token) == own.is_special(token), token
        if not own.is_special(token):
            assert theirs.bytes(token) == tokenizers.bytes(token) == own.bytes(token), token


def test_a_slow_tokenizer_is_refused():
    class Slow:
        pass

    with pytest.raises(gramask.VocabularyError, match="Slow is no fast tokenizer"):
        gramask.Vocabulary.from_transformers(Slow())


def short(name, folder):
    """A format with a short description, which is part of the prompt: the tiny model reads 512 tokens of a byte each."""
    lines = gramask.Format(name).source.splitlines()
    body = [line for line in lines if not line.startswith("//")]
    path = folder / f"{name}.gram"
    path.write_text("// A list.\n" + "\n".join(body) + "\n")
    return gramask.Format(path, labels=LABELS)


@pytest.mark.parametrize("name", ["json-list", "inline-xml", "json-offsets", "bio-words"])
def test_greedy_decoding_is_that_of_the_command(setup, name, tmp_path):
    """The same prompt, the same weights, the same masks: token by token the same output."""
    fmt, text, extra = short(name, tmp_path), TEXTS[0], 24
    shortest = fmt.write(text, []).text
    budget = len(setup.tokenizer(shortest, add_special_tokens=False)["input_ids"]) + 1 + extra
    asked = ["decode", "--model", str(setup.path), "--format", str(tmp_path / f"{name}.gram"), "--labels", ",".join(LABELS), "--text", text]
    asked += ["--examples", "0", "--budget", str(extra), "--trace"]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run([sys.executable, "-m", "gramask", *asked], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    tokens = re.findall(r'^ *(\d+) +".*" +(?:sampled|forced|drafted) ', done.stdout, re.M)
    # At the least that the constraint needs, the command raises a smaller budget.
    constraint = fmt.constraint(text, vocabulary=setup.vocabulary)
    budget = max(budget, constraint.tokens_to_finish(constraint.start()))
    [[output], _] = setup.generate(fmt, LABELS, [text], budget, do_sample=False)
    assert output == [int(token) for token in tokens]


@pytest.mark.parametrize("options", [
    {"do_sample": True, "num_return_sequences": 3},
    {"do_sample": True, "temperature": 3.0, "top_k": 0},
    {"do_sample": False, "num_beams": 4},
    {"do_sample": False, "num_beams": 4, "num_return_sequences": 2},
    {"do_sample": True, "num_beams": 3},
], ids=["sampled", "hot", "beam", "beams", "sampled-beam"])
@pytest.mark.parametrize("name", ["json-list", "tuples"])
def test_every_output_is_read_within_its_budget(setup, name, options, tmp_path):
    torch.manual_seed(3)
    fmt = short(name, tmp_path)
    for level in ("syntax", "grounded"):
        for budget in (16, 40):
            outputs, constraints = setup.generate(fmt, LABELS, TEXTS, budget, level=level, **options)
            each = len(outputs) // len(TEXTS)
            for row, output in enumerate(outputs):
                constraint, text = constraints[row // each], TEXTS[row // each]
                assert len(output) <= budget and output[-1] in setup.vocabulary.end
                state = constraint.start()
                for token in output:
                    state = constraint.advance(state, token)
                reading = fmt.read(text, setup.vocabulary.decode(output))
                assert level == "syntax" or not reading.problems


def test_a_beam_search_is_no_worse_than_greedy_decoding(setup, tmp_path):
    """States follow the beams: with the wrong one, a beam search would stray from likely outputs or leave the language."""
    fmt = short("json-list", tmp_path)
    [[greedy], _] = setup.generate(fmt, LABELS, TEXTS[:1], 40, do_sample=False)
    [[beam], [constraint]] = setup.generate(fmt, LABELS, TEXTS[:1], 40, do_sample=False, num_beams=8, length_penalty=0.0)
    assert score(setup, fmt, constraint, beam) >= score(setup, fmt, constraint, greedy) - 1e-3


def score(setup, fmt, constraint, output):
    """The log probability of an output, as a beam search sums it: under the model's whole distribution."""
    prompt = setup.tokenizer(setup.prompt(fmt, LABELS, TEXTS[0]), return_tensors="pt", add_special_tokens=False)["input_ids"]
    tokens = torch.cat([prompt, torch.tensor([output])], dim=1)
    with torch.no_grad():
        logits = setup.model(tokens).logits[0, prompt.shape[1] - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(output).unsqueeze(1)).sum().item()


def test_misuse_is_refused(setup):
    fmt = gramask.Format("json-list", labels=LABELS)
    constraint = fmt.constraint(TEXTS[0], vocabulary=setup.vocabulary)
    with pytest.raises(gramask.BudgetError, match=r"the budget is 1 tokens, but the shortest output takes \d"):
        LogitsProcessor(constraint, budget=1)
    with pytest.raises(ValueError, match="2 budgets for 1 constraints"):
        LogitsProcessor(constraint, budget=[9, 9])
    with pytest.raises(ValueError, match="there is no constraint"):
        LogitsProcessor([])
    size = len(setup.vocabulary)
    ids, scores = torch.zeros((1, 4), dtype=torch.long), torch.zeros((1, size))
    with pytest.raises(ValueError, match="make the vocabulary of this model's tokenizer"):
        LogitsProcessor(constraint)(ids, scores[:, :100])
    with pytest.raises(ValueError, match="3 rows for 2 constraints"):
        LogitsProcessor([constraint, constraint])(ids.repeat(3, 1), scores.repeat(3, 1))
    used = LogitsProcessor(constraint)
    masked = used(ids, scores)
    assert torch.isfinite(masked).sum().item() == len(constraint.allowed(constraint.start()))
    with pytest.raises(ValueError, match="make a LogitsProcessor for each"):
        used(torch.zeros((1, 9), dtype=torch.long), scores)
    wrong = int(torch.argmin(masked))
    with pytest.raises(gramask.TokenError, match="may not follow"):
        used(torch.tensor([[0, 0, 0, 0, wrong]]), scores)


def test_rows_of_torch(setup):
    fmt = gramask.Format("json-list", labels=LABELS)
    constraint = fmt.constraint(TEXTS[0], vocabulary=setup.vocabulary)
    row = torch.zeros((2, setup.vocabulary.words), dtype=torch.int32)
    constraint.fill_mask(constraint.start(), row[1])
    assert not row[0].any() and row[1].any()
    gramask.Batch().fill_masks([constraint.start()], row)
    assert torch.equal(row[0], row[1])
    with pytest.raises(TypeError, match="requires grad|grad"):
        constraint.fill_mask(constraint.start(), torch.zeros(setup.vocabulary.words, requires_grad=True))
    with pytest.raises(TypeError, match="its type is <i8"):
        constraint.fill_mask(constraint.start(), torch.zeros(setup.vocabulary.words, dtype=torch.int64))


def test_records_of_a_run_have_the_prompts_digest(setup, tmp_path):
    """`Format.messages` and the chat template give the tokens that a run gave, by their digest."""
    import hashlib
    import struct

    if not setup.tokenizer.chat_template:
        pytest.skip("the tiny checkpoint has no chat template")
    experiment = tmp_path / "one.toml"
    experiment.write_text(
        f'models = ["{setup.path.as_posix()}"]\nformats = ["json-list"]\nlevels = ["grounded"]\nbudget = 4\n'
        '[[corpora]]\nname = "mini"\nsplit = "test"\nlimit = 1\n[strategies]\nmasked = {}\n[examples]\nn = 0\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "gramask", "run", str(experiment), "--out", str(tmp_path / "run")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    [record] = gramask.load_run(tmp_path / "run").records()
    corpus = gramask.read_corpus("mini", "test", sentences=True)
    fmt = gramask.Format("json-list", labels=corpus.labels)
    text = next(document.text for document in corpus if document.id == record.document)
    tokens = setup.tokenizer(setup.prompt(fmt, corpus.labels, text), add_special_tokens=False)["input_ids"]
    assert hashlib.sha256(struct.pack(f"<{len(tokens)}I", *tokens)).hexdigest() == record.fields["prompt"]
    assert json.dumps(record.fields["tokens"]["prompt"]) == str(len(tokens))
