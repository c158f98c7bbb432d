//! What llguidance's lexer makes of a grammar over lexemes, as a grammar over bytes.
//!
//! llguidance reads text in lexemes. At each place it looks for all lexemes that the parser allows there, a *row*, and for ignored
//! text. It reads on as long as any of them can go on, and never goes back. Then all lexemes whose text was read are taken,
//! or ignored text if it is among them. So `start: WORD "s"` with `WORD: /[a-z]+/` accepts nothing, since `WORD` takes the `s`.
//! A reading without a lexer accepts `cats`.
//!
//! The translation says the same without a lexer. The text of a lexeme may be followed only by bytes with which no lexeme of the
//! row goes on. So the texts of each lexeme are cut by the bytes that must not follow them (`texts`). Rules are multiplied by two
//! sets (`restrict`): the bytes that must not come first, and the bytes that must not follow. Mostly these sets are empty, since
//! such a byte could not follow anyhow, and rules stay as they are.
//!
//! The rows of a context-free grammar depend on the whole text before. `rows` encloses them. Where a lexeme of the row would
//! change the language and is only sometimes in it, the grammar is refused.

mod bits;
mod instances;
mod productions;
mod restrict;
mod rows;
mod split;
mod texts;

use std::collections::HashMap;

use super::super::error::Fault;
use super::tokens::{Lexeme, Tokens};
use crate::byte_set::ByteSet;
use crate::notation::ast::Span;
use crate::plain::{Builder, RuleId};
use crate::regex::{Regex, StateId};
use productions::Productions;
use rows::{Ending, Rows};
use texts::{Clash, Texts};

/// So many places of terminals may the rules have.
const MOST_PLACES: usize = 5_000;
/// So many states may the automaton of a terminal have.
const MOST_STATES: usize = 10_000;
/// So many pairs of states may the comparison of all terminals take.
const MOST_PAIRS: usize = 500_000;

/// Defines the rules of a grammar over bytes, and gives the rule of its outputs.
pub(super) fn translate(tokens: Tokens, source: &str, builder: &mut Builder) -> Result<RuleId, Vec<Fault>> {
    let start = tokens.rules[tokens.start].span;
    let Some(productions) = Productions::new(&tokens) else {
        let fault = Fault::new(start, "with all repeats written out, the rules are too large for the lexer");
        return Err(vec![fault.help("repeat less in rules; repeats in terminals have room")]);
    };
    if let Some(place) = tokens.places.get(MOST_PLACES) {
        let fault = Fault::new(place.span, format!("the rules use more than {MOST_PLACES} terminals"));
        return Err(vec![fault.help("write what is regular as one terminal")]);
    }
    let lexer = Lexer::new(&tokens, source).map_err(|fault| vec![fault])?;
    let rows = Rows::new(&tokens, &productions, &|one, other| lexer.overlap(one, other));
    let mut faults = lexer.begun_empty(&rows);
    let active = lexer.active(&rows, &mut faults);
    lexer.check_instances(&rows, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    if tokens.ignored.is_some() && rows.ending == Ending::Unknown {
        let fault = Fault::new(start, "it is not known after which outputs ignored text may stand");
        return Err(vec![fault.help(
            "llguidance ignores text at the end only where the output could go on: end `start` with a text that ends \
             every output, such as \";\", or use no `%ignore`",
        )]);
    }
    let after = lexer.after(&rows);
    let (rules, output) = split::with_ending(&tokens, &productions, rows.ending);
    restrict::translate(&lexer, (&active, &after), (&rules, &output), builder)
}

/// The lexemes with their texts.
pub(super) struct Lexer<'a> {
    tokens: &'a Tokens,
    source: &'a str,
    /// The texts of each lexeme; ignored text is the last. `None` for special tokens and instances of JSON Schemas, and where nothing
    /// is ignored.
    texts: Vec<Option<Texts>>,
    /// How the second lexeme takes texts of the first.
    clashes: HashMap<(usize, usize), Vec<Clash>>,
}

impl<'a> Lexer<'a> {
    fn new(tokens: &'a Tokens, source: &'a str) -> Result<Lexer<'a>, Fault> {
        let text = |regex: &Regex, span: Span| {
            Texts::new(regex, MOST_STATES).ok_or_else(|| {
                Fault::new(span, format!("the automaton of this terminal has more than {MOST_STATES} states"))
                    .help("repeat less in it")
            })
        };
        let mut texts = Vec::new();
        for (lexeme, kind) in tokens.lexemes.iter().enumerate() {
            let span =
                tokens.places.iter().find(|place| place.lexeme == lexeme).map_or(Span::new(0, 0), |place| place.span);
            texts.push(match kind {
                Lexeme::Text(regex) | Lexeme::Lazy(regex) => Some(text(regex, span)?),
                Lexeme::Special(_) | Lexeme::Json(_) => None,
            });
        }
        texts.push(match &tokens.ignored {
            Some((regex, span)) => Some(text(regex, *span)?),
            None => None,
        });
        let (mut clashes, mut steps) = (HashMap::new(), MOST_PAIRS);
        for (one, first) in texts.iter().enumerate() {
            for (two, second) in texts.iter().enumerate().filter(|(two, _)| *two != one) {
                if let (Some(first), Some(second)) = (first, second) {
                    let found = first.clashes(second, &mut steps);
                    if !found.is_empty() {
                        clashes.insert((one, two), found);
                    }
                }
            }
        }
        if steps == 0 {
            let fault = Fault::new(tokens.rules[tokens.start].span, "the terminals are too large to compare them");
            return Err(fault.help("repeat less in them, or use ASCII classes such as [0-9] for \\d"));
        }
        Ok(Lexer { tokens, source, texts, clashes })
    }

    /// The number of ignored text among the lexemes.
    fn ignored(&self) -> usize {
        self.tokens.lexemes.len()
    }

    /// Whether two lexemes have a text in common.
    fn overlap(&self, one: usize, other: usize) -> bool {
        if let (Some(one), Some(other)) = (self.json(one), self.json(other)) {
            return !one.first.and(&other.first).is_empty();
        }
        one == other || self.clashes.get(&(one, other)).is_some_and(|clashes| clashes.iter().any(|clash| clash.both))
    }

    /// The bytes that a lexeme can begin with; none of a special token.
    fn first(&self, lexeme: usize) -> ByteSet {
        match (&self.texts[lexeme], self.json(lexeme)) {
            (Some(texts), _) => texts.first(),
            (None, Some(json)) => json.first,
            (None, None) => ByteSet::default(),
        }
    }

    /// The bytes that may follow each place, and ignored text as the last.
    fn after(&self, rows: &Rows) -> Vec<ByteSet> {
        let ignored = self.texts[self.ignored()].as_ref().map_or(ByteSet::default(), Texts::first);
        let first = |place: usize| self.first(self.tokens.places[place].lexeme);
        let all = |places: &mut dyn Iterator<Item = usize>| {
            let mut after = ignored;
            places.for_each(|place| after.union(&first(place)));
            after
        };
        let mut after: Vec<ByteSet> = rows.next.iter().map(|places| all(&mut places.iter())).collect();
        after.push(all(&mut (0..self.tokens.places.len())));
        after
    }

    /// The lexemes that the lexer looks for beside each place and that say what may not follow it; for ignored text as well, as
    /// the last. Notes where that is not known.
    fn active(&self, rows: &Rows, faults: &mut Vec<Fault>) -> Vec<Vec<usize>> {
        let after = self.after(rows);
        let mut active = Vec::new();
        for (place, here) in self.tokens.places.iter().enumerate() {
            let mut beside = Vec::new();
            self.cut_short(rows, place, faults);
            if self.is_lazy(here.lexeme) {
                active.push(Vec::new());
                continue;
            }
            let begins = rows.next.iter().any(|next| next.contains(place)) || self.tokens.options.initial_skip;
            for other in (0..=self.ignored()).filter(|other| *other != here.lexeme) {
                let may = if other == self.ignored() { begins } else { rows.may[place].contains(other) };
                let clashes = self.clashes.get(&(here.lexeme, other)).filter(|_| may);
                for clash in clashes.into_iter().flatten() {
                    if other == self.ignored() && clash.both {
                        faults.push(self.is_ignored(here.span, clash));
                    } else if clash.longer.and(&after[place]).is_empty() {
                        // Such a byte can't follow anyhow.
                    } else if rows.must[place].contains(other) {
                        beside.push(other);
                    } else {
                        faults.push(self.unknown(here.span, other, clash));
                    }
                }
            }
            beside.dedup();
            active.push(beside);
        }
        // Ignored text may stand beside any lexeme.
        for other in 0..self.ignored() {
            for clash in self.clashes.get(&(self.ignored(), other)).into_iter().flatten() {
                if let Some((_, span)) = &self.tokens.ignored
                    && !clash.longer.and(&after[after.len() - 1]).is_empty()
                {
                    faults.push(self.unknown(*span, other, clash));
                }
            }
        }
        active.push(Vec::new());
        active
    }

    pub(super) fn is_lazy(&self, lexeme: usize) -> bool {
        matches!(self.tokens.lexemes.get(lexeme), Some(Lexeme::Lazy(_)))
    }

    /// Notes where a lazy lexeme beside a place would end texts of the place before they are complete. A text that both have is
    /// taken as both.
    fn cut_short(&self, rows: &Rows, place: usize, faults: &mut Vec<Fault>) {
        let here = self.tokens.places[place];
        let beside = rows.may[place].iter().filter(|other| *other != here.lexeme && self.is_lazy(*other));
        for other in beside {
            let (Some(texts), Some(lazy)) = (&self.texts[here.lexeme], &self.texts[other]) else { continue };
            if let Some(text) = texts.begins_with(lazy) {
                let message =
                    format!("this could begin with `{}`, where the lexer stops for a lazy terminal", shown(&text));
                faults.push(
                    Fault::new(here.span, message).help("allow the lazy terminal only where nothing else is allowed"),
                );
            }
        }
        if !self.is_lazy(here.lexeme) {
            return;
        }
        let mut before = (0..self.tokens.places.len()).filter(|before| rows.next[*before].contains(place));
        let late = self.texts[self.ignored()].is_some() || before.any(|before| self.ends_late(rows, before));
        if late && self.texts[here.lexeme].as_ref().is_some_and(Texts::has_byte) {
            let message = "this lazy terminal can be one byte, which llguidance overlooks after another terminal";
            faults.push(Fault::new(here.span, message).help("let it match at least two bytes"));
        }
        if let (Some(ignored), Some(lazy)) = (&self.texts[self.ignored()], &self.texts[here.lexeme])
            && rows.next.iter().any(|next| next.contains(place))
            && let Some(text) = ignored.begins_with(lazy)
        {
            let message = format!("ignored text could begin with `{}`, where this lazy terminal stops", shown(&text));
            faults.push(Fault::new(here.span, message).help("let `%ignore` take less"));
        }
    }

    /// Whether the lexer sees the end of a lexeme only at the byte after it.
    fn ends_late(&self, rows: &Rows, place: usize) -> bool {
        let lexeme = self.tokens.places[place].lexeme;
        let goes_on = |other: usize| {
            let clashes = self.clashes.get(&(lexeme, other)).into_iter().flatten();
            clashes.into_iter().any(|clash| !clash.longer.is_empty())
        };
        let own = self.texts[lexeme].as_ref().is_some_and(|texts| !texts.all_onward().is_empty());
        let number = self.json(lexeme).is_some_and(|json| !json.onward.is_empty());
        !self.is_lazy(lexeme) && (own || number || rows.may[place].iter().any(goes_on))
    }

    /// Terminals that can be empty at the beginning of an output. llguidance takes the empty text where ignored text comes, which
    /// may then stand at the beginning, but before what follows that terminal only.
    fn begun_empty(&self, rows: &Rows) -> Vec<Fault> {
        if self.tokens.ignored.is_none() || self.tokens.options.initial_skip {
            return Vec::new();
        }
        let places = rows.first.iter().map(|place| self.tokens.places[place]);
        let can_be_empty = |lexeme: usize| match &self.tokens.lexemes[lexeme] {
            Lexeme::Text(regex) => regex.matches(StateId::START),
            Lexeme::Lazy(_) | Lexeme::Special(_) | Lexeme::Json(_) => false,
        };
        let fault = |span| {
            Fault::new(span, "this terminal can be empty at the beginning of an output, in a grammar with `%ignore`")
                .help("let it match at least one character, and write `?` after it")
        };
        places.filter(|place| can_be_empty(place.lexeme)).map(|place| fault(place.span)).collect()
    }

    fn is_ignored(&self, span: Span, clash: &Clash) -> Fault {
        let text = shown(&clash.text);
        Fault::new(span, format!("`{text}` would always be ignored here, since `%ignore` takes it too"))
            .help("let `%ignore` take less, or the terminal")
    }

    /// A lexeme as it is written.
    fn named(&self, lexeme: usize) -> String {
        match self.tokens.places.iter().find(|place| place.lexeme == lexeme) {
            Some(place) => format!("`{}`", &self.source[place.span.start..place.span.end]),
            None => "ignored text".to_owned(),
        }
    }

    fn unknown(&self, span: Span, other: usize, clash: &Clash) -> Fault {
        let text = shown(&clash.text);
        let name = self.named(other);
        let message =
            format!("the lexer takes `{text}` here, or reads on for {name}, which is allowed only in some places");
        Fault::new(span, message).help(format!(
            "llguidance decides by the text before, which has no equal here: let what follows `{text}` begin with another \
             character, or allow {name} wherever this stands"
        ))
    }
}

/// A text in a message.
fn shown(text: &[u8]) -> String {
    gramask_ner::visible(&String::from_utf8_lossy(text)).to_string()
}
