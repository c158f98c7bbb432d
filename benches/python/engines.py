"""The engines that `compare.py` measures, each driven as its own documentation says, on one thread.

`compile` takes the grammar of an item, `matcher` what it made. A matcher has `row`, the mask as NumPy's int32, and `fill`, `accept`
and `reset`. `processor` is for `generate()`: the engine's own one, where its package has one.
"""

import json

import numpy
import torch

import gramask
import gramask.transformers


class Unsupported(Exception):
    """An engine does not take a grammar."""


class Engine:
    #: For each syntax, best first, the method that compiles it.
    takes: dict[str, str]

    def syntax(self, item):
        """The syntax in which the engine takes an item's grammar best. Raises Unsupported if there is none."""
        for syntax in self.takes:
            if syntax in item.sources:
                return syntax
        reasons = [why for syntax, why in item.missing.items() if syntax in self.takes]
        raise Unsupported(reasons[0] if reasons else f"takes no grammar in {' or '.join(item.sources)}")

    def compile(self, item):
        syntax = self.syntax(item)
        return getattr(self, self.takes[syntax])(item.sources[syntax])

    def processor(self, compiled, budget):
        return Processor(self.matcher(compiled))


class Processor:
    """A logits processor of an engine that brings none for `transformers`."""

    def __init__(self, matcher):
        self.matcher = matcher
        self.begun = False

    def __call__(self, input_ids, scores):
        if self.begun:
            self.matcher.accept(int(input_ids[0, -1]))
        self.begun = True
        self.matcher.fill()
        bits = numpy.unpackbits(self.matcher.row.view(numpy.uint8), bitorder="little", count=scores.shape[-1])
        return scores.masked_fill(torch.from_numpy(bits == 0), -torch.inf)


class Gramask(Engine):
    name = "gramask"
    takes = {"format": "format", "json": "json", "regex": "regex", "lark": "lark", "gbnf": "gbnf"}

    def __init__(self, tokenizer, size):
        self.vocabulary = gramask.Vocabulary.from_transformers(tokenizer, size=size)

    def format(self, source):
        fmt, text = source
        return fmt.constraint(text, level="grounded", vocabulary=self.vocabulary)

    def json(self, schema):
        return gramask.Grammar.from_json_schema(schema).constraint(self.vocabulary)

    def regex(self, pattern):
        return gramask.Grammar.from_regex(pattern).constraint(self.vocabulary)

    def lark(self, text):
        return gramask.Grammar.from_lark(text).constraint(self.vocabulary)

    def gbnf(self, text):
        return gramask.Grammar.from_gbnf(text).constraint(self.vocabulary)

    def matcher(self, constraint):
        return GramaskMatcher(constraint)

    def processor(self, constraint, budget):
        return gramask.transformers.LogitsProcessor(constraint, budget=budget)


class GramaskMatcher:
    def __init__(self, constraint):
        self.constraint, self.state = constraint, constraint.start()
        self.row = numpy.zeros(constraint.vocabulary.words, numpy.int32)

    def fill(self):
        self.constraint.fill_mask(self.state, self.row)

    def accept(self, token):
        self.state = self.constraint.advance(self.state, token)

    def reset(self):
        self.state = self.constraint.start()


class Llguidance(Engine):
    """LLMatcher, by its functions for NumPy. JSON Schemas have the slices that llguidance recommends for them."""

    name = "llguidance"
    takes = {"json": "json", "regex": "regex", "lark": "lark", "gbnf": "gbnf"}

    def __init__(self, tokenizer, size):
        import llguidance.gbnf_to_lark
        import llguidance.hf
        import llguidance.numpy

        self.tools = llguidance
        self.tokens = llguidance.hf.from_tokenizer(tokenizer, n_vocab=size)
        self.tokens_for_json = self.tokens.with_slices(llguidance.LLTokenizer.json_slices())

    def json(self, schema):
        compact = {"whitespace_flexible": False}
        return self.of(self.tools.LLMatcher.grammar_from_json_schema(schema, overrides=compact), self.tokens_for_json)

    def regex(self, pattern):
        return self.of(self.tools.LLMatcher.grammar_from_regex(pattern))

    def lark(self, text):
        return self.of(self.tools.LLMatcher.grammar_from_lark(text))

    def gbnf(self, text):
        return self.lark(self.tools.gbnf_to_lark.gbnf_to_lark(text))

    def of(self, grammar, tokens=None):
        matcher = self.tools.LLMatcher(tokens or self.tokens, grammar)
        if matcher.is_error():
            raise RuntimeError(matcher.get_error())
        return matcher

    def matcher(self, compiled):
        return LlguidanceMatcher(self.tools, compiled.deep_copy(), self.tokens.vocab_size)


class LlguidanceMatcher:
    def __init__(self, tools, matcher, size):
        self.matcher, self.fill_row = matcher, tools.numpy.fill_next_token_bitmask
        self.rows = tools.numpy.allocate_token_bitmask(1, size)
        self.row = self.rows[0]

    def fill(self):
        self.fill_row(self.matcher, self.rows, 0)

    def accept(self, token):
        if not self.matcher.consume_token(token):
            raise RuntimeError(self.matcher.get_error())

    def reset(self):
        self.matcher.reset()


class Xgrammar(Engine):
    """GrammarMatcher of a grammar that was compiled for the vocabulary, and XGrammar's own logits processor."""

    name = "xgrammar"
    takes = {"json": "json", "ebnf": "ebnf", "regex": "regex", "gbnf": "ebnf", "lark": "lark"}

    def __init__(self, tokenizer, size):
        import xgrammar
        import xgrammar.contrib.hf

        self.tools, self.size = xgrammar, size
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=size)
        # Without its cache of grammars, so that each round compiles.
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)

    def json(self, schema):
        return self.compiler.compile_json_schema(schema, any_whitespace=False, separators=(",", ":"))

    def regex(self, pattern):
        return self.compiler.compile_regex(pattern)

    def ebnf(self, text):
        return self.compiler.compile_grammar(text)

    def lark(self, text):
        return self.compiler.compile_lark(text)

    def matcher(self, compiled):
        return XgrammarMatcher(self.tools, compiled, self.size)

    def processor(self, compiled, budget):
        return self.tools.contrib.hf.LogitsProcessor(compiled)


class XgrammarMatcher:
    def __init__(self, tools, compiled, size):
        self.matcher = tools.GrammarMatcher(compiled)
        self.rows = tools.allocate_token_bitmask(1, size)
        self.row = self.rows[0].numpy()

    def fill(self):
        self.matcher.fill_next_token_bitmask(self.rows, 0)

    def accept(self, token):
        if not self.matcher.accept_token(token):
            raise RuntimeError(f"token {token} is refused")

    def reset(self):
        self.matcher.reset()


class Outlines(Engine):
    """Guide of an index over the whole vocabulary. Its package has no logits processor."""

    name = "outlines-core"
    takes = {"json": "json", "regex": "regex"}

    def __init__(self, tokenizer, size):
        import outlines_core

        self.tools, self.size = outlines_core, size
        tokens = gramask.Vocabulary.from_transformers(tokenizer, size=size)
        ids = {}
        for token in range(len(tokens)):
            if not tokens.is_special(token) and tokens.bytes(token):
                ids.setdefault(tokens.bytes(token), []).append(token)
        self.vocabulary = outlines_core.Vocabulary(tokenizer.eos_token_id, ids)

    def json(self, schema):
        return self.regex(self.tools.json_schema.build_regex_from_schema(json.dumps(schema), whitespace_pattern=""))

    def regex(self, pattern):
        return self.tools.Index(pattern, self.vocabulary)

    def matcher(self, compiled):
        return OutlinesMatcher(self.tools.Guide(compiled), self.size)


class OutlinesMatcher:
    def __init__(self, guide, size):
        self.guide = guide
        self.row = numpy.zeros((size + 31) // 32, numpy.int32)

    def fill(self):
        self.guide.write_mask_into(self.row.ctypes.data, self.row.size, self.row.itemsize)

    def accept(self, token):
        self.guide.advance(token, return_tokens=False)

    def reset(self):
        self.guide.reset()
