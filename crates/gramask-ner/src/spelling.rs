//! Names that were mistyped, and texts in messages.

/// The candidate that is fewest edits from `name`, if that is at most a third of its length (but one edit always).
///
/// ```
/// use gramask_ner::nearest;
/// assert_eq!(nearest("jsn-list", ["json-list", "json-lines"]), Some("json-list"));
/// assert_eq!(nearest("xml", ["json-list", "json-lines"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    let distances = candidates.into_iter().map(|candidate| (edits(name, candidate), candidate));
    distances.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// `; did you mean `json-list`?` after a message about an unknown name; empty where no candidate is near.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// A text in quotes for a message. The quotes are double ones, single ones or backticks, so that quotes in the text need no
/// escape. See [`visible`] for what is escaped.
///
/// ```
/// use gramask_ner::quoted;
/// assert_eq!(quoted("a\tb"), r#""a\tb""#);
/// assert_eq!(quoted(r#"{"id": 1}"#), r#"'{"id": 1}'"#);
/// ```
pub fn quoted(text: &str) -> String {
    let quote = ['"', '\'', '`'].into_iter().find(|&quote| !text.contains(quote)).unwrap_or('"');
    format!("{quote}{}{quote}", visible(text))
}

/// A text for a message, on one line: characters that cannot be seen are escaped, and quotes and backslashes are not.
pub fn visible(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => written.push(c),
            c => written.extend(c.escape_debug()),
        }
    }
    written
}

/// Levenshtein's distance in characters, whatever their case, where a swap of neighbours counts as one edit.
fn edits(left: &str, right: &str) -> usize {
    let characters = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let (left, right) = (characters(left), characters(right));
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let same = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (rows[i - 1][j - 1] + same).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swaps_and_cases_are_near() {
        assert_eq!(nearest("grouned", ["none", "syntax", "grounded"]), Some("grounded"));
        assert_eq!(nearest("snytax", ["none", "syntax", "grounded"]), Some("syntax"));
        assert_eq!(nearest("BC5CDR", ["bc5cdr", "bc2gm"]), Some("bc5cdr"));
        assert_eq!(nearest("x", ["none"]), None);
        assert_eq!(did_you_mean("beem", ["beam", "asap"]), "; did you mean `beam`?");
        assert_eq!(did_you_mean("", [""; 0]), "");
    }

    #[test]
    fn quotes_are_never_escaped() {
        assert_eq!(quoted("it's \"x\""), r#"`it's "x"`"#);
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(visible("\u{1}é\n\\\"\u{a0}"), r#"\u{1}é\n\"\u{a0}"#);
    }
}
