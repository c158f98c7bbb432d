//! Instances of JSON Schemas beside other lexemes.
//!
//! llguidance reads an instance with lexemes of its own: brackets, strings, numbers. Here an instance is one part, which is not cut.
//! Its language is the same wherever no lexeme around it could take a byte of it, and it no byte of them. All other grammars are
//! refused: the checks look at the first byte of each side alone.

use super::super::super::error::Fault;
use super::super::json::Json;
use super::super::tokens::Lexeme;
use super::Lexer;
use super::rows::Rows;
use crate::byte_set::ByteSet;

impl Lexer<'_> {
    pub(super) fn json(&self, lexeme: usize) -> Option<&Json> {
        match self.tokens.lexemes.get(lexeme) {
            Some(Lexeme::Json(json)) => Some(json),
            _ => None,
        }
    }

    /// Notes instances that begin like another lexeme of their row, and those whose last number could go on with what follows.
    pub(super) fn check_instances(&self, rows: &Rows, faults: &mut Vec<Fault>) {
        let after = self.after(rows);
        for (place, here) in self.tokens.places.iter().enumerate() {
            let Some(json) = self.json(here.lexeme) else { continue };
            let mut onward = json.onward;
            for other in rows.may[place].iter().filter(|other| *other != here.lexeme && *other != self.ignored()) {
                match self.json(other) {
                    // Both are read together.
                    Some(other) => onward.union(&other.onward),
                    None if self.first(other).and(&json.first).is_empty() => {}
                    None => faults.push(
                        Fault::new(
                            here.span,
                            format!("{} is allowed here too, and begins as an instance can", self.named(other)),
                        )
                        .help("let one of the two begin with another character"),
                    ),
                }
            }
            if let Some(byte) = onward.and(&after[place]).iter().next() {
                let message = format!(
                    "the number at the end of an instance would go on with `{}`, which can follow it",
                    byte as char
                );
                faults.push(
                    Fault::new(here.span, message)
                        .help("let what follows begin with another character, such as a space"),
                );
            }
        }
    }

    /// The fault of an instance whose first byte the text before would take.
    pub(super) fn taken(&self, place: usize, bytes: &ByteSet) -> Fault {
        let byte = bytes.iter().next().unwrap_or_default();
        let message = format!("the text before this instance would go on with `{}`, its first character", byte as char);
        Fault::new(self.tokens.places[place].span, message)
            .help("let the text before end with a character that ends it, such as a space")
    }
}
