//! The program of a plain grammar: what takes a program of a format takes it, too.
//!
//! Its outputs say no entities. The writer writes the shortest output, and the reader says whether an output is one of the
//! grammar. Nothing is repaired.

use std::collections::BTreeMap;
use std::sync::Arc;

use gramask_ner::{Schema, visible};

use crate::engine::State;
use crate::plain::{CompiledGrammar, NetworkError, NetworkLimits};
use crate::program::Program;
use crate::read::{ReadError, Reading};
use crate::{Constraint, ConstraintError, Format, Grammar};

/// So many bytes that could follow are named in a message.
const NAMED: usize = 8;

/// A grammar over one of the limits, so that there is no program of it.
#[derive(Debug, thiserror::Error)]
#[error("grammar `{grammar}`: {source}")]
pub struct PlainProgramError {
    /// The name of the grammar.
    pub grammar: String,
    /// The limit.
    pub source: NetworkError,
}

impl Program {
    /// The program of a plain grammar. It has no schema, and its outputs say no entities.
    ///
    /// ```
    /// use gramask_grammar::{Grammar, NetworkLimits, Program};
    /// use gramask_ner::Text;
    ///
    /// let grammar = Grammar::from_json_schema(r#"{"enum": ["yes", "no"]}"#, &Default::default())?;
    /// let program = Program::of_grammar(&grammar, &NetworkLimits::default())?;
    /// let text = Text::new("");
    /// assert_eq!(program.write(&text, &[])?.text, "\"no\"");
    /// assert!(program.read(&text, br#""yes""#).is_ok());
    /// let error = program.read(&text, br#""maybe""#).unwrap_err();
    /// assert_eq!(error.to_string(), "byte 1: found `maybe\"`, expected `n` or `y`");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A grammar over one of the limits.
    pub fn of_grammar(grammar: &Grammar, limits: &NetworkLimits) -> Result<Arc<Program>, PlainProgramError> {
        let compiled = CompiledGrammar::compile(grammar, limits)
            .map_err(|source| PlainProgramError { grammar: grammar.name().to_owned(), source })?;
        // A format with the grammar's name; nothing reads its rules.
        let format = Format::parse(grammar.name(), "start: \" \"\n");
        let format = format.unwrap_or_else(|errors| unreachable!("the text is a format: {errors}"));
        let format = Format { description: grammar.description().to_owned(), source: String::new(), ..format };
        let mut program = Program::empty(&format, &Schema::new::<String>([]));
        program.grammar = Some(compiled);
        Ok(Arc::new(program))
    }

    /// The plain grammar that [`Program::of_grammar`] made the program of.
    pub fn grammar(&self) -> Option<&Arc<CompiledGrammar>> {
        self.grammar.as_ref()
    }
}

/// The shortest output. A special token is written as its name.
pub(crate) fn shortest_plain(grammar: &Arc<CompiledGrammar>) -> String {
    let rest = constraint(grammar).map(|mut constraint| {
        let start = constraint.start();
        constraint.shortest_rest(start)
    });
    String::from_utf8_lossy(&rest.unwrap_or_default()).into_owned()
}

/// Reads an output byte by byte. Where it has the name of a special token, that token may stand there, too.
pub(crate) fn read_plain(grammar: &Arc<CompiledGrammar>, output: &[u8]) -> Result<Reading, ReadError> {
    let nothing = |_| ReadError::Truncated { offset: 0, expected: "nothing".into() };
    let mut constraint = constraint(grammar).map_err(nothing)?;
    // The states at each place that is reached, first to last.
    let mut reached = BTreeMap::from([(0, vec![constraint.start()])]);
    let mut last = (0, Vec::new());
    while let Some((place, states)) = reached.pop_first() {
        if place == output.len() && states.iter().any(|state| constraint.accepts(*state)) {
            return Ok(Reading::default());
        }
        let rest = &output[place..];
        let written = rest.first().map(|byte| (u32::from(*byte), 1));
        let specials = grammar.specials().iter().zip(CompiledGrammar::END + 1..);
        let specials =
            specials.filter(|(name, _)| rest.starts_with(name.as_bytes())).map(|(name, id)| (id, name.len()));
        for (token, length) in written.into_iter().chain(specials) {
            for state in &states {
                let Some(next) = constraint.advance(*state, token) else { continue };
                let at = reached.entry(place + length).or_default();
                if !at.contains(&next) {
                    at.push(next);
                }
            }
        }
        last = (place, states);
    }
    let (offset, states) = last;
    let expected = expected(&mut constraint, &states);
    if offset == output.len() {
        return Err(ReadError::Truncated { offset, expected });
    }
    let rest = String::from_utf8_lossy(&output[offset..]);
    let found = format!("`{}`", visible(&rest.chars().take(12).collect::<String>()));
    Err(ReadError::Syntax { offset, found, expected })
}

/// The constraint over single bytes.
fn constraint(grammar: &Arc<CompiledGrammar>) -> Result<Constraint, ConstraintError> {
    Constraint::of_grammar(grammar, Arc::clone(grammar.byte_vocabulary()))
}

/// What could follow in one of these states, in words.
fn expected(constraint: &mut Constraint, states: &[State]) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    for &state in states {
        let (forced, _) = constraint.forced(state);
        match forced.is_empty() {
            false => add(format!("`{}`", visible(&String::from_utf8_lossy(&forced)))),
            true => {
                for (byte, _) in constraint.next_bytes(state) {
                    add(format!("`{}`", visible(&String::from_utf8_lossy(&[byte]))));
                }
            }
        }
        if constraint.accepts(state) {
            add("the end".into());
        }
    }
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    match more {
        0 => names.join(" or "),
        more => format!("{} or {more} other byte(s)", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_ner::{Entity, Text};

    fn program(grammar: &str) -> Arc<Program> {
        Program::of_grammar(&Grammar::from_gbnf(grammar).unwrap(), &NetworkLimits::default()).unwrap()
    }

    #[test]
    fn outputs_are_read_and_faults_are_named() {
        let list = program("root ::= \"[\" (item (\",\" item)*)? \"]\"\nitem ::= [0-9]+ | root\n");
        let read = |output: &str| list.read(&Text::new("a text"), output.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(read("[1,[22,[]],3]"), Ok(Reading::default()));
        assert_eq!(
            read("[1,[22"),
            Err("the output ends at byte 6, expected `,`, `0`, `1`, `2`, `3`, `4`, `5`, `6` or 4 other byte(s)".into())
        );
        assert_eq!(read("[1,x]").unwrap_err().split(',').next(), Some("byte 3: found `x]`"));
        assert_eq!(read("[]]"), Err("byte 2: found `]`, expected the end".into()));
        assert_eq!(read(""), Err("the output ends at byte 0, expected `[`".into()));
    }

    #[test]
    fn the_shortest_output_is_written_and_says_no_entity() {
        let list = program("root ::= \"(\" [a-z]{2,} \")\"\n");
        let written = list.write(&Text::new("Naloxone"), &[Entity::new("Chemical", 0, 8)]).unwrap();
        assert_eq!((written.text.len(), written.unexpressed.len()), (4, 1));
        assert!(list.read(&Text::new(""), written.text.as_bytes()).is_ok());
        assert_eq!(list.repair(&Text::new(""), b"(a").text, "(a", "nothing is mended");
    }

    #[test]
    fn a_special_token_is_read_by_its_name() {
        let grammar = Grammar::from_lark("start: <|call|> /[a-z<|>]+/\n").unwrap();
        let program = Program::of_grammar(&grammar, &NetworkLimits::default()).unwrap();
        let reads = |output: &str| program.read(&Text::new(""), output.as_bytes()).is_ok();
        assert!(reads("<|call|>abc") && reads("<|call|><|call|>") && !reads("abc") && !reads("<|call|>"));
        assert!(program.write(&Text::new(""), &[]).unwrap().text.starts_with("<|call|>"));
    }
}
