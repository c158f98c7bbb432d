//! Labels that are written as names of XML or Python, and must be such names.

use super::{CompileError, Op, Program};
use crate::notation::ast::{Syntax, Terminal};

impl Program {
    /// In XML a label that is written as a tag must be a name, and in Python one that is written as a class.
    pub(super) fn check_names(&self) -> Result<(), CompileError> {
        let tag = |pair: &[Op]| match pair {
            [Op::Literal(before), Op::Terminal(Terminal::Label)] => before.ends_with(b"<") || before.ends_with(b"</"),
            _ => false,
        };
        let class = |pair: &[Op]| match pair {
            [Op::Terminal(Terminal::Label), Op::Literal(after)] => after.starts_with(b"("),
            _ => false,
        };
        let (named, is_name, kind, instead): (bool, fn(&str) -> bool, _, _) =
            match self.format.grammar.directives.syntax {
                Some(Syntax::Xml) => (
                    self.ops.windows(2).any(tag),
                    is_xml_name,
                    "name of an XML tag",
                    "letters, digits, `_`, `-` and `.`, a letter or `_` first",
                ),
                Some(Syntax::Python) => (
                    self.ops.windows(2).any(class),
                    is_python_name,
                    "Python identifier",
                    "letters from a to z, digits and `_`, no digit first, and no keyword of Python",
                ),
                _ => return Ok(()),
            };
        match self.schema.labels().iter().find(|label| !is_name(label)) {
            Some(label) if named => {
                Err(CompileError::Name { format: self.format.name.clone(), label: label.clone(), kind, instead })
            }
            _ => Ok(()),
        }
    }
}

/// The names of XML 1.0 (section 2.3), without the colon, which namespaces use.
fn is_xml_name(label: &str) -> bool {
    let first = |c: char| {
        matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
            | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}' | '\u{200d}' | '\u{2070}'..='\u{218f}'
            | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
            | '\u{10000}'..='\u{effff}')
    };
    let later = |c: char| {
        first(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}')
    };
    label.starts_with(first) && label.chars().all(later)
}

/// The ASCII identifiers of Python 3. Others exist, but Python normalises them (NFKC), so that they would be other labels.
fn is_python_name(label: &str) -> bool {
    const KEYWORDS: &str = "False None True and as assert async await break class continue def del elif else except \
        finally for from global if import in is lambda nonlocal not or pass raise return try while with yield __debug__";
    label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.split_whitespace().any(|keyword| keyword == label)
}
