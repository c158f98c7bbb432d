//! Plain grammars in the notations of XGrammar (the GBNF of llama.cpp, more or less) and of KBNF.

use super::PrintError;
use super::plain::{Alternative, Characters, Piece, Plain};
use super::regex::{regex, times};

impl Plain {
    /// The grammar as XGrammar's EBNF; the start is `root`.
    ///
    /// # Errors
    /// Where the format file has a regular expression, which this notation can't hold.
    pub fn to_xgrammar(&self) -> Result<String, PrintError> {
        let mut text: String = self.header().iter().map(|line| format!("# {line}\n")).collect();
        text.push_str("root ::= r0\n");
        for (number, alternatives) in self.rules.iter().enumerate() {
            let written = alternatives.iter().map(xgrammar_alternative).collect::<Result<Vec<_>, _>>()?;
            text.push_str(&format!("r{number} ::= {}\n", written.join(" | ")));
        }
        Ok(text)
    }

    /// The grammar as KBNF; the start is `start`. What is no literal is a regular expression there.
    pub fn to_kbnf(&self) -> String {
        let mut text: String =
            self.header().iter().map(|line| format!("(* {} *)\n", line.replace("*)", "* )"))).collect();
        text.push_str("start ::= r0;\n");
        for (number, alternatives) in self.rules.iter().enumerate() {
            // `|` binds closer than what stands side by side: each alternative needs its brackets.
            let written: Vec<String> = alternatives
                .iter()
                .filter(|alternative| !is_empty(alternative))
                .map(|alternative| {
                    let pieces =
                        alternative.pieces.iter().map(kbnf).chain(alternative.next.map(|next| format!("r{next}")));
                    format!("({})", pieces.collect::<Vec<_>>().join(" "))
                })
                .collect();
            let all = match (written.is_empty(), alternatives.iter().any(is_empty)) {
                (true, _) => "\"\"".to_owned(),
                (_, true) => format!("({})?", written.join(" | ")),
                _ => written.join(" | "),
            };
            text.push_str(&format!("r{number} ::= {all};\n"));
        }
        text
    }
}

fn is_empty(alternative: &Alternative) -> bool {
    alternative.pieces.is_empty() && alternative.next.is_none()
}

fn kbnf(piece: &Piece) -> String {
    match piece {
        Piece::Literal(text) => format!("\"{}\"", text.chars().map(kbnf_character).collect::<String>()),
        Piece::Rule(rule) => format!("r{rule}"),
        piece => format!("#\"{}\"", regex(piece).replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// By number where it could mean something, brackets too: KBNF counts them inside strings.
fn kbnf_character(c: char) -> String {
    match c {
        c if c.is_ascii_alphanumeric() || c == ' ' => c.to_string(),
        c if c.is_ascii() => format!("\\x{:02x}", c as u32),
        c => c.to_string(),
    }
}

fn xgrammar_alternative(alternative: &Alternative) -> Result<String, PrintError> {
    let mut parts = alternative.pieces.iter().map(xgrammar).collect::<Result<Vec<_>, _>>()?;
    parts.extend(alternative.next.map(|next| format!("r{next}")));
    if parts.is_empty() {
        parts.push("\"\"".into());
    }
    Ok(parts.join(" "))
}

fn xgrammar(piece: &Piece) -> Result<String, PrintError> {
    let list = |parts: &[Piece], between: &str| -> Result<String, PrintError> {
        let parts = parts.iter().map(xgrammar).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({})", parts.join(between)))
    };
    match piece {
        Piece::Literal(text) => Ok(format!("\"{}\"", text.chars().map(xgrammar_character).collect::<String>())),
        Piece::Class(class) => Ok(xgrammar_class(class)),
        Piece::Choice(parts) => list(parts, " | "),
        Piece::Sequence(parts) if parts.is_empty() => Ok("\"\"".into()),
        Piece::Sequence(parts) => list(parts, " "),
        Piece::Repeat(body, min, max) => Ok(format!("{}{}", xgrammar(body)?, times(*min, *max))),
        Piece::Regex(pattern) => Err(PrintError::Regex { pattern: pattern.clone() }),
        Piece::Rule(rule) => Ok(format!("r{rule}")),
    }
}

fn xgrammar_class(class: &Characters) -> String {
    let (sign, ranges) = match class.is_open() {
        true => ("^", class.complement()),
        false => ("", class.clone()),
    };
    let range = |&(first, last): &(char, char)| match first == last {
        true => xgrammar_character(first),
        false => format!("{}-{}", xgrammar_character(first), xgrammar_character(last)),
    };
    match ranges.0.is_empty() {
        true => "[\\0-\\U0010FFFF]".into(),
        false => format!("[{sign}{}]", ranges.0.iter().map(range).collect::<String>()),
    }
}

fn xgrammar_character(c: char) -> String {
    match c {
        c if c.is_ascii_alphanumeric() || c == ' ' => c.to_string(),
        c if !c.is_ascii() && c.is_alphanumeric() => c.to_string(),
        // Of so many digits always: `\x` takes all that follow.
        c if (c as u32) < 0x10000 => format!("\\u{:04x}", c as u32),
        c => format!("\\U{:08x}", c as u32),
    }
}
