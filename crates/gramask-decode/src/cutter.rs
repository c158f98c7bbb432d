//! Cutting text that nobody sampled into tokens.
//!
//! A language model has seen texts cut by its tokenizer and in no other way, so that forced text is written in the tokens
//! that the tokenizer would give, also where these reach across the seam to what was sampled before ("token healing").

use std::fmt;
use std::str;
use std::sync::Arc;

use crate::prompt::PromptTokenizer;
use crate::vocabulary::TokenTable;

/// A tokenizer and the bytes of its tokens.
#[derive(Clone)]
pub struct Cutter {
    tokenizer: Arc<dyn PromptTokenizer + Send + Sync>,
    table: Arc<TokenTable>,
}

impl fmt::Debug for Cutter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cutter").field("tokens", &self.table.len()).finish_non_exhaustive()
    }
}

impl Cutter {
    /// Cuts as the tokenizer does; `table` has the bytes of its tokens.
    pub fn new(tokenizer: Arc<dyn PromptTokenizer + Send + Sync>, table: Arc<TokenTable>) -> Self {
        Cutter { tokenizer, table }
    }

    /// The bytes of the tokens.
    pub fn table(&self) -> &TokenTable {
        &self.table
    }

    /// The tokens of `text` as the tokenizer gives them when it cuts `before` and `text` together. `None` where one of its
    /// tokens reaches across the seam, or where the two are not whole characters.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use gramask_decode::{Cutter, mock::{MockTokenizer, table}};
    /// let cutter = Cutter::new(Arc::new(MockTokenizer::default()), Arc::new(table(&[])));
    /// assert_eq!(cutter.cut(b"a ", b"bc"), Some(vec![98, 99]));
    /// assert_eq!(cutter.cut(b"\xE2\x82", b"\xAC!"), Some(vec![0xAC, 33])); // together they are characters
    /// assert_eq!(cutter.cut(b"", b"\xE2\x82"), None);
    /// ```
    pub fn cut(&self, before: &[u8], text: &[u8]) -> Option<Vec<u32>> {
        let whole = [before, text].concat();
        let tokens = self.tokenizer.encode(str::from_utf8(&whole).ok()?, false);
        let written: usize = tokens.iter().map(|&token| self.table.bytes(token).len()).sum();
        // Some tokenizers put a space before a text's first word.
        let extra = written.checked_sub(whole.len()).filter(|&extra| extra <= 1)?;
        let (mut at, mut first) = (0, 0);
        while at < before.len() + extra {
            at += self.table.bytes(*tokens.get(first)?).len();
            first += 1;
        }
        let mut rest = text;
        for &token in &tokens[first..] {
            rest = rest.strip_prefix(self.table.bytes(token))?;
        }
        (rest.is_empty() && at == before.len() + extra).then(|| tokens[first..].to_vec())
    }
}
