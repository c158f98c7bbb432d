//! Telling the form of a file or folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Form, ReadError, conll, pubtator};

/// Names of splits. A folder with a file of such a name holds splits, which must not be read as one corpus.
const SPLITS: &[&str] = &["train", "training", "dev", "devel", "development", "valid", "validation", "test", "eval"];

/// The form of a file: by option, else by its extension, else by its first lines.
pub(super) fn file(path: &Path, content: &str, given: Option<Form>) -> Result<Form, ReadError> {
    if let Some(form) = given {
        return Ok(form);
    }
    let form = match extension(path).as_deref() {
        Some("pubtator") => Some(Form::PubTator),
        Some("conll" | "bio" | "iob" | "iob2" | "tsv") => Some(Form::Conll),
        Some("jsonl" | "ndjson") => Some(Form::Jsonl),
        Some("ann" | "a1" | "a2") => {
            return Err(ReadError::PartOfFolder { file: path.to_owned() });
        }
        _ => sniff(content),
    };
    form.ok_or_else(|| ReadError::UnknownForm { file: path.to_owned() })
}

/// The form by the first lines, where they are typical of one form.
fn sniff(content: &str) -> Option<Form> {
    let start = content.trim_start();
    let head: String = start.chars().take(4_000).collect();
    if pubtator::sniff(content) {
        Some(Form::PubTator)
    } else if start.starts_with('<') {
        head.contains("<collection").then_some(Form::BiocXml)
    } else if start.starts_with('{') || start.starts_with('[') {
        // One object per line is JSON lines; an object that goes on over lines, or has passages, is BioC.
        let bioc = head.contains("\"documents\"") || head.contains("\"passages\"") || head.contains("\"PubTator3\"");
        if bioc { Some(Form::BiocJson) } else { start.starts_with('{').then_some(Form::Jsonl) }
    } else {
        conll::sniff(content).then_some(Form::Conll)
    }
}

/// The form of a folder: by option, else by the extensions in it.
pub(super) fn folder(path: &Path, given: Option<Form>) -> Result<Form, ReadError> {
    if let Some(form) = given {
        return Ok(form);
    }
    let mut forms: BTreeSet<&'static str> = BTreeSet::new();
    for file in list(path)? {
        let form = match extension(&file).as_deref() {
            Some("ann") => Form::Brat,
            Some("a1" | "a2") => Form::BioNlp,
            Some("conll" | "bio" | "iob" | "iob2" | "tsv") => Form::Conll,
            Some("pubtator") => Form::PubTator,
            Some("jsonl" | "ndjson") => Form::Jsonl,
            Some("xml") => Form::BiocXml,
            Some("json") => Form::BiocJson,
            _ => continue,
        };
        forms.insert(form.as_str());
    }
    let mut found = forms.iter().filter_map(|name| name.parse().ok());
    match (found.next(), found.next()) {
        (Some(form), None) => Ok(form),
        (None, _) => Err(ReadError::UnknownForm { file: path.to_owned() }),
        (Some(_), Some(_)) => Err(ReadError::MixedForms {
            folder: path.to_owned(),
            forms: forms.into_iter().map(str::to_owned).collect(),
        }),
    }
}

/// The files of a form in a folder, in alphabetical order.
///
/// # Errors
/// A folder that cannot be listed, and one whose files are the splits of a corpus.
pub(super) fn files(folder: &Path, form: Form) -> Result<Vec<PathBuf>, ReadError> {
    let mut files = list(folder)?;
    files.retain(|file| {
        matches!(
            (form, extension(file).as_deref()),
            (Form::Conll, Some("conll" | "bio" | "iob" | "iob2" | "tsv"))
                | (Form::PubTator, Some("pubtator"))
                | (Form::Jsonl, Some("jsonl" | "ndjson"))
                | (Form::BiocXml, Some("xml"))
                | (Form::BiocJson, Some("json"))
        )
    });
    let named: Vec<(String, String)> = files.iter().filter_map(|file| split_pattern(file)).collect();
    match named.iter().find(|(split, _)| *split != named[0].0) {
        Some(_) => Err(ReadError::FolderOfSplits { folder: folder.to_owned(), pattern: named[0].1.clone() }),
        None => Ok(files),
    }
}

/// The split that a file's name holds, and the name with `{split}` in its place.
fn split_pattern(file: &Path) -> Option<(String, String)> {
    let (name, stem) = (file.file_name()?.to_string_lossy(), file.file_stem()?.to_string_lossy());
    let part = stem.split(['-', '_', '.']).find(|part| SPLITS.contains(&part.to_lowercase().as_str()))?;
    Some((part.to_owned(), name.replacen(part, "{split}", 1)))
}

/// The files of a folder in alphabetical order: file systems list in no particular order. Hidden files are left out.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let io = |source| ReadError::Io { file: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The extension in lower case.
fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase())
}
