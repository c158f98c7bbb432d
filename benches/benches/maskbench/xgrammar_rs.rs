//! XGrammar, by its binding for Rust.

use gramask_grammar::Vocabulary;
use xgrammar::{GrammarCompiler, GrammarMatcher, TokenizerInfo, VocabType};

use crate::engines::{Engine, Walk};

/// The engine with a vocabulary.
pub struct Xgrammar {
    compiler: GrammarCompiler,
    words: usize,
}

impl Xgrammar {
    /// Prepares the vocabulary.
    pub fn new(vocabulary: &Vocabulary) -> Result<Xgrammar, String> {
        // An empty token is a special one there.
        let text = |id: u32| vocabulary.text(id).unwrap_or_default().to_vec();
        let tokens: Vec<Vec<u8>> = (0..vocabulary.len() as u32).map(text).collect();
        let ends = vocabulary.ends().iter().map(|&end| end as i32).collect();
        let info = TokenizerInfo::new_from_bytes(&tokens, VocabType::RAW, None, Some(ends), false)
            .map_err(|error| error.to_string())?;
        Ok(Xgrammar { compiler: GrammarCompiler::new(info, 1, false, -1), words: vocabulary.words() })
    }
}

impl Engine for Xgrammar {
    fn compile(&mut self, schema: &str) -> Result<Box<dyn Walk>, String> {
        // As MaskBench calls it: any white space, and other properties where the schema does not forbid them.
        let compiled = self.compiler.compile_json_schema(schema, true, None, None, false, None);
        let compiled = compiled.map_err(|error| error.to_string())?;
        let matcher = GrammarMatcher::from_compiled_grammar(&compiled, false);
        Ok(Box::new(Other { matcher, row: vec![0; self.words], all: false }))
    }
}

struct Other {
    matcher: GrammarMatcher,
    row: Vec<i32>,
    /// Nothing is forbidden, and the mask was not written.
    all: bool,
}

impl Walk for Other {
    fn reset(&mut self) {
        self.matcher.reset();
    }

    fn mask(&mut self) -> Result<(), String> {
        let shape = [1, self.row.len() as i64];
        let written = self.matcher.fill_next_token_bitmask(&mut self.row, &shape, 0);
        self.all = !written.map_err(|error| error.to_string())?;
        Ok(())
    }

    fn allows(&self, token: u32) -> bool {
        self.all || self.row[token as usize / 32] >> (token % 32) & 1 == 1
    }

    fn advance(&mut self, token: u32) -> bool {
        self.matcher.accept_token(token as i32)
    }
}
