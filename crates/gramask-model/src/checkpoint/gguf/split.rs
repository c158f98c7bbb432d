//! Models that are split over several GGUF files: `NAME-00001-of-00003.gguf` and so on.
//!
//! The first part has the metadata of the model, and each part has a part of the tensors. `split.no`, `split.count` and
//! `split.tensors.count` say which part a file is, of how many, and how many tensors there are in all.

use super::GgufFile;
use super::value::GgufValue;
use crate::checkpoint::CheckpointError;
use std::path::{Path, PathBuf};

/// The files that a model is in: the file itself or, if it has the name of a part, all parts in their order. They need not
/// exist.
///
/// ```
/// use gramask_model::checkpoint::gguf_parts;
/// use std::path::{Path, PathBuf};
///
/// let parts = gguf_parts(Path::new("models/tiny-00002-of-00002.gguf"));
/// assert_eq!(parts, ["models/tiny-00001-of-00002.gguf", "models/tiny-00002-of-00002.gguf"].map(PathBuf::from));
/// assert_eq!(gguf_parts(Path::new("models/tiny.gguf")), [PathBuf::from("models/tiny.gguf")]);
/// ```
pub fn gguf_parts(path: &Path) -> Vec<PathBuf> {
    match name_of_part(path) {
        Some((name, _, count)) => {
            (1..=count).map(|number| path.with_file_name(part_name(name, number, count))).collect()
        }
        None => vec![path.to_owned()],
    }
}

/// The name that a part's file must have.
fn part_name(name: &str, number: u32, count: u32) -> String {
    format!("{name}-{number:05}-of-{count:05}.gguf")
}

/// The common name of the parts, the number of this one from 1, and how many there are.
fn name_of_part(path: &Path) -> Option<(&str, u32, u32)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    let five = |digits: &str| match digits.len() == 5 && digits.bytes().all(|digit| digit.is_ascii_digit()) {
        true => digits.parse::<u32>().ok(),
        false => None,
    };
    let (number, count) = (five(number)?, five(count)?);
    (1 <= number && number <= count).then_some((name, number, count))
}

/// A number of the metadata about parts.
fn number(file: &GgufFile, key: &str) -> Option<u64> {
    file.metadata().get(key).and_then(GgufValue::as_unsigned)
}

/// Joins the other parts of a model to the file that was opened; gives it back unchanged if it is no part of one.
pub(super) fn join(opened: GgufFile) -> Result<GgufFile, CheckpointError> {
    let path = opened.path().to_owned();
    let count = number(&opened, "split.count").unwrap_or(1);
    if count <= 1 {
        return Ok(opened);
    }
    let wrong = |path: &Path, what: String| CheckpointError::Split { path: path.to_owned(), what };
    let this = number(&opened, "split.no").map_or(1, |number| number.saturating_add(1));
    let paths = match name_of_part(&path) {
        Some((_, named, of)) if (u64::from(named), u64::from(of)) == (this, count) => gguf_parts(&path),
        _ => {
            let (number, count) = (u32::try_from(this).unwrap_or(u32::MAX), u32::try_from(count).unwrap_or(u32::MAX));
            let name = part_name("NAME", number, count);
            let what = format!(
                "part {this} of the {count} parts of a model; the others are found by its name, which must be {name}"
            );
            return Err(wrong(&path, what));
        }
    };
    let mut joined: Option<GgufFile> = None;
    for (index, path) in paths.iter().enumerate() {
        if !path.exists() {
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let file = format!("{name}, which is part {} of the {count} parts of the model", index + 1);
            return Err(CheckpointError::MissingFile { folder, file });
        }
        let part = GgufFile::open_one(path)?;
        if (number(&part, "split.no"), number(&part, "split.count")) != (Some(index as u64), Some(count)) {
            let what = format!("not part {} of {count}: `split.no` and `split.count` say otherwise", index + 1);
            return Err(wrong(path, what));
        }
        match &mut joined {
            None => joined = Some(part),
            Some(joined) => {
                let known = |name: &str| joined.tensors().iter().any(|tensor| tensor.name == name);
                if let Some(twice) = part.tensors().iter().find(|tensor| known(&tensor.name)) {
                    return Err(wrong(path, format!("the tensor `{}` is in an earlier part too", twice.name)));
                }
                joined.append(part);
            }
        }
    }
    let joined = joined.unwrap_or(opened);
    let (found, told) = (joined.tensors().len() as u64, number(&joined, "split.tensors.count"));
    if let Some(told) = told.filter(|&told| told != found) {
        let what = format!("`split.tensors.count` is {told}, but the {count} parts have {found} tensors");
        return Err(wrong(&path, what));
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        let name =
            |path: &str| name_of_part(Path::new(path)).map(|(name, number, count)| (name.to_owned(), number, count));
        assert_eq!(name("a/b-q4-00002-of-00003.gguf"), Some(("b-q4".to_owned(), 2, 3)));
        for other in
            ["b.gguf", "b-2-of-3.gguf", "b-00004-of-00003.gguf", "b-00000-of-00003.gguf", "b-00001-of-00002.bin"]
        {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
