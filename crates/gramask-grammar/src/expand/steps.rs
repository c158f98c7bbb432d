//! The meaning of each operation: what can be written at a place of the program, and where that leads.

use std::collections::HashSet;
use std::sync::Arc;

use gramask_ner::Text;

use super::Approximation;
use super::classes::Classes;
use super::entity::{Passed, Past, Referred};
use super::plain::{Characters, Piece};
use crate::Constraint;
use crate::Level;
use crate::delimiters::Tail;
use crate::notation::ast::{ExprKind, Terminal};
use crate::program::{LabelId, Op, Pc, Program, is_free};
use crate::source::Source;

/// Numbers at level `syntax` have at most so many digits.
const DIGITS: u32 = 6;

/// How much of something may still come; `None` is without bound.
type Allowance = Option<u32>;

/// What an open entity knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Open {
    /// Level `syntax`: its label, once written.
    Loose(Option<LabelId>),
    /// Level `grounded`, cursor formats.
    Passed(Passed),
    /// Level `grounded`, formats that refer to the document.
    Referred(Referred),
}

/// A place in a program, with all that was written before as far as it matters. The stack of calls is not part of it: a
/// called rule has a table of its own, and begins with nothing but its caller's innermost open entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub pc: Pc,
    /// Inside free text that has a character already; how many more it may have.
    free: Option<Allowance>,
    /// Level `grounded`: the element that the cursor stands before.
    cursor: u32,
    /// Level `syntax`: characters of copied text, units of `@skip`, entities.
    copied: Allowance,
    units: Allowance,
    entities: Allowance,
    /// The context's label.
    label: LabelId,
    past: Past,
    /// The state of the delimiters after free text.
    tail: Tail,
    opens: Vec<Open>,
    /// Where the entity closed that a called rule was: its first word, last word and label.
    closed: Option<(u32, u32, LabelId)>,
}

/// What comes next at a place.
pub(super) enum Step {
    /// Writes a piece and goes on.
    Write(Piece, Place),
    /// Runs a rule that begins at the first place, and goes on after the call at the second.
    Call(Place, Place),
    /// The called rule, or the output, ends here.
    End(Place),
}

pub(super) struct Steps<'a> {
    program: &'a Program,
    source: &'a Source,
    grounded: bool,
    classes: Classes,
    start: Place,
    /// Characters of one mention: exactly, and as far as an automaton of delimiters counts them.
    characters: u32,
    mention: Allowance,
    pub approximations: Vec<Approximation>,
}

impl<'a> Steps<'a> {
    pub fn new(program: &'a Arc<Program>, source: &'a Source, text: &Text, level: Level, counted: u32) -> Steps<'a> {
        let (characters, words) = ((text.len() as u32).saturating_add(Constraint::SLACK), source.len());
        let mut start = Place {
            pc: Pc::START,
            free: None,
            cursor: 0,
            copied: None,
            units: None,
            entities: None,
            label: LabelId::NONE,
            past: Past::default(),
            tail: Tail::NONE,
            opens: Vec::new(),
            closed: None,
        };
        let classes = Classes::new(program);
        let mut approximations = Vec::new();
        let mut mention = None;
        if level == Level::Syntax {
            // Where a format nests, what is left of an allowance would have to be known on the way into each entity and on
            // the way out, which is a rule for each pair of numbers.
            let nests = program.ops.iter().any(|op| matches!(op, Op::Call(_)));
            let counted = if nests { 0 } else { counted };
            let mut allow = |used: bool, number: u32, left_out: Approximation| match (used, number <= counted) {
                (false, _) => None,
                (true, true) => Some(number),
                (true, false) => {
                    approximations.push(left_out);
                    None
                }
            };
            let text = program.ops.iter().any(|op| matches!(op, Op::Terminal(Terminal::Text)));
            mention = allow(text && !classes.simple, characters, Approximation::Mention(characters));
            let copied = program.cursor && !program.skips;
            start.copied = allow(copied, characters, Approximation::Copied(characters));
            let units = (2 * words).saturating_add(Constraint::SLACK);
            start.units = allow(program.skips, units, Approximation::Units(units));
            let most = most_entities(program, words).saturating_add(Constraint::SLACK);
            start.entities = allow(holds_entities(program), most, Approximation::Entities(most));
        }
        Steps {
            program,
            source,
            grounded: level == Level::Grounded,
            classes,
            start,
            characters,
            mention,
            approximations,
        }
    }

    pub fn start(&self) -> Place {
        self.start.clone()
    }

    /// The place after a call, once the called rule ended so.
    pub fn resume(&self, caller: &Place, end: &Place) -> Place {
        let mut place = end.clone();
        place.pc = caller.pc.next();
        place.closed = caller.closed;
        // The called rule had the innermost open entity, or none.
        let kept = caller.opens.len() - end.opens.len().min(caller.opens.len());
        place.opens = [&caller.opens[..kept], &end.opens].concat();
        if let Some((from, last, label)) = end.closed {
            adopt(&mut place, from, (last, label));
        }
        place
    }

    /// All that can come at `place`, through the operations that write nothing.
    pub fn from(&self, place: &Place) -> Vec<Step> {
        let (mut found, mut stack) = (Vec::new(), vec![place.clone()]);
        let mut loops = HashSet::new();
        while let Some(place) = stack.pop() {
            // A loop whose body can be empty comes back to where it was.
            if !loops.insert(place.clone()) {
                continue;
            }
            let on = |place: &Place| Place { pc: place.pc.next(), ..place.clone() };
            if let Some(left) = place.free {
                self.free(&place, left, &mut found);
                let left_copied = match self.program.op(place.pc) {
                    Op::Terminal(Terminal::Text) => place.copied,
                    _ => left,
                };
                stack.push(Place { free: None, copied: left_copied, ..on(&place) });
                continue;
            }
            match self.program.op(place.pc) {
                Op::Split(targets) => stack.extend(targets.iter().map(|&pc| Place { pc, ..place.clone() })),
                Op::Jump(pc) => stack.push(Place { pc: *pc, ..place }),
                Op::Label(label) => stack.push(Place { label: *label, past: Past::default(), ..on(&place) }),
                Op::Open => stack.extend(self.open(on(&place))),
                Op::Close => stack.extend(self.close(on(&place))),
                Op::Terminal(Terminal::Skip) => stack.extend(self.skip(on(&place))),
                Op::Call(pc) => {
                    let own = matches!(self.program.op(*pc), Op::Open);
                    let begin = Place {
                        pc: *pc,
                        opens: place.opens.last().filter(|_| !own).cloned().into_iter().collect(),
                        closed: None,
                        ..place.clone()
                    };
                    found.push(Step::Call(begin, place));
                }
                Op::Return => found.push(Step::End(place)),
                Op::Accept => {
                    let end = !self.grounded
                        || !self.program.cursor
                        || match self.program.copies {
                            true => place.cursor as usize == self.source.elements.len(),
                            false => self.source.next_word(place.cursor).is_none(),
                        };
                    if end {
                        found.push(Step::End(Place { pc: place.pc, ..self.start() }));
                    }
                }
                _ => self.write(&place, &mut found),
            }
        }
        found
    }

    fn write(&self, place: &Place, found: &mut Vec<Step>) {
        let on = Place { pc: place.pc.next(), tail: Tail::NONE, ..place.clone() };
        let mut push = |bytes: &[u8], place: Place| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            found.push(Step::Write(Piece::Literal(text), place));
        };
        match self.program.op(place.pc) {
            Op::Literal(bytes) => {
                if !self.program.delimiters.clash(place.tail, bytes) {
                    push(bytes, on);
                }
            }
            Op::Regex(number) => {
                let pattern = self.patterns().nth(*number).unwrap_or_default();
                found.push(Step::Write(Piece::Regex(pattern.to_owned()), on));
            }
            Op::Terminal(Terminal::Label) => {
                for (view, place) in self.labels(&on) {
                    push(&view, place);
                }
            }
            Op::Terminal(kind @ (Terminal::Copy | Terminal::Word)) if self.grounded => {
                let next = match kind {
                    Terminal::Copy => self.source.elements.get(place.cursor as usize).map(|e| (*e, place.cursor + 1)),
                    _ => self.source.pass(place.cursor),
                };
                let Some((element, cursor)) = next else { return };
                let bytes = &self.source.bytes[element.start as usize..element.end as usize];
                if let Some(tail) = self.program.delimiters.run(place.tail, bytes) {
                    push(bytes, self.passed(Place { cursor, tail, ..on }));
                }
            }
            Op::Terminal(kind) if is_free(*kind) && !self.grounded => {
                if *kind == Terminal::Text && self.classes.simple {
                    if self.characters > 0 {
                        let text = Piece::Repeat(Box::new(self.classes.unit()), 1, Some(self.characters));
                        found.push(Step::Write(text, on));
                    }
                    return;
                }
                let left = if *kind == Terminal::Text { self.mention } else { place.copied };
                if *kind != Terminal::Text || self.characters > 0 {
                    self.free(place, left, found);
                }
            }
            Op::Terminal(kind) if self.grounded => {
                let Some(Open::Referred(entity)) = on.opens.last() else {
                    return;
                };
                let tail = |view: &[u8]| match is_free(*kind) {
                    true => self.program.delimiters.run(place.tail, view),
                    false => Some(Tail::NONE),
                };
                for (view, entity) in entity.views(*kind, self.source, &self.program.labels) {
                    let (Some(tail), Some(entity)) = (tail(&view), entity.prune(&on.past, self.program.ordered()))
                    else {
                        continue;
                    };
                    push(&view, Place { tail, ..on.with_innermost(Open::Referred(entity)) });
                }
            }
            // A number without a leading zero.
            _ => {
                let digits = |first, min, max| {
                    let class = Piece::Class(Characters(vec![(first, '9')]));
                    Piece::Repeat(Box::new(class), min, Some(max))
                };
                let more = Piece::Sequence(vec![digits('1', 1, 1), digits('0', 0, DIGITS - 1)]);
                let number = Piece::Choice(vec![Piece::Literal("0".into()), more]);
                found.push(Step::Write(number, on));
            }
        }
    }

    /// One more character of free text.
    fn free(&self, place: &Place, left: Allowance, found: &mut Vec<Step>) {
        let Some(left) = less(left) else { return };
        // While inside, what is left of the copied text is known to the free text alone.
        let text = matches!(self.program.op(place.pc), Op::Terminal(Terminal::Text));
        for (piece, tail) in self.classes.from(place.tail) {
            let inside = Place {
                free: Some(left),
                copied: if text { place.copied } else { None },
                tail: *tail,
                ..place.clone()
            };
            found.push(Step::Write(piece.clone(), inside));
        }
    }

    fn labels(&self, on: &Place) -> Vec<(Vec<u8>, Place)> {
        let label = |label: LabelId| self.program.label(label).to_vec();
        let all = |known: Option<LabelId>| known.unwrap_or(LabelId::NONE).or_all(self.program.labels.len());
        match on.opens.last() {
            None if on.label == LabelId::NONE => Vec::new(),
            None => vec![(label(on.label), on.clone())],
            Some(Open::Loose(known)) => {
                all(*known).map(|number| (label(number), on.with_innermost(Open::Loose(Some(number))))).collect()
            }
            Some(Open::Passed(entity)) => all(entity.label)
                .map(|number| {
                    let entity = Passed { label: Some(number), ..*entity };
                    (label(number), on.with_innermost(Open::Passed(entity)))
                })
                .collect(),
            Some(Open::Referred(entity)) => entity
                .views(Terminal::Label, self.source, &self.program.labels)
                .into_iter()
                .filter_map(|(view, entity)| {
                    let entity = entity.prune(&on.past, self.program.ordered())?;
                    Some((view, on.with_innermost(Open::Referred(entity))))
                })
                .collect(),
        }
    }

    fn skip(&self, mut on: Place) -> Option<Place> {
        if self.grounded {
            on.cursor = self.source.pass(on.cursor)?.1;
            return Some(self.passed(on));
        }
        on.units = less(on.units)?;
        Some(on)
    }

    /// The cursor moved: an entity inside that ended before it can't be the whole of an outer one any more.
    fn passed(&self, mut place: Place) -> Place {
        let word = self.source.passed(place.cursor, self.program.copies);
        for open in &mut place.opens {
            if let Open::Passed(entity) = open {
                entity.child = entity.child.filter(|child| word.is_none_or(|word| word <= child.0));
            }
        }
        place
    }

    fn open(&self, mut on: Place) -> Option<Place> {
        let context = Some(on.label).filter(|label| *label != LabelId::NONE);
        let open = if !self.grounded {
            on.entities = less(on.entities)?;
            Open::Loose(context)
        } else if self.program.cursor {
            let from = self.source.next_word(on.cursor)?;
            if self.program.copies && self.source.elements[on.cursor as usize].word.is_none() {
                return None;
            }
            Open::Passed(Passed { label: context, from, child: None })
        } else {
            let labels = on.label.or_all(self.program.labels.len());
            let all = Referred::open(self.source, labels, context.is_some());
            Open::Referred(all.prune(&on.past, self.program.ordered())?)
        };
        on.opens.push(open);
        Some(on)
    }

    fn close(&self, mut on: Place) -> Option<Place> {
        match on.opens.pop()? {
            Open::Loose(_) => {}
            Open::Referred(entity) => {
                on.past = entity.close(&on.past, self.program.ordered(), self.program.positions)?;
            }
            Open::Passed(entity) => {
                let word = self.source.passed(on.cursor, self.program.copies)?;
                let label = entity.close(word)?;
                match on.opens.is_empty() {
                    true => on.closed = Some((entity.from, word, label)),
                    false => adopt(&mut on, entity.from, (word, label)),
                }
            }
        }
        Some(on)
    }

    /// The regular expressions of the program, in its order.
    fn patterns(&self) -> impl Iterator<Item = &str> {
        self.program.regexes.iter().map(|regex| regex.pattern.as_str())
    }
}

impl Place {
    fn with_innermost(&self, open: Open) -> Place {
        let mut place = self.clone();
        if let Some(innermost) = place.opens.last_mut() {
            *innermost = open;
        }
        place
    }
}

/// Tells the innermost open entity that one inside it closed, if both began at the same word.
fn adopt(place: &mut Place, from: u32, child: (u32, LabelId)) {
    if let Some(Open::Passed(entity)) = place.opens.last_mut()
        && entity.from == from
    {
        entity.child = Some(child);
    }
}

fn less(allowance: Allowance) -> Option<Allowance> {
    match allowance {
        None => Some(None),
        Some(number) => number.checked_sub(1).map(Some),
    }
}

/// As many entities as words x labels allow; a million where they can have several fragments.
fn most_entities(program: &Program, words: u32) -> u32 {
    let most = u64::from(words) * u64::from(words + 1) / 2 * program.schema().len() as u64;
    let several = program.format().discontinuous() && words > 1;
    u32::try_from(if several { most.max(1_000_000) } else { most }).unwrap_or(u32::MAX)
}

/// Whether an output can hold more than one entity.
fn holds_entities(program: &Program) -> bool {
    let grammar = &program.format().grammar;
    grammar.entity.is_some()
        && grammar.rules.iter().any(|rule| {
            let mut found = false;
            rule.expr.walk(&mut |expr| {
                found |= match expr.kind {
                    ExprKind::Rule(inner) | ExprKind::Each { rule: inner, .. } => Some(inner) == grammar.entity,
                    _ => false,
                }
            });
            found
        })
}
