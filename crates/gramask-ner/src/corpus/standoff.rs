//! Standoff: the text in a `.txt` file, the annotations in files beside it, with the same stem.
//!
//! A document of BRAT is a `.txt` and an `.ann` file. A document of the BioNLP shared tasks has three files: a `.txt`, an `.a1`
//! file with the given annotations, and an `.a2` file with the annotations to be found. The last may be missing. The stem is the
//! identifier.
//!
//! ```text
//! T1   Gene_or_protein 79 83   DPYD
//! T10   Pharmacodynamic_phenotype 116 125;73 82   estradiol levels of
//! R1   treats Arg1:T4 Arg2:T3
//! ```
//!
//! Tabs separate the fields. Only `T` lines are entities. Relations, events, attributes, normalisations, equivalences,
//! notes and blank lines are passed over. `;` separates fragments, which may stand out of text order. The annotated string
//! has the fragments in the same order, with a space between. White space at the end of a line means nothing, because
//! annotation tools leave it there. Files such as README.txt are ignored, with a note.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::collect::{Collector, Mention, Place};
use super::detect::list;
use super::error::read_text;
use super::{Form, ProblemKind, ReadError};
use crate::{Document, Entity, Fragment, Text, quoted};

/// Stems of text files that accompany a corpus.
const ABOUT: &[&str] = &["readme", "license", "licence", "copying", "notice", "changelog", "changes", "citation"];

/// The stems of a folder, each with the extensions that are there.
fn stems(folder: &Path, extensions: &[&'static str]) -> Result<BTreeMap<PathBuf, Vec<&'static str>>, ReadError> {
    let mut stems: BTreeMap<PathBuf, Vec<&'static str>> = BTreeMap::new();
    for path in list(folder)? {
        let found = path.extension().and_then(|found| extensions.iter().find(|known| found == **known));
        if let Some(extension) = found {
            stems.entry(path.with_extension("")).or_default().push(extension);
        }
    }
    Ok(stems)
}

/// Adds an extension to a stem that may itself hold dots.
fn with(stem: &Path, extension: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// Reads all documents of `folder` into `out`.
pub(super) fn read(folder: &Path, form: Form, out: &mut Collector<'_>) -> Result<(), ReadError> {
    let (required, extensions): (&str, &[&'static str]) =
        if form == Form::BioNlp { ("a1", &["a1", "a2", "txt"]) } else { ("ann", &["ann", "txt"]) };
    for (stem, found) in stems(folder, extensions)? {
        let id = stem.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let missing = ["txt", required].into_iter().find(|needed| !found.contains(needed));
        let Some(missing) = missing else {
            document(&stem, &id, &found, out)?;
            continue;
        };
        let file = with(&stem, found[0]);
        let place = Place { file: &file, line: 1, document: None };
        if found == ["txt"] && ABOUT.contains(&id.to_lowercase().as_str()) {
            out.problem(place, ProblemKind::IgnoredFile)?;
        } else {
            out.problem(place, ProblemKind::MissingPartner { partner: with(&stem, missing) })?;
        }
    }
    Ok(())
}

/// Reads one document.
fn document(stem: &Path, id: &str, found: &[&str], out: &mut Collector<'_>) -> Result<(), ReadError> {
    let file = with(stem, "txt");
    let text = Text::new(read_text(&file)?);
    let mut entities = Vec::new();
    for extension in found.iter().filter(|extension| **extension != "txt") {
        let file = with(stem, extension);
        annotations(id, &file, &read_text(&file)?, &text, &mut entities, out)?;
    }
    let place = Place { file: &file, line: 1, document: Some(id) };
    out.document(place, Document { id: id.to_owned(), text, entities, offset: 0 })
}

/// Reads one file of annotations.
fn annotations(
    id: &str,
    file: &Path,
    content: &str,
    text: &Text,
    entities: &mut Vec<Entity>,
    out: &mut Collector<'_>,
) -> Result<(), ReadError> {
    for (number, line) in content.lines().enumerate() {
        let place = Place { file, line: number + 1, document: Some(id) };
        match line.chars().next() {
            _ if line.trim_ascii().is_empty() => {}
            Some('R' | 'E' | 'A' | 'M' | 'N' | '#' | '*') => {}
            Some('T') => match t_line(line.trim_end()) {
                Ok(mention) => {
                    // A mention that really ends in white space is annotated with it, and the trimmed line lacks it.
                    let spaced = spaced(text, &mention);
                    let mention = Mention { annotated: spaced.as_deref().or(mention.annotated), ..mention };
                    out.mention(place, text, mention, entities)?;
                }
                Err((found, expected)) => out.corrupt(place, found, expected)?,
            },
            _ => out.corrupt(
                place,
                format!("a line that begins {}", quoted(&line.chars().take(20).collect::<String>())),
                "T, R, E, A, M, N, # or * and a number",
            )?,
        }
    }
    Ok(())
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
        return Err((format!("{}, fewer than three tab-separated fields", quoted(line)), shape()));
    };
    let Some((label, offsets)) = middle.split_once(' ') else {
        return Err((format!("{} without offsets", quoted(middle)), shape()));
    };
    let fragment = |part: &str| {
        let (start, end) = part.trim().split_once(' ')?;
        Some(Fragment::new(start.parse().ok()?, end.trim().parse().ok()?))
    };
    match offsets.split(';').map(fragment).collect() {
        Some(fragments) if !label.is_empty() => Ok(Mention { label, fragments, annotated: Some(annotated) }),
        _ => Err((format!("the offsets {}", quoted(offsets)), shape())),
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
        for stem in stems(&folder, &["ann"]).unwrap().into_keys() {
            for line in read_text(&with(&stem, "ann")).unwrap().lines().filter(|line| line.starts_with('T')) {
                let fragments = t_line(line.trim_end()).unwrap().fragments;
                mentions += 1;
                discontinuous += usize::from(fragments.len() > 1);
                unordered += usize::from(!fragments.is_sorted());
            }
        }
        assert_eq!((mentions, discontinuous, unordered), (6_761, 409, 117));
    }
}
