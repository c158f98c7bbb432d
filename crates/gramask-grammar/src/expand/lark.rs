//! Plain grammars as Lark for llguidance.
//!
//! llguidance cuts an output into lexemes, the longest first, and never takes a cut back. So a regular language is printed
//! as terminals alone: it is one lexeme, and there is nothing to cut. Where a format nests there must be rules, and the
//! lexemes of those are single characters, which can be cut in one way only.

use super::acyclic::acyclic;
use super::plain::{Alternative, Piece, Plain};
use super::regex::{characters, times};

/// Loops are written as stars up to so many pieces; beyond that as rules.
const LARGE: usize = 200_000;

impl Plain {
    /// The grammar in Lark's notation, as llguidance reads it.
    pub fn to_lark(&self) -> String {
        if self.is_regular()
            && let Some(rules) = acyclic(&self.rules, LARGE)
        {
            return self.lark(&rules, true);
        }
        self.lark(&self.rules, false)
    }

    /// The same language with every character a lexeme of its own, whatever the grammar: slower to parse, and with
    /// nothing left to how lexemes are cut.
    pub fn to_lark_characters(&self) -> String {
        self.lark(&self.rules, false)
    }

    fn lark(&self, rules: &[Vec<Alternative>], terminals: bool) -> String {
        let mut text = String::new();
        for line in self.header() {
            text.push_str(&format!("// {line}\n"));
        }
        let name = |rule: usize| match terminals {
            true => format!("R{rule}"),
            false => format!("r{rule}"),
        };
        text.push_str(&format!("start: {}\n", name(0)));
        for (number, alternatives) in rules.iter().enumerate() {
            if alternatives.is_empty() {
                continue;
            }
            let written = alternatives.iter().map(|alternative| {
                let mut parts: Vec<String> =
                    alternative.pieces.iter().map(|piece| lark(piece, terminals, &name)).collect();
                parts.extend(alternative.next.map(&name));
                match parts.is_empty() {
                    true => "\"\"".into(),
                    false => parts.join(" "),
                }
            });
            let written: Vec<String> = written.collect();
            text.push_str(&format!("{}: {}\n", name(number), written.join("\n    | ")));
        }
        text
    }
}

fn lark(piece: &Piece, whole: bool, name: &impl Fn(usize) -> String) -> String {
    let list = |parts: &[Piece], between: &str| {
        let parts: Vec<String> = parts.iter().map(|part| lark(part, whole, name)).collect();
        format!("({})", parts.join(between))
    };
    match piece {
        Piece::Literal(text) if whole => quoted(text),
        Piece::Literal(text) => {
            let single: Vec<String> = text.chars().map(|c| quoted(c.encode_utf8(&mut [0; 4]))).collect();
            match single.len() {
                1 => single.concat(),
                _ => format!("({})", single.join(" ")),
            }
        }
        Piece::Class(class) => format!("/{}/", characters(class)),
        Piece::Choice(parts) => list(parts, " | "),
        Piece::Sequence(parts) if parts.is_empty() => "\"\"".into(),
        Piece::Sequence(parts) => list(parts, " "),
        Piece::Repeat(body, min, max) => match &**body {
            // A postfix sign binds to what stands directly before it.
            Piece::Literal(_) | Piece::Regex(_) => format!("({}){}", lark(body, whole, name), times(*min, *max)),
            body => format!("{}{}", lark(body, whole, name), times(*min, *max)),
        },
        Piece::Regex(pattern) => format!("/{}/", pattern.replace("\\/", "/").replace('/', "\\x2F")),
        Piece::Rule(rule) => name(*rule),
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
