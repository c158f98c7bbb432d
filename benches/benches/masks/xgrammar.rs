//! XGrammar (its Rust port): a pushdown automaton, with the masks of its places as far as they don't depend on the stack.

use gramask_grammar::{Plain, Vocabulary};
use xgrammar::{GrammarCompiler, GrammarMatcher, TokenizerInfo, VocabType};

use crate::peer::{Engine, Walker};

pub struct Xgrammar {
    compiler: GrammarCompiler,
    words: usize,
}

impl Xgrammar {
    pub fn new(vocabulary: &Vocabulary) -> Result<Xgrammar, String> {
        // An empty token is a special one there.
        let text = |id: u32| vocabulary.text(id).unwrap_or_default().to_vec();
        let tokens: Vec<Vec<u8>> = (0..vocabulary.len() as u32).map(text).collect();
        let ends = vocabulary.ends().iter().map(|&end| end as i32).collect();
        let info = TokenizerInfo::new_from_bytes(&tokens, VocabType::RAW, None, Some(ends), false)
            .map_err(|error| error.to_string())?;
        Ok(Xgrammar {
            // One thread, and no memory of grammars compiled before.
            compiler: GrammarCompiler::new(info, 1, false, -1),
            words: vocabulary.words(),
        })
    }
}

impl Engine for Xgrammar {
    fn print(&self, plain: &Plain) -> Result<String, String> {
        // It reads as many hexadecimal digits after `\x` as there are, and exactly four after `\u`.
        let grammar = plain.to_xgrammar().map_err(|error| error.to_string())?;
        Ok(grammar.replace("\\x", "\\u00"))
    }

    fn compile(&self, grammar: &str) -> Result<Box<dyn Walker>, String> {
        let compiled = self.compiler.compile_grammar_ebnf(grammar, "root").map_err(|error| error.to_string())?;
        Ok(Box::new(At {
            matcher: GrammarMatcher::from_compiled_grammar(&compiled, false),
            mask: vec![0; self.words],
            all: false,
        }))
    }
}

struct At {
    matcher: GrammarMatcher,
    mask: Vec<i32>,
    /// Nothing is forbidden, and the mask was not written.
    all: bool,
}

impl Walker for At {
    fn reset(&mut self) {
        self.matcher.reset();
    }

    fn mask(&mut self) -> Result<(), String> {
        let shape = [1, self.mask.len() as i64];
        let written = self.matcher.fill_next_token_bitmask(&mut self.mask, &shape, 0);
        self.all = !written.map_err(|error| error.to_string())?;
        Ok(())
    }

    fn row(&self, row: &mut [u32]) {
        for (to, from) in row.iter_mut().zip(&self.mask) {
            *to = if self.all { u32::MAX } else { *from as u32 };
        }
    }

    fn advance(&mut self, token: u32) -> bool {
        self.matcher.accept_token(token as i32)
    }
}
