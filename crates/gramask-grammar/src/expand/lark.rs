//! Plain grammars as Lark for llguidance.
//!
//! llguidance cuts an output into lexemes, the longest first, and never takes a cut back. So a regular language is printed
//! with terminals alone, as one lexeme. A format that nests needs rules, and its lexemes are chosen so that only one cut is
//! possible.

use super::acyclic::acyclic;
use super::lexemes::Lexemes;
use super::plain::{Alternative, Piece, Plain};
use super::regex::{characters, times};

/// Loops are written as stars up to so many pieces; beyond that as rules.
const LARGE: usize = 200_000;

/// How a grammar is printed.
enum Style {
    /// Terminals that name each other.
    Terminals,
    /// Rules over lexemes.
    Rules(Lexemes),
}

impl Plain {
    /// The grammar in Lark's notation, as llguidance reads it.
    ///
    /// Terminals name each other as deep as the document is long. llguidance 1.9 follows them by recursion, and some
    /// thousand of them overflow a thread's stack of two megabytes.
    pub fn to_lark(&self) -> String {
        if self.is_regular()
            && let Some(rules) = acyclic(&self.rules, LARGE)
        {
            return self.lark(&rules, &Style::Terminals);
        }
        let lexemes = Lexemes::of(&self.rules).unwrap_or_else(Lexemes::characters);
        self.lark(&self.rules, &Style::Rules(lexemes))
    }

    /// The same language with every character a lexeme of its own, whatever the grammar: slower to parse, and with
    /// nothing left to how lexemes are cut.
    pub fn to_lark_characters(&self) -> String {
        self.lark(&self.rules, &Style::Rules(Lexemes::characters()))
    }

    fn lark(&self, rules: &[Vec<Alternative>], style: &Style) -> String {
        let mut text = String::new();
        for line in self.header() {
            text.push_str(&format!("// {line}\n"));
        }
        text.push_str(&format!("start: {}\n", style.name(0)));
        for (number, alternatives) in rules.iter().enumerate() {
            // A rule inside a loop, which was solved where the loop is entered.
            if alternatives.is_empty() {
                continue;
            }
            let written: Vec<String> = alternatives
                .iter()
                .map(|alternative| {
                    let pieces = alternative.pieces.iter().map(|piece| style.piece(piece));
                    let parts: Vec<String> = pieces.chain(alternative.next.map(|next| style.name(next))).collect();
                    match parts.is_empty() {
                        true => "\"\"".into(),
                        false => parts.join(" "),
                    }
                })
                .collect();
            text.push_str(&format!("{}: {}\n", style.name(number), written.join("\n    | ")));
        }
        if let Style::Rules(Lexemes { text: Some(unit), .. }) = style {
            text.push_str(&format!("TEXT: {}+\n", Style::Terminals.piece(unit)));
        }
        text
    }
}

impl Style {
    fn name(&self, rule: usize) -> String {
        match self {
            Style::Terminals => format!("R{rule}"),
            Style::Rules(_) => format!("r{rule}"),
        }
    }

    fn piece(&self, piece: &Piece) -> String {
        let list = |parts: &[Piece], between: &str| {
            let parts: Vec<String> = parts.iter().map(|part| self.piece(part)).collect();
            format!("({})", parts.join(between))
        };
        match (piece, self) {
            (piece, Style::Rules(lexemes)) if lexemes.text.as_ref() == Some(piece) => "TEXT".into(),
            (Piece::Literal(text), Style::Terminals) => quoted(text),
            (Piece::Literal(text), Style::Rules(lexemes)) => match lexemes.cut(text).as_slice() {
                [only] => quoted(only),
                parts => format!("({})", parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(" ")),
            },
            (Piece::Class(class), _) => format!("/{}/", characters(class)),
            (Piece::Choice(parts), _) => list(parts, " | "),
            (Piece::Sequence(parts), _) if parts.is_empty() => "\"\"".into(),
            (Piece::Sequence(parts), _) => list(parts, " "),
            (Piece::Repeat(body, min, max), _) => format!("{}{}", self.piece(body), times(*min, *max)),
            (Piece::Regex(pattern), _) => format!("/{}/", pattern.replace("\\/", "/").replace('/', "\\x2F")),
            (Piece::Rule(rule), _) => self.name(*rule),
        }
    }
}

/// A string as in JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
