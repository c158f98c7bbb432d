//! Liveness by brute force: that [`Machine::finish`] is right about every thread of tiny documents.
//!
//! Engine and oracle drop the threads from which no output can be completed, and both ask the same search. So the search is
//! held against what needs none: all threads are listed, byte by byte and dead ones included, and the distances to the end
//! are found backwards.

#![allow(clippy::print_stdout)]

use super::*;
use crate::Format;
use crate::notation::ast::Boundaries;
use gramask_ner::{Schema, Text};
use std::collections::VecDeque;

include!("../../tests/laws/sources.rs");

/// Beyond so many threads a case is left out.
const MANY: usize = 25_000;

/// All threads that can be reached, the starts first, and what each leads to by one byte. `None` where there are too many.
fn explore(machine: &mut Machine) -> Option<(Vec<Thread>, Vec<Vec<usize>>)> {
    // More open entities than there are tuples can't all close; at `syntax` the limits see to it.
    let tuples = machine.source.len() * (machine.source.len() + 1) / 2 * machine.program.labels.len() as u32;
    let deepest = if machine.grounded() { tuples } else { u32::MAX };
    let last = machine.source.words.last().map_or(0, |word| word.1);
    let alike = machine.alike();
    let (mut threads, mut next) = (Vec::new(), Vec::new());
    let mut numbers: FxHashMap<Thread, usize> = FxHashMap::default();
    let mut queue = VecDeque::new();
    for thread in machine.start() {
        numbers.entry(thread).or_insert_with(|| {
            threads.push(thread);
            queue.push_back(threads.len() - 1);
            threads.len() - 1
        });
    }
    while let Some(number) = queue.pop_front() {
        let mut found = Vec::new();
        for byte in (0..=255u8).filter(|byte| alike[usize::from(*byte)] == *byte) {
            machine.step(threads[number], byte, &mut found);
        }
        // A number beyond the document only grows.
        let beyond = |at| matches!(at, At::Number { value, .. } if machine.grounded() && value > last);
        found.retain(|thread| depth(machine, thread.frame) <= deepest && !beyond(thread.at));
        let mut targets = Vec::new();
        for thread in found {
            targets.push(*numbers.entry(thread).or_insert_with(|| {
                threads.push(thread);
                queue.push_back(threads.len() - 1);
                threads.len() - 1
            }));
        }
        if threads.len() > MANY {
            return None;
        }
        if next.len() <= number {
            next.resize(number + 1, Vec::new());
        }
        next[number] = targets;
    }
    next.resize(threads.len(), Vec::new());
    Some((threads, next))
}

/// How many entities are open.
fn depth(machine: &Machine, mut frame: u32) -> u32 {
    let mut depth = 0;
    while frame != BOTTOM {
        depth += u32::from(matches!(machine.frames.get(frame).kind, FrameKind::Open(_)));
        frame = machine.frames.get(frame).below;
    }
    depth
}

/// The bytes from each thread to the end.
fn distances(machine: &Machine, threads: &[Thread], next: &[Vec<usize>]) -> Vec<Option<u32>> {
    let mut before = vec![Vec::new(); threads.len()];
    for (number, targets) in next.iter().enumerate() {
        targets.iter().for_each(|&target| before[target].push(number));
    }
    let mut distance: Vec<Option<u32>> = threads.iter().map(|thread| machine.accepts(thread).then_some(0)).collect();
    let mut queue: VecDeque<usize> = (0..threads.len()).filter(|&number| distance[number].is_some()).collect();
    while let Some(number) = queue.pop_front() {
        for &earlier in &before[number] {
            if distance[earlier].is_none() {
                distance[earlier] = distance[number].map(|distance| distance + 1);
                queue.push_back(earlier);
            }
        }
    }
    distance
}

/// Compares all threads of one case, asked from the first to the last or the other way round. The number of threads, and
/// of those that are dead.
fn compare(
    program: &Arc<Program>,
    text: &Text,
    level: Level,
    limits: Limits,
    backwards: bool,
) -> Option<(usize, usize)> {
    let directives = &program.format().grammar.directives;
    let source = Source::new(text, &directives.escape, directives.boundaries).ok()?;
    let mut machine = Machine::new(Arc::clone(program), Arc::new(source), level, limits);
    let (threads, next) = explore(&mut machine)?;
    let distances = distances(&machine, &threads, &next);
    let order: Vec<usize> = if backwards { (0..threads.len()).rev().collect() } else { (0..threads.len()).collect() };
    for number in order {
        let (thread, distance) = (threads[number], distances[number]);
        let place = |machine: &Machine| {
            let name = &program.format().name;
            format!(
                "{name} {level} {:?} {:?}: {thread:?} in {:?}",
                text.as_str(),
                program.schema().labels(),
                stack(machine, thread)
            )
        };
        if let Some(distance) = distance
            && !machine.accepts(&thread)
        {
            assert!(!machine.hopeless(&thread), "not hopeless: {}", place(&machine));
            assert!(
                machine.at_least(&thread) <= distance,
                "{} > {distance}: {}",
                machine.at_least(&thread),
                place(&machine)
            );
        }
        if let Some(alive) = machine.look(&thread) {
            assert_eq!(alive, distance.is_some(), "a look: {}", place(&machine));
        }
        let (found, way) = (machine.finish(thread), machine.way(thread));
        assert_eq!(found, distance, "{}", place(&machine));
        assert_eq!(way.map(|way| way.len() as u32), distance, "{}", place(&machine));
    }
    Some((threads.len(), distances.iter().filter(|distance| distance.is_none()).count()))
}

fn stack(machine: &Machine, thread: Thread) -> Vec<FrameKind> {
    let (mut frame, mut stack) = (thread.frame, Vec::new());
    while frame != BOTTOM {
        let Frame { kind, below } = machine.frames.get(frame).clone();
        stack.push(kind);
        frame = below;
    }
    stack
}

/// Labels of which one begins another, of different lengths, out of alphabetical order.
const LABELS: [&str; 3] = ["Y", "XY", "X"];

fn cases(check: impl Fn(&Arc<Program>, &Text, bool) -> Option<(usize, usize)>) -> Vec<(String, usize, usize, usize)> {
    let names = Format::builtin().map(str::to_owned).chain(TEST_FORMATS.iter().map(|(name, _)| (*name).to_owned()));
    let mut totals = Vec::new();
    for name in names {
        let format = match TEST_FORMATS.iter().find(|(known, _)| *known == name) {
            Some((name, source)) => Format::parse(*name, *source).unwrap(),
            None => Format::named(&name).unwrap(),
        };
        let mut total = (name.clone(), 0, 0, 0);
        for labels in 1..=LABELS.len() {
            if format.grammar.directives.pass_label && labels > 1 {
                continue;
            }
            let program = Program::compile(&format, &Schema::new(LABELS[..labels].iter().copied())).unwrap();
            for text in
                ["", " ", "a", "/", "a b", " a a", "a<b", "a b a", "\"\\ [", "a a a", "b@ #a", "a b c d", "a a b b"]
            {
                let text = Text::new(text);
                let words = match format.grammar.directives.boundaries {
                    Boundaries::Words => text.words().len(),
                    Boundaries::Characters => text.len(),
                };
                // Listing all threads takes its time: few words with many labels, many words with few.
                if words * labels > 4 || words > 3 && format.nests() {
                    continue;
                }
                for backwards in [false, true] {
                    if let Some((threads, dead)) = check(&program, &text, backwards) {
                        total = (total.0, total.1 + 1, total.2 + threads, total.3 + dead);
                    }
                }
            }
        }
        totals.push(total);
    }
    totals
}

fn report(totals: Vec<(String, usize, usize, usize)>) {
    for (name, cases, threads, dead) in totals {
        println!("{name}: {cases} cases, {threads} threads, {dead} of them dead");
        assert!(cases >= 8 && threads > 0, "{name}: too few cases were small enough");
    }
}

#[test]
fn grounded_liveness_is_exact() {
    report(cases(|program, text, backwards| compare(program, text, Level::Grounded, Limits::NONE, backwards)));
}

#[test]
fn syntax_liveness_is_exact() {
    report(cases(|program, text, backwards| {
        let limits = Limits { characters: 2, units: 3, entities: 2 };
        compare(program, text, Level::Syntax, limits, backwards)
    }));
}

/// Allowances that are cut before they are searched: what needs more than is left after the cut is searched again whole.
#[test]
fn cut_allowances_are_exact() {
    let twenty = "start: entity ~ 20\nentity: \"<\" @label @text \">\"\n";
    let long = "start: (\"[\" (@word \",\")~18 \"]\")*\n";
    let limits = Limits { characters: 20, units: 20, entities: 22 };
    for (name, source) in [("twenty", Some(twenty)), ("long", Some(long)), ("json-list", None), ("bio-tags", None)] {
        let format = source.map_or_else(|| Format::named(name).unwrap(), |source| Format::parse(name, source).unwrap());
        let program = Program::compile(&format, &Schema::new(["X"])).unwrap();
        let compared = compare(&program, &Text::new("a"), Level::Syntax, limits, false);
        let (threads, dead) = compared.unwrap_or_else(|| panic!("{name}: too many threads"));
        println!("{name}: {threads} threads, {dead} of them dead");
        assert!(threads > 500);
    }
}
