//! KBNF: an Earley recogniser that remembers the masks of the states that it met.

use gramask_grammar::{Plain, Vocabulary};
use kbnf::{Engine as Kbnf, EngineLike, Token};

use crate::peer::{END, Engine, Walker};

/// It ends as soon as an output is complete and knows no end token. So the grammar gets an end of its own, [`END`], and the
/// end tokens write it; tokens that begin with that byte are left out.
pub struct KbnfEngine {
    vocabulary: kbnf::Vocabulary,
    size: usize,
}

impl KbnfEngine {
    pub fn new(vocabulary: &Vocabulary) -> Result<KbnfEngine, String> {
        let bytes = |id: u32| match vocabulary.is_end(id) {
            true => Some(vec![END]),
            false => vocabulary.text(id).filter(|text| text.first() != Some(&END)).map(<[u8]>::to_vec),
        };
        let ids = || (0..vocabulary.len() as u32).filter_map(|id| Some((id, bytes(id)?)));
        let tokens = ids().map(|(id, bytes)| (id, Token(bytes.into_boxed_slice()))).collect();
        let texts = ids().map(|(id, bytes)| (id, String::from_utf8_lossy(&bytes).into_owned())).collect();
        Ok(KbnfEngine {
            vocabulary: kbnf::Vocabulary::new(tokens, texts).map_err(|error| error.to_string())?,
            size: vocabulary.len(),
        })
    }
}

impl Engine for KbnfEngine {
    fn print(&self, plain: &Plain) -> Result<String, String> {
        Ok(shy(&plain.to_kbnf().replacen("start ::= r0;", "start ::= r0 \"\\u{3}\";", 1)))
    }

    fn compile(&self, grammar: &str) -> Result<Box<dyn Walker>, String> {
        let engine = Kbnf::new(grammar, self.vocabulary.clone()).map_err(|error| error.to_string())?;
        Ok(Box::new(At { engine, size: self.size }))
    }
}

/// Its parser takes brackets inside strings for brackets of the grammar: they are written by their numbers.
fn shy(grammar: &str) -> String {
    let mut out = String::new();
    let (mut inside, mut before) = (None, ' ');
    let mut characters = grammar.chars();
    while let Some(c) = characters.next() {
        match (inside, c) {
            (Some(_), '\\') => {
                out.push(c);
                out.extend(characters.next());
            }
            (Some(false), '(' | ')') => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            (Some(_), '"') => {
                inside = None;
                out.push(c);
            }
            (None, '"') => {
                // `#` begins a regular expression, in which brackets come in pairs.
                inside = Some(before == '#');
                out.push(c);
            }
            _ => out.push(c),
        }
        before = c;
    }
    out
}

struct At {
    engine: Kbnf,
    size: usize,
}

impl Walker for At {
    fn reset(&mut self) {
        self.engine.reset();
    }

    fn mask(&mut self) -> Result<(), String> {
        self.engine.compute_allowed_token_ids();
        Ok(())
    }

    fn row(&self, row: &mut [u32]) {
        let allowed = self.engine.allowed_token_ids_from_last_computation();
        for id in allowed.ones().filter(|id| *id < self.size) {
            row[id / 32] |= 1 << (id % 32);
        }
    }

    fn advance(&mut self, token: u32) -> bool {
        self.engine.try_accept_new_token(token).is_ok()
    }
}
