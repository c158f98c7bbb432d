//! From the events of the cheapest way to mentions: what each mention says, and whether it is complete.
//!
//! A cut output says nothing certain of where its last text ends. So an entity is dropped if the end of the output cuts its
//! text or number. In tagged text it is also dropped if its beginning or end had to be invented.

use gramask_ner::{Fragment, Text};

use super::Edits;
use super::search::{Event, Put};
use super::unit;
use crate::automaton::WrittenFragment;
use crate::notation::ast::{Boundaries, Terminal};
use crate::program::{LabelId, Program};

/// An entity as it was written.
#[derive(Debug)]
pub(super) struct Mention {
    pub label: LabelId,
    /// Its fragments: texts with their escapes undone, and numbers.
    pub parts: Vec<Part>,
    /// Cursor formats: the words it holds, as numbers of [`Collected::words`].
    pub words: (usize, usize),
    /// What it says can't be relied on.
    pub lost: bool,
    /// A number of it is missing, or cut by the output's end.
    pub vague: bool,
    /// The list begins anew with it (`@each`).
    pub fresh: bool,
}

impl Mention {
    /// A mention of which nothing is read yet.
    fn new(label: LabelId, fresh: bool) -> Mention {
        Mention { label, parts: Vec::new(), words: (0, 0), lost: false, vague: false, fresh }
    }
}

/// One fragment as it was written.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub text: Option<String>,
    pub positions: Vec<(Terminal, u32)>,
}

/// All that was written.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub mentions: Vec<Mention>,
    /// Cursor formats that write text: the words.
    pub words: Vec<String>,
    /// Formats of words or tags: how many of them are certain; an entity that ends after them may go on.
    pub certain: usize,
}

/// An entity that is still open, and what was seen of it.
struct Pending {
    mention: Mention,
    from: usize,
    /// A part of its opening was there.
    begun: bool,
    /// Its opening was made up.
    made_up: bool,
    /// Something stands in it.
    filled: bool,
    /// Its label stands after that.
    labelled: bool,
    /// What stands after its text was made up.
    endless: bool,
    /// Bytes that were left out inside it.
    dropped: Vec<u8>,
}

struct Collector<'a> {
    program: &'a Program,
    output: &'a [u8],
    edits: &'a mut Edits,
    open: Vec<Pending>,
    /// Free text or a number that is not yet known to be whole.
    awaiting: Option<Terminal>,
    /// Where the last free text ends.
    ended: usize,
    /// The label that the output's end cuts.
    cut_label: bool,
    copied: String,
    units: usize,
    /// Where the last of them begins, in words, while its tag is still to come.
    unit: Option<usize>,
    /// Where those at the end begin whose tags had to be made up.
    unsure: Option<usize>,
    /// Bytes that were put in since the last literal.
    inserted: usize,
    context: LabelId,
    fresh: bool,
    /// Nothing but what was made up comes after.
    last: bool,
    /// Nothing but literals comes after.
    closing: bool,
    /// The last literal had to be mended.
    mended: bool,
    out: Collected,
}

pub(super) fn collect(program: &Program, output: &[u8], events: &[Event], edits: &mut Edits) -> Collected {
    let mut collector = Collector {
        program,
        output,
        edits,
        open: Vec::new(),
        awaiting: None,
        ended: 0,
        cut_label: false,
        copied: String::new(),
        units: 0,
        unit: None,
        unsure: None,
        inserted: 0,
        context: LabelId::NONE,
        fresh: false,
        last: false,
        closing: false,
        mended: false,
        out: Collected::default(),
    };
    let (mut begin, mut before) = (0, false);
    let seen = |event: &Event| match *event {
        Event::Literal(put, _) => put != Put::Everything,
        Event::Label(_, from, to) => from < to,
        Event::Number(..) => true,
        _ => false,
    };
    let evidence = events.iter().rposition(seen);
    let content = |event: &Event| {
        matches!(event, Event::Begin(_) | Event::Number(..)) || seen(event) && matches!(event, Event::Label(..))
    };
    let content = events.iter().rposition(content);
    for (number, event) in events.iter().enumerate() {
        collector.last = Some(number) > evidence;
        collector.closing = Some(number) > content;
        match *event {
            Event::Begin(at) => begin = at as usize,
            Event::Outside(at) => {
                let end = if before { output.len() - at as usize } else { at as usize };
                collector.edits.dropped += end;
            }
            _ => {}
        }
        before |= !matches!(event, Event::Outside(_));
        collector.event(*event, begin);
    }
    collector.finish()
}

impl Collector<'_> {
    fn finish(mut self) -> Collected {
        if self.program.copies {
            // Mentions were counted in characters of the copied text.
            let text = Text::new(std::mem::take(&mut self.copied));
            let words = match self.program.format.grammar.directives.boundaries {
                Boundaries::Words => text.words().to_vec(),
                Boundaries::Characters => (0..text.len()).map(|at| Fragment::new(at, at + 1)).collect(),
            };
            for mention in &mut self.out.mentions {
                let (from, to) = mention.words;
                let first = words.partition_point(|word| word.end <= from);
                let last = words.partition_point(|word| word.start < to);
                mention.words = (first, last.max(first));
            }
            let surface = |word: &Fragment| text.slice(*word).unwrap_or_default().to_owned();
            self.out.words = words.iter().map(surface).collect();
            self.out.certain = usize::MAX;
        } else {
            self.out.certain = self.unsure.unwrap_or(self.units);
        }
        self.out
    }

    fn event(&mut self, event: Event, begin: usize) {
        let length = self.output.len();
        match event {
            Event::Nothing | Event::Outside(_) => {}
            Event::Inserted(bytes) => self.inserted += bytes as usize,
            Event::Substituted => self.edits.substituted += 1,
            Event::Dropped(at) => {
                self.edits.dropped += 1;
                if let Some(pending) = self.open.last_mut() {
                    pending.dropped.push(self.output[at as usize]);
                }
            }
            Event::Context(label) => (self.context, self.fresh) = (label, true),
            Event::Open => {
                self.awaiting = None;
                self.open.push(Pending {
                    mention: Mention::new(self.context, std::mem::take(&mut self.fresh)),
                    from: self.passed(),
                    begun: false,
                    made_up: false,
                    filled: false,
                    labelled: false,
                    endless: false,
                    dropped: Vec::new(),
                });
            }
            Event::Close(_) => self.close(),
            Event::Skip => {
                self.unit = Some(self.units);
                self.units += 1;
                self.open.iter_mut().for_each(|pending| pending.filled = true);
            }
            Event::Begin(_) => {
                self.awaiting = None;
                if let Some(pending) = self.open.last_mut() {
                    pending.mention.lost |= self.program.cursor && pending.made_up && !pending.begun;
                    (pending.begun, pending.filled) = (true, true);
                }
            }
            Event::End(kind, end) => self.text(kind, begin, end as usize),
            Event::Missing(kind, at) => match kind {
                Terminal::Word => self.unit = Some(self.units),
                Terminal::Text | Terminal::Copy => self.lose(),
                _ => {
                    if let Some(pending) = self.open.last_mut() {
                        pending.mention.vague |= at as usize == length;
                        pending.part();
                    }
                }
            },
            Event::Number(kind, from, to) => {
                let digits = std::str::from_utf8(&self.output[from as usize..to as usize]).unwrap_or_default();
                let value = digits.parse().unwrap_or(u32::MAX);
                if let Some(pending) = self.open.last_mut() {
                    pending.part().positions.push((kind, value));
                }
                self.awaiting = Some(kind);
            }
            Event::Label(label, from, to) => self.label(label, from as usize, to as usize),
            Event::Literal(put, at) => self.literal(put, at as usize),
        }
    }

    fn passed(&self) -> usize {
        match (self.program.copies, self.program.skips) {
            (true, _) => self.copied.chars().count(),
            (false, true) => self.units,
            (false, false) => self.out.words.len(),
        }
    }

    fn lose(&mut self) {
        if let Some(pending) = self.open.last_mut() {
            pending.mention.lost = true;
        }
    }

    fn text(&mut self, kind: Terminal, begin: usize, end: usize) {
        let (text, mended) = unit::decode(self.program.escape(), &self.output[begin..end]);
        self.edits.substituted += mended;
        match kind {
            Terminal::Copy => self.copied.push_str(&text),
            Terminal::Word => {
                self.unit = Some(self.units);
                let words = Text::new(text);
                let pieces = words.words().iter().filter_map(|word| words.slice(*word));
                self.out.words.extend(pieces.map(str::to_owned));
                self.units = self.out.words.len();
            }
            _ => {
                if let Some(pending) = self.open.last_mut() {
                    pending.mention.lost |= self.last;
                    match pending.mention.parts.last_mut() {
                        Some(part) if part.text.is_none() => part.text = Some(text),
                        _ => pending.mention.parts.push(Part { text: Some(text), positions: Vec::new() }),
                    }
                }
            }
        }
        self.awaiting = Some(kind);
        self.ended = end;
    }

    fn label(&mut self, label: LabelId, from: usize, to: usize) {
        self.awaiting = None;
        let written = &self.output[from..to];
        let name = |label: LabelId| self.program.label(label);
        self.edits.relabelled += usize::from(name(label) != written);
        // Another label goes on where the output ends.
        let longer = |other: &&Vec<u8>| other.len() > written.len() && other.starts_with(written);
        self.cut_label = from < to && to == self.output.len() && self.program.labels.iter().any(|other| longer(&other));
        self.cut_label &= name(label) == written;
        let at_end = from < to && to == self.output.len();
        if let Some(pending) = self.open.last_mut() {
            // Nothing showed where the text before it ends.
            pending.mention.lost |= at_end && pending.endless;
            pending.begun |= from < to;
            pending.labelled |= pending.filled;
            if pending.mention.label == LabelId::NONE {
                pending.mention.label = label;
            }
        }
    }

    fn literal(&mut self, put: Put, at: usize) {
        let cut = at == self.output.len() && put != Put::Nothing;
        let after = &self.output[self.ended.min(at)..at];
        match cut {
            true => self.edits.closed += 1,
            false => self.edits.inserted += self.inserted,
        }
        if let Some(unit) = self.unit.take() {
            self.unsure = match self.inserted == 0 {
                true => None,
                false => self.unsure.or(Some(unit)),
            };
        }
        let mended = std::mem::take(&mut self.inserted) > 0;
        // A quote that was opened and never closed: the list's end may be of the text.
        let unclosed = put == Put::Everything && self.closing && !self.mended;
        self.mended = mended;
        let awaiting = self.awaiting.take();
        let cut_label = std::mem::take(&mut self.cut_label) && cut;
        let cursor = self.program.cursor;
        let Some(pending) = self.open.last_mut() else { return };
        match put {
            Put::Everything => pending.made_up = true,
            _ => pending.begun = true,
        }
        if cut_label {
            pending.mention.label = LabelId::NONE;
        }
        // In a tagged text nothing but its end shows where an entity ends.
        let made_up = cut || put == Put::Everything;
        pending.mention.lost |= cursor && made_up && pending.filled && !pending.labelled;
        match awaiting {
            Some(kind) if kind.is_position() && cut => {
                pending.part().positions.pop();
                pending.mention.vague = true;
            }
            Some(kind) if !kind.is_position() && (cut || unclosed) => pending.mention.lost = true,

            Some(_) => pending.endless = mended && !after.iter().any(u8::is_ascii_punctuation),
            None => {}
        }
    }

    fn close(&mut self) {
        let Some(mut pending) = self.open.pop() else { return };
        self.awaiting = None;
        if pending.mention.label == LabelId::NONE {
            // The label may stand where the format does not have it.
            let dropped = pending.dropped.to_ascii_lowercase();
            let stands = |label: &Vec<u8>| {
                let name = label.to_ascii_lowercase();
                !name.is_empty() && dropped.windows(name.len()).any(|window| window == name)
            };
            let mut labels = (0..).map(LabelId::new).zip(&self.program.labels).filter(|(_, label)| stands(label));
            if let (Some((label, _)), None) = (labels.next(), labels.next()) {
                pending.mention.label = label;
            }
        }
        pending.mention.words = (pending.from, self.passed());
        self.open.iter_mut().for_each(|pending| pending.filled = true);
        self.out.mentions.push(pending.mention);
    }
}

impl Pending {
    /// The fragment that numbers belong to.
    fn part(&mut self) -> &mut Part {
        if self.mention.parts.is_empty() {
            self.mention.parts.push(Part::default());
        }
        let last = self.mention.parts.len() - 1;
        &mut self.mention.parts[last]
    }
}

impl Part {
    /// As the strict reader has it.
    pub fn seen(&self, program: &Program) -> Option<WrittenFragment> {
        let text = match &self.text {
            Some(text) => Some(program.escape().escape(text).ok()?),
            None => None,
        };
        Some(WrittenFragment { text, positions: self.positions.clone() })
    }
}
