//! A plain grammar as one regular expression, for outlines-core and other engines that take no more.

use std::collections::HashMap;

use regex_automata::util::syntax;

use super::PrintError;
use super::acyclic::acyclic;
use super::plain::{Alternative, Characters, Piece, Plain};

impl Plain {
    /// The language as a regular expression in the syntax of the `regex` crate, for a match of the whole text.
    ///
    /// An expression can't name its parts, so that what several alternatives lead to is written out in each: at level
    /// `grounded` this fits short documents only.
    ///
    /// # Errors
    /// Where the format nests, or the expression has more than `limit` characters.
    pub fn to_regex(&self, limit: usize) -> Result<String, PrintError> {
        if !self.is_regular() {
            return Err(PrintError::NotRegular);
        }
        let rules = acyclic(&self.rules, limit).ok_or(PrintError::TooLong { limit })?;
        let mut known: HashMap<usize, String> = HashMap::new();
        // Each rule after those that it needs.
        let mut stack = vec![(0, false)];
        while let Some((rule, ready)) = stack.pop() {
            if known.contains_key(&rule) {
                continue;
            }
            if !ready {
                stack.push((rule, true));
                let needed = rules[rule].iter().filter_map(|alternative| alternative.next);
                stack.extend(needed.map(|next| (next, false)));
                continue;
            }
            let text = alternatives(&rules[rule], &known);
            if text.len() > limit {
                return Err(PrintError::TooLong { limit });
            }
            known.insert(rule, text);
        }
        Ok(known.remove(&0).unwrap_or_default())
    }
}

fn alternatives(alternatives: &[Alternative], known: &HashMap<usize, String>) -> String {
    let written = alternatives.iter().map(|alternative| {
        let mut text: String = alternative.pieces.iter().map(regex).collect();
        if let Some(rest) = alternative.next.and_then(|next| known.get(&next)) {
            text.push_str(rest);
        }
        text
    });
    match alternatives.len() {
        1 => written.collect(),
        _ => group(&written.collect::<Vec<_>>()),
    }
}

fn group(parts: &[String]) -> String {
    format!("(?:{})", parts.join("|"))
}

/// A piece as a regular expression.
pub(super) fn regex(piece: &Piece) -> String {
    match piece {
        Piece::Literal(text) => text.chars().map(escaped).collect(),
        Piece::Class(class) => characters(class),
        Piece::Choice(parts) => group(&parts.iter().map(regex).collect::<Vec<_>>()),
        Piece::Sequence(parts) => parts.iter().map(regex).collect(),
        Piece::Repeat(body, min, max) => {
            let text = match &**body {
                Piece::Class(_) | Piece::Choice(_) => regex(body),
                body => group(&[regex(body)]),
            };
            format!("{text}{}", times(*min, *max))
        }
        Piece::Regex(pattern) => pattern_in_group(pattern),
        // Regular grammars have none.
        Piece::Rule(_) => String::new(),
    }
}

/// A pattern as part of a larger one. In the mode `x` a comment at its end would swallow the bracket. Such a pattern is
/// written anew from its tree.
pub(super) fn pattern_in_group(pattern: &str) -> String {
    let whole = group(&[pattern.to_owned()]);
    match (syntax::parse(pattern), syntax::parse(&whole)) {
        (Ok(tree), Ok(in_group)) if tree == in_group => whole,
        (Ok(tree), _) => group(&[tree.to_string()]),
        (Err(_), _) => whole,
    }
}

/// How often something is repeated.
pub(super) fn times(min: u32, max: Option<u32>) -> String {
    match (min, max) {
        (0, None) => "*".into(),
        (1, None) => "+".into(),
        (0, Some(1)) => "?".into(),
        (1, Some(1)) => String::new(),
        (min, None) => format!("{{{min},}}"),
        (min, Some(max)) => format!("{{{min},{max}}}"),
    }
}

/// A set in brackets, the way round that is shorter.
pub(super) fn characters(class: &Characters) -> String {
    let (sign, ranges) = match class.is_open() {
        true => ("^", class.complement()),
        false => ("", class.clone()),
    };
    let range = |&(first, last): &(char, char)| match first == last {
        true => escaped(first),
        false => format!("{}-{}", escaped(first), escaped(last)),
    };
    match ranges.0.is_empty() {
        // Every character there is.
        true => r"[\x00-\x{10FFFF}]".into(),
        false => format!("[{sign}{}]", ranges.0.iter().map(range).collect::<String>()),
    }
}

/// One character, by its number where it could mean something else.
fn escaped(c: char) -> String {
    match c {
        c if c.is_ascii_alphanumeric() || c == ' ' => c.to_string(),
        c if c.is_ascii() => format!("\\x{:02X}", c as u32),
        c if c.is_alphanumeric() => c.to_string(),
        c => format!("\\x{{{:X}}}", c as u32),
    }
}
