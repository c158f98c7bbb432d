//! Liveness compared with brute force, for every thread of tiny documents.
//!
//! Engine and oracle drop dead threads, and both ask [`Liveness`]. So its answers are compared with a method that needs no
//! search: list all threads byte by byte, dead ones included, and find the distances to the end backwards.

#![allow(clippy::print_stdout)]

use super::*;
use crate::Format;
use crate::automaton::{FrameId, Limits};
use crate::notation::ast::Boundaries;
use gramask_ner::{Schema, Text};
use std::collections::VecDeque;
use std::sync::Arc;

include!("../../tests/it/support/sources.rs");

/// Cases with more threads are left out.
const MANY: usize = 25_000;

/// All threads that can be reached, the starts first, and what each leads to by one byte. `None` where there are too many.
fn explore(automaton: &mut Automaton) -> Option<(Vec<Thread>, Vec<Vec<usize>>)> {
    // More open entities than there are tuples can't all close; at `syntax` the limits bound the stack.
    let tuples = automaton.source.len() * (automaton.source.len() + 1) / 2 * automaton.program.labels.len() as u32;
    let deepest = if automaton.grounded() { tuples } else { u32::MAX };
    let last = automaton.source.words.last().map_or(0, |word| word.1);
    let classes = automaton.byte_classes();
    let (mut threads, mut next) = (Vec::new(), Vec::new());
    let mut numbers: FxHashMap<Thread, usize> = FxHashMap::default();
    let mut queue = VecDeque::new();
    for thread in automaton.start() {
        numbers.entry(thread).or_insert_with(|| {
            threads.push(thread);
            queue.push_back(threads.len() - 1);
            threads.len() - 1
        });
    }
    while let Some(number) = queue.pop_front() {
        let mut found = Vec::new();
        for byte in (0..=255u8).filter(|byte| classes[usize::from(*byte)] == *byte) {
            automaton.step(threads[number], byte, &mut found);
        }
        // A number beyond the document only grows.
        let beyond = |at| matches!(at, Progress::Number { value, .. } if automaton.grounded() && value > last);
        found.retain(|thread| depth(automaton, thread.frame) <= deepest && !beyond(thread.at));
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
fn depth(automaton: &Automaton, frame: FrameId) -> u32 {
    let open = |(_, frame): &(FrameId, &Frame)| matches!(frame.kind, FrameKind::Open(_));
    automaton.frames.entries(frame).filter(open).count() as u32
}

/// The bytes from each thread to the end.
fn distances(automaton: &Automaton, threads: &[Thread], next: &[Vec<usize>]) -> Vec<Option<u32>> {
    let mut before = vec![Vec::new(); threads.len()];
    for (number, targets) in next.iter().enumerate() {
        targets.iter().for_each(|&target| before[target].push(number));
    }
    let mut distance: Vec<Option<u32>> = threads.iter().map(|thread| automaton.accepts(thread).then_some(0)).collect();
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
    let mut automaton = Automaton::new(Arc::clone(program), Arc::new(source), level, limits);
    let mut liveness = Liveness::new(&automaton);
    let (threads, next) = explore(&mut automaton)?;
    let distances = distances(&automaton, &threads, &next);
    let order: Vec<usize> = if backwards { (0..threads.len()).rev().collect() } else { (0..threads.len()).collect() };
    for number in order {
        let (thread, distance) = (threads[number], distances[number]);
        let place = |automaton: &Automaton| {
            let name = &program.format().name;
            format!(
                "{name} {level} {:?} {:?}: {thread:?} in {:?}",
                text.as_str(),
                program.schema().labels(),
                stack(automaton, thread)
            )
        };
        if let Some(distance) = distance
            && !automaton.accepts(&thread)
        {
            assert!(!liveness.bound.surely_dead(&automaton, &thread), "surely dead: {}", place(&automaton));
            assert!(
                liveness.bound.of(&automaton, &thread) <= distance,
                "{} > {distance}: {}",
                liveness.bound.of(&automaton, &thread),
                place(&automaton)
            );
        }
        if let Some(alive) = liveness.quick_check(&automaton, &thread) {
            assert_eq!(alive, distance.is_some(), "quick check: {}", place(&automaton));
        }
        let completion = liveness.shortest(&mut automaton, thread);
        let letters = completion.map(|completion| liveness.texts().letters(completion.text).count() as u32);
        assert_eq!(completion.map(|completion| completion.length), distance, "{}", place(&automaton));
        assert_eq!(letters, distance, "{}", place(&automaton));
    }
    Some((threads.len(), distances.iter().filter(|distance| distance.is_none()).count()))
}

fn stack(automaton: &Automaton, thread: Thread) -> Vec<&FrameKind> {
    automaton.frames.entries(thread.frame).map(|(_, frame)| &frame.kind).collect()
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
