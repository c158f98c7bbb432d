//! Writing documents with their entities: PubTator, BRAT standoff and BioC XML. [`write_jsonl`](super::write_jsonl) writes
//! JSON lines.
//!
//! A reader gives back what was written, as far as a form can express it; what it cannot express is an error.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Document, Entity, quoted};

/// Why documents could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The form cannot express an entity.
    #[error(
        "document {document}: the entity {entity} is discontinuous, which PubTator cannot express; write brat, jsonl or bioc"
    )]
    Discontinuous {
        /// The document.
        document: String,
        /// The entity, as label and offsets.
        entity: String,
    },
    /// An entity that is not in the text.
    #[error("document {document}: the offsets of {entity} are outside the text of {length} characters")]
    Outside {
        /// The document.
        document: String,
        /// The entity, as label and offsets.
        entity: String,
        /// The length of the text.
        length: usize,
    },
    /// The form cannot express an identifier, a label or a text.
    #[error("document {document}: {form} cannot express {what}; write jsonl")]
    Inexpressible {
        /// The document.
        document: String,
        /// The form.
        form: &'static str,
        /// What cannot be expressed.
        what: String,
    },
    /// The system refused.
    #[error("cannot write {}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The stream refused.
    #[error("cannot write: {0}")]
    Stream(#[from] io::Error),
}

fn inexpressible(document: &Document, form: &'static str, what: impl Into<String>) -> WriteError {
    WriteError::Inexpressible { document: document.id.clone(), form, what: what.into() }
}

/// The surfaces of an entity's fragments.
fn surfaces<'a>(document: &'a Document, entity: &Entity) -> Result<Vec<&'a str>, WriteError> {
    let surfaces: Option<Vec<&str>> = entity.fragments.iter().map(|&f| document.text.slice(f)).collect();
    surfaces.filter(|surfaces| !surfaces.is_empty()).ok_or_else(|| WriteError::Outside {
        document: document.id.clone(),
        entity: entity.to_string(),
        length: document.text.len(),
    })
}

/// Fields of a line cannot hold tabs or line breaks, and labels no white space at all.
fn check_label(document: &Document, label: &str, form: &'static str) -> Result<(), WriteError> {
    match label.is_empty() || label.contains(|c: char| c.is_whitespace()) {
        true => Err(inexpressible(document, form, format!("the label {}", quoted(label)))),
        false => Ok(()),
    }
}

/// Writes documents as PubTator. The first line of a text is the title, the rest the abstract, in which line breaks become
/// spaces, so that offsets stay the same.
///
/// # Errors
/// Discontinuous entities, an identifier with `|` or white space, a label with white space.
pub fn write_pubtator<'a>(
    mut out: impl Write,
    documents: impl IntoIterator<Item = &'a Document>,
) -> Result<(), WriteError> {
    for document in documents {
        let id = &document.id;
        if id.is_empty() || id.contains(|c: char| c == '|' || c.is_whitespace()) {
            return Err(inexpressible(document, "PubTator", format!("the identifier {}", quoted(id))));
        }
        let plain = |text: &str| text.replace(['\n', '\r'], " ");
        let (title, rest) = document.text.as_str().split_once('\n').unwrap_or((document.text.as_str(), ""));
        writeln!(out, "{id}|t|{}\n{id}|a|{}", plain(title), plain(rest))?;
        for entity in &document.entities {
            let surface = surfaces(document, entity)?;
            let [surface] = surface.as_slice() else {
                return Err(WriteError::Discontinuous { document: id.clone(), entity: entity.to_string() });
            };
            check_label(document, &entity.label, "PubTator")?;
            if surface.contains('\t') {
                return Err(inexpressible(document, "PubTator", format!("the mention {}", quoted(surface))));
            }
            writeln!(out, "{id}\t{}\t{}\t{}\t{}\t-1", entity.start(), entity.end(), plain(surface), entity.label)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes documents as pairs of `.txt` and `.ann` files into a folder, which is made if it is missing.
///
/// # Errors
/// An identifier that cannot be the name of a file, a label with white space, a file that cannot be written.
pub fn write_brat<'a>(folder: &Path, documents: impl IntoIterator<Item = &'a Document>) -> Result<(), WriteError> {
    let io = |file: &Path, source| WriteError::Io { file: file.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
    for document in documents {
        let id = &document.id;
        let unsafe_name = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
        if id.is_empty() || id.starts_with('.') || id.contains(unsafe_name) {
            return Err(inexpressible(
                document,
                "BRAT",
                format!("the identifier {}, which is no name of a file", quoted(id)),
            ));
        }
        let mut ann = String::new();
        for (number, entity) in (1..).zip(&document.entities) {
            check_label(document, &entity.label, "BRAT")?;
            let surface = surfaces(document, entity)?.join(" ").replace(['\n', '\r', '\t'], " ");
            let offsets: Vec<String> = entity.fragments.iter().map(|f| format!("{} {}", f.start, f.end)).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(ann, "T{number}\t{} {}\t{surface}", entity.label, offsets.join(";"));
        }
        for (extension, content) in [("txt", document.text.as_str()), ("ann", &ann)] {
            let file = folder.join(format!("{id}.{extension}"));
            std::fs::write(&file, content).map_err(|source| io(&file, source))?;
        }
    }
    Ok(())
}

/// Writes documents as a BioC collection in XML. A text of two lines becomes two passages, any other one passage. Offsets
/// begin at the document's own offset.
///
/// # Errors
/// Characters that XML cannot hold.
pub fn write_bioc<'a>(
    mut out: impl Write,
    documents: impl IntoIterator<Item = &'a Document>,
) -> Result<(), WriteError> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<collection>\n  <source>gramask</source>")?;
    for document in documents {
        let bad = |c: char| (c < ' ' && !"\t\n\r".contains(c)) || c == '\u{FFFE}' || c == '\u{FFFF}';
        let strings = std::iter::once(document.id.as_str()).chain([document.text.as_str()]);
        let strings = strings.chain(document.entities.iter().map(|entity| entity.label.as_str()));
        if let Some(c) = strings.flat_map(str::chars).find(|&c| bad(c)) {
            return Err(inexpressible(document, "XML", format!("the character {c:?}")));
        }
        if document.id != document.id.trim() || document.id.is_empty() {
            return Err(inexpressible(document, "BioC", format!("the identifier {}", quoted(&document.id))));
        }
        writeln!(out, "  <document>\n    <id>{}</id>", escaped(&document.id))?;
        let text = document.text.as_str();
        let (first, second) = match text.split_once('\n') {
            Some((first, second)) if !first.is_empty() && !second.is_empty() && !second.contains('\n') => {
                (first, Some(second))
            }
            _ => (text, None),
        };
        let border = first.chars().count() + 1;
        passage(&mut out, document, first, 0, |start| second.is_none() || start < border)?;
        if let Some(second) = second {
            passage(&mut out, document, second, border, |start| start >= border)?;
        }
        writeln!(out, "  </document>")?;
    }
    Ok(writeln!(out, "</collection>")?)
}

fn passage(
    out: &mut impl Write,
    document: &Document,
    text: &str,
    at: usize,
    holds: impl Fn(usize) -> bool,
) -> Result<(), WriteError> {
    let base = document.offset;
    writeln!(out, "    <passage>\n      <offset>{}</offset>\n      <text>{}</text>", base + at, escaped(text))?;
    for (number, entity) in (1..).zip(&document.entities).filter(|(_, entity)| holds(entity.start())) {
        let surface = surfaces(document, entity)?.join(" ");
        writeln!(out, "      <annotation id=\"{number}\">")?;
        writeln!(out, "        <infon key=\"type\">{}</infon>", escaped(&entity.label))?;
        for fragment in &entity.fragments {
            let (offset, length) = (base + fragment.start, fragment.end - fragment.start);
            writeln!(out, "        <location offset=\"{offset}\" length=\"{length}\"/>")?;
        }
        writeln!(out, "        <text>{}</text>\n      </annotation>", escaped(&surface))?;
    }
    writeln!(out, "    </passage>")?;
    Ok(())
}

/// A text as XML content. A carriage return is written as a reference, because XML readers turn it into a line break.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}
