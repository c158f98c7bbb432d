//! BRAT standoff: a folder of `.txt` and `.ann` pairs, one document each, the file's stem being the identifier.
//!
//! ```text
//! T1   Gene_or_protein 79 83   DPYD
//! T10   Pharmacodynamic_phenotype 116 125;73 82   estradiol levels of
//! R1   treats Arg1:T4 Arg2:T3
//! ```
//!
//! Fields are separated by tabs. Only `T` lines are entities; relations, events, attributes, normalisations, equivalences and notes are passed over.
//! Fragments are separated by `;` and may stand out of text order; the annotated string has them in that order, with a
//! space between. White space at the end of a line means nothing: annotation tools leave it there.

use std::path::{Path, PathBuf};

use super::collect::{Collector, Mention, Place};
use super::problem::read_text;
use super::{ProblemKind, ReadError};
use crate::{Document, Fragment, Text};

/// The `.ann` and `.txt` stems of a folder, sorted: file systems list in no particular order.
fn stems(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let io = |source| ReadError::Io { file: folder.to_owned(), source };
    let mut stems = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "ann" || extension == "txt") {
            stems.push(path.with_extension(""));
        }
    }
    stems.sort();
    stems.dedup();
    Ok(stems)
}

/// Whether a folder holds an `.ann` file.
pub(super) fn sniff(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .is_ok_and(|entries| entries.flatten().any(|e| e.path().extension().is_some_and(|x| x == "ann")))
}

/// Adds an extension to a stem that may itself hold dots.
fn with(stem: &Path, extension: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(extension);
    PathBuf::from(name)
}

/// Reads all pairs of `folder` into `out`.
pub(super) fn read(folder: &Path, out: &mut Collector<'_>) -> Result<(), ReadError> {
    for stem in stems(folder)? {
        let (ann, txt) = (with(&stem, ".ann"), with(&stem, ".txt"));
        let id = stem.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let missing = |file, partner: &Path| {
            let place = Place { file, line: 1, document: None };
            (place, ProblemKind::MissingPartner { partner: partner.to_owned() })
        };
        match (ann.is_file(), txt.is_file()) {
            (true, true) => pair(&id, &ann, &read_text(&ann)?, Text::new(read_text(&txt)?), out)?,
            (true, false) => {
                let (place, kind) = missing(&ann, &txt);
                out.problem(place, kind)?;
            }
            _ => {
                let (place, kind) = missing(&txt, &ann);
                out.problem(place, kind)?;
            }
        }
    }
    Ok(())
}

/// Reads one pair.
fn pair(id: &str, ann: &Path, content: &str, text: Text, out: &mut Collector<'_>) -> Result<(), ReadError> {
    let mut entities = Vec::new();
    for (number, line) in content.lines().enumerate() {
        let place = Place { file: ann, line: number + 1, document: Some(id) };
        match line.chars().next() {
            None | Some('R' | 'E' | 'A' | 'M' | 'N' | '#' | '*') => {}
            Some('T') => match t_line(line.trim_end()) {
                Ok(mention) => {
                    // A mention that really ends in white space is annotated with it, and the trimmed line lacks it.
                    let spaced = spaced(&text, &mention);
                    let mention = Mention { annotated: spaced.as_deref().or(mention.annotated), ..mention };
                    out.mention(place, &text, mention, &mut entities)?;
                }
                Err((found, expected)) => out.corrupt(place, found, expected)?,
            },
            Some(_) => out.corrupt(
                place,
                format!("a line that begins {:?}", line.chars().take(20).collect::<String>()),
                "T, R, E, A, M, N, # or * and a number",
            )?,
        }
    }
    let place = Place { file: ann, line: 1, document: Some(id) };
    out.document(place, Document { id: id.to_owned(), text, entities, offset: 0 })
}

/// The annotated string with the white space that its last fragment ends with, where it has been trimmed away.
fn spaced(text: &Text, mention: &Mention<'_>) -> Option<String> {
    let last = text.slice(*mention.fragments.last()?)?;
    let tail = &last[last.trim_end().len()..];
    (!tail.is_empty()).then(|| format!("{}{tail}", mention.annotated.unwrap_or_default()))
}

/// `T1<TAB>LABEL START END;START END<TAB>STRING`, trimmed at its end; else what was found and what would be right.
fn t_line(line: &str) -> Result<Mention<'_>, (String, String)> {
    let shape = || "T1<TAB>LABEL START END[;START END]<TAB>STRING".to_owned();
    let mut fields = line.splitn(3, '\t');
    let (Some(_), Some(middle), Some(annotated)) = (fields.next(), fields.next(), fields.next()) else {
        return Err((format!("{line:?}, fewer than three tab-separated fields"), shape()));
    };
    let Some((label, offsets)) = middle.split_once(' ') else {
        return Err((format!("{middle:?} without offsets"), shape()));
    };
    let fragment = |part: &str| {
        let (start, end) = part.trim().split_once(' ')?;
        Some(Fragment::new(start.parse().ok()?, end.trim().parse().ok()?))
    };
    match offsets.split(';').map(fragment).collect() {
        Some(fragments) if !label.is_empty() => Ok(Mention { label, fragments, annotated: Some(annotated) }),
        _ => Err((format!("the offsets {offsets:?}"), shape())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_keep_the_order_of_the_file() {
        let mention = t_line("T10\tPhenotype 116 125;73 82\testradiol levels of").unwrap();
        assert_eq!(mention.fragments, [Fragment::new(116, 125), Fragment::new(73, 82)]);
        assert_eq!(mention.annotated, Some("estradiol levels of"));
        for bad in ["T1", "T1\tX\tabc", "T1\tX 1\tabc", "T1\tX 1 b\tabc", "T1\tX 1 2;\tabc", "T1\t 1 2\tabc"] {
            assert!(t_line(bad).is_err(), "{bad}");
        }
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "a skipped test says so")]
    fn pgxcorpus_has_117_mentions_with_fragments_out_of_text_order() {
        let Some(folder) = super::super::data_folder("pgxcorpus") else {
            return;
        };
        let (mut mentions, mut discontinuous, mut unordered) = (0, 0, 0);
        for stem in stems(&folder).unwrap() {
            for line in read_text(&with(&stem, ".ann")).unwrap().lines().filter(|line| line.starts_with('T')) {
                let fragments = t_line(line.trim_end()).unwrap().fragments;
                mentions += 1;
                discontinuous += usize::from(fragments.len() > 1);
                unordered += usize::from(!fragments.is_sorted());
            }
        }
        assert_eq!((mentions, discontinuous, unordered), (6_761, 409, 117));
    }
}
