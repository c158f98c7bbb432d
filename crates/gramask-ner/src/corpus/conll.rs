//! CoNLL: a word and its BIO tag per line, a tab or spaces between, sentences set apart by empty lines.
//!
//! Words have no offsets, so a text is made from them, always the same one from the same words ([`detokenise`]).
//! Where a line has more than two columns, the first is the word and the last the tag. `-DOCSTART-` lines and comment
//! lines (`# `, with a space) are passed over. Identifiers are `STEM:NUMBER`, the file's stem and the sentence's number.
//! An `I-` tag that continues no mention of its label is a problem; going on, it is read as a `B-`.

use std::path::Path;

use super::collect::{Collector, Mention, Place};
use super::{ProblemKind, ReadError};
use crate::{Document, Fragment, Text};

/// Reads `content`, the text of `file`, into `out`.
pub(super) fn read(file: &Path, content: &str, out: &mut Collector<'_>) -> Result<(), ReadError> {
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let mut sentence = Sentence::default();
    let mut count = 0;
    for (number, line) in content.lines().enumerate() {
        let line_number = number + 1;
        let line = line.trim_end();
        if line.is_empty() || line.starts_with("-DOCSTART-") {
            sentence.close(file, &stem, &mut count, out)?;
            continue;
        }
        let mut columns =
            if line.contains('\t') { line.split('\t').collect::<Vec<_>>() } else { line.split_whitespace().collect() };
        let tag = columns.pop().unwrap_or_default();
        let place = Place { file, line: line_number, document: None };
        match (columns.first(), Tag::parse(tag)) {
            (Some(word), Some(tag)) if !word.trim().is_empty() => {
                sentence.push(place, word.trim(), tag, out)?;
            }
            // `#` with a tag is a word; with anything else it is a comment.
            _ if line.starts_with("# ") => {}
            (Some(_), None) => {
                out.corrupt(place, format!("the tag {tag:?}"), "O, B-LABEL or I-LABEL")?;
                sentence.skip();
            }
            _ => {
                out.corrupt(place, format!("{line:?}"), "WORD<TAB>TAG")?;
                sentence.skip();
            }
        }
    }
    sentence.close(file, &stem, &mut count, out)
}

/// A BIO tag.
#[derive(Clone, Copy)]
enum Tag<'a> {
    Outside,
    Begin(&'a str),
    Inside(&'a str),
}

impl<'a> Tag<'a> {
    fn parse(tag: &'a str) -> Option<Self> {
        match tag.split_once('-') {
            None if tag == "O" => Some(Tag::Outside),
            Some(("B", label)) if !label.is_empty() => Some(Tag::Begin(label)),
            Some(("I", label)) if !label.is_empty() => Some(Tag::Inside(label)),
            _ => None,
        }
    }
}

/// The sentence under construction.
#[derive(Default)]
struct Sentence<'a> {
    line: usize,
    words: Vec<&'a str>,
    /// Label, first word, one past the last word.
    mentions: Vec<(&'a str, usize, usize)>,
    /// Whether the last word belongs to the last mention.
    inside: bool,
}

impl<'a> Sentence<'a> {
    fn push(
        &mut self,
        place: Place<'_>,
        word: &'a str,
        tag: Tag<'a>,
        out: &mut Collector<'_>,
    ) -> Result<(), ReadError> {
        if self.words.is_empty() {
            self.line = place.line;
        }
        let next = self.words.len();
        match tag {
            Tag::Outside => self.inside = false,
            Tag::Begin(label) => self.begin(label, next),
            Tag::Inside(label) => match self.mentions.last_mut() {
                Some(mention) if self.inside && mention.0 == label => mention.2 = next + 1,
                _ => {
                    out.problem(place, ProblemKind::StrayInside { tag: format!("I-{label}") })?;
                    self.begin(label, next);
                }
            },
        }
        self.words.push(word);
        Ok(())
    }

    fn begin(&mut self, label: &'a str, word: usize) {
        self.mentions.push((label, word, word + 1));
        self.inside = true;
    }

    /// A line was left out: no mention goes on over it.
    fn skip(&mut self) {
        self.inside = false;
    }

    fn close(&mut self, file: &Path, stem: &str, count: &mut usize, out: &mut Collector<'_>) -> Result<(), ReadError> {
        let Sentence { line, words, mentions, .. } = std::mem::take(self);
        if words.is_empty() {
            return Ok(());
        }
        *count += 1;
        let id = format!("{stem}:{count}");
        let (string, spans) = detokenise(&words);
        let text = Text::new(string);
        let place = Place { file, line, document: Some(&id) };
        let mut entities = Vec::new();
        for (label, first, end) in mentions {
            let fragment = Fragment::new(spans[first].start, spans[end - 1].end);
            let mention = Mention { label, fragments: vec![fragment], annotated: None };
            out.mention(place, &text, mention, &mut entities)?;
        }
        out.document(place, Document { id: id.clone(), text, entities, offset: 0 })
    }
}

/// Makes a text from words: the text and each word's place in it, in characters.
///
/// A space stands between two words, except
/// - before `, . ; : ! ? % ) ] }` and `'`;
/// - behind `( [ {`;
/// - on either side of `-` and `/`;
/// - behind a `.` that stands between numbers (`1 . 21` becomes `1.21`) and behind a `'` before `s` (`patient ' s`).
///
/// Two words that hold a letter or digit at the place where they meet are never joined, so that each word of the input
/// that is a word of [`Text`] is one in the output, too. What the original text had there is not known: the rules
/// prefer what is frequent in scientific prose.
///
/// ```
/// use gramask_ner::corpus::detokenise;
/// let (text, spans) = detokenise(&["K", "-", "depleted", "rats", "(", "1", ".", "21", "%", ")", "."]);
/// assert_eq!(text, "K-depleted rats (1.21%).");
/// assert_eq!((spans[2].start, spans[2].end), (2, 10));
/// ```
pub fn detokenise(words: &[&str]) -> (String, Vec<Fragment>) {
    let mut text = String::new();
    let mut spans = Vec::with_capacity(words.len());
    let mut at = 0;
    for (i, word) in words.iter().enumerate() {
        if i > 0 && space_before(words, i) {
            text.push(' ');
            at += 1;
        }
        let length = word.chars().count();
        spans.push(Fragment::new(at, at + length));
        text.push_str(word);
        at += length;
    }
    (text, spans)
}

/// Whether a space stands before word `i`, which is not the first.
fn space_before(words: &[&str], i: usize) -> bool {
    let (left, right) = (words[i - 1], words[i]);
    let alphanumeric = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    if alphanumeric(left.chars().next_back()) && alphanumeric(right.chars().next()) {
        return true;
    }
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let decimal = left == "." && i >= 2 && digit(words[i - 2].chars().next_back()) && digit(right.chars().next());
    let tight = matches!(right, "," | "." | ";" | ":" | "!" | "?" | "%" | ")" | "]" | "}" | "'" | "-" | "/")
        || matches!(left, "(" | "[" | "{" | "-" | "/")
        || (left == "'" && right == "s")
        || decimal;
    !tight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_is_attached_and_offsets_are_right() {
        let words =
            ["5", "'", "-", "nucleotidase", "vs", ".", "α", "[", "HCO3", "-", "]", ",", "the", "cell", "'", "s"];
        let (text, spans) = detokenise(&words);
        assert_eq!(text, "5'-nucleotidase vs. α [HCO3-], the cell's");
        let text = Text::new(text);
        for (word, span) in words.iter().zip(spans) {
            assert_eq!(text.slice(span), Some(*word));
        }
    }

    #[test]
    fn a_full_stop_between_words_does_not_join_them() {
        assert_eq!(detokenise(&["end", ".", "5", "mg"]).0, "end. 5 mg");
        assert_eq!(detokenise(&["p", "<", "0", ".", "05", "."]).0, "p < 0.05.");
    }
}
