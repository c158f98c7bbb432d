//! Free text at level `syntax`: which characters may come, as classes, and how they move the automaton of delimiters.

use crate::delimiters::Tail;
use std::collections::BTreeMap;

use super::plain::{Characters, Piece};
use crate::program::{Op, Program};

/// The characters of free text from one state of the delimiters on, by the state after them.
pub(super) struct Classes {
    /// `by_state[state]`: what may be written, and the state after it.
    by_state: BTreeMap<Tail, Vec<(Piece, Tail)>>,
    /// No delimiter can begin in free text.
    pub simple: bool,
}

impl Classes {
    pub fn new(program: &Program) -> Classes {
        let mut classes = Classes { by_state: BTreeMap::new(), simple: true };
        let named = named(program);
        let mut open = vec![Tail::NONE];
        while let Some(state) = open.pop() {
            let steps = steps(program, &named, state);
            for &(_, next) in &steps {
                if next != state && !classes.by_state.contains_key(&next) && !open.contains(&next) {
                    open.push(next);
                }
            }
            classes.by_state.insert(state, steps);
        }
        classes.simple = classes.by_state.len() == 1;
        classes
    }

    /// What may be written after `state`, with the states after it.
    pub fn from(&self, state: Tail) -> &[(Piece, Tail)] {
        self.by_state.get(&state).map_or(&[], Vec::as_slice)
    }

    /// One character of free text, where there are no delimiters to heed.
    pub fn unit(&self) -> Piece {
        Piece::Choice(self.from(Tail::NONE).iter().map(|(piece, _)| piece.clone()).collect())
    }
}

/// The characters that the grammar or the escape treat differently from any other: of the rest each is written as itself
/// and begins no delimiter.
fn named(program: &Program) -> Vec<char> {
    let mut written = Vec::new();
    let escaped = |c: &char| {
        written.clear();
        !program.escape().write(*c, &mut written) || written != c.encode_utf8(&mut [0; 4]).as_bytes()
    };
    let mut named: Vec<char> = ('\0'..=char::MAX).filter(escaped).collect();
    for op in &program.ops {
        if let Op::Literal(bytes) = op {
            named.extend(String::from_utf8_lossy(bytes).chars());
        }
    }
    named.sort_unstable();
    named.dedup();
    named
}

fn steps(program: &Program, named: &[char], state: Tail) -> Vec<(Piece, Tail)> {
    // By the state after: characters written as themselves, and other ways to write one.
    let mut after: BTreeMap<Tail, (Vec<char>, Vec<String>)> = BTreeMap::new();
    let mut excluded = Vec::new();
    for &c in named {
        excluded.push(c);
        let mut written = Vec::new();
        if !program.escape().write(c, &mut written) {
            continue;
        }
        let Some(next) = program.delimiters.run(state, &written) else {
            continue;
        };
        let entry = after.entry(next).or_default();
        match String::from_utf8(written) {
            Ok(text) if text.chars().eq([c]) => entry.0.push(c),
            Ok(text) => entry.1.push(text),
            Err(_) => {}
        }
    }
    // All other characters lead where one does that is in no delimiter: to the start.
    let (included, mut escaped) = after.remove(&Tail::NONE).unwrap_or_default();
    let plain = Characters::except(&excluded.into_iter().filter(|c| !included.contains(c)).collect::<Vec<_>>());
    escaped.sort_unstable();
    let mut found: Vec<(Piece, Tail)> = vec![(choice(plain, escaped), Tail::NONE)];
    for (next, (included, escaped)) in after {
        found.push((choice(Characters::of(&included), escaped), next));
    }
    found
}

fn choice(class: Characters, escaped: Vec<String>) -> Piece {
    let mut parts: Vec<Piece> = Vec::new();
    if !class.0.is_empty() {
        parts.push(Piece::Class(class));
    }
    parts.extend(escaped.into_iter().map(Piece::Literal));
    match <[Piece; 1]>::try_from(parts) {
        Ok([only]) => only,
        Err(parts) => Piece::Choice(parts),
    }
}

#[cfg(test)]
mod tests {
    use gramask_ner::Schema;

    use super::*;
    use crate::Format;

    #[test]
    fn classes_hold_what_the_escape_writes() {
        for escape in ["none", "json", "xml", "csv", "yaml", "markdown", "backslash \"[]é\""] {
            let source = format!("%escape {escape}\nstart: (\"<\" entity)*\nentity: @label \"<\" @text \"#@é\"\n");
            let format = Format::parse("test", source).unwrap();
            let program = Program::compile(&format, &Schema::new(["X"])).unwrap();
            let classes = Classes::new(&program);
            for &state in classes.by_state.keys() {
                let steps = classes.from(state);
                for c in (0..0x2_0000).chain(0x10_fff0..0x11_0000).filter_map(char::from_u32) {
                    let mut written = Vec::new();
                    let writable = program.escape().write(c, &mut written);
                    let expected = program.delimiters.run(state, &written).filter(|_| writable);
                    let has = |piece: &Piece| match piece {
                        Piece::Class(class) => class.contains(c) && written == c.to_string().as_bytes(),
                        Piece::Literal(text) => text.as_bytes() == written,
                        _ => false,
                    };
                    let fits = |piece: &Piece| match piece {
                        Piece::Choice(parts) => parts.iter().any(has),
                        piece => has(piece),
                    };
                    let found: Vec<Tail> = steps.iter().filter(|step| fits(&step.0)).map(|step| step.1).collect();
                    assert_eq!(found, Vec::from_iter(expected), "{escape} {state:?} {c:?}");
                    if !writable || written != c.to_string().as_bytes() {
                        let raw = |piece: &Piece| match piece {
                            Piece::Class(class) => class.contains(c),
                            _ => false,
                        };
                        let any = |step: &(Piece, Tail)| match &step.0 {
                            Piece::Choice(parts) => parts.iter().any(raw),
                            piece => raw(piece),
                        };
                        assert!(!steps.iter().any(any), "{escape} {c:?} as itself");
                    }
                }
            }
        }
    }
}
