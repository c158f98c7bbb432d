//! Making a text from words.

use crate::Fragment;

/// Makes a text from words: the text and each word's place in it, in characters.
///
/// A space stands between two words, except
/// - before `, . ; : ! ? % ) ] }` and `'`;
/// - after `( [ {`;
/// - on either side of `-` and `/`;
/// - after a `.` that stands between numbers (`1 . 21` becomes `1.21`) and after a `'` before `s` (`patient ' s`).
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
    use crate::Text;

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
