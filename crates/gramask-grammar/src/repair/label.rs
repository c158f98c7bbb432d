//! Labels as models write them: in another case, in the plural, with a typing error.

use super::costs;
use crate::program::LabelId;

/// One way to read a label at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The label's number, or `LabelId::NONE` for one that is like none of the schema's.
    pub label: LabelId,
    /// One past its last byte.
    pub end: usize,
    pub cost: u32,
}

/// The labels that can stand at byte `begin` of the output, and the word there as an unknown one.
pub(super) fn candidates(labels: &[Vec<u8>], output: &[u8], begin: usize) -> Vec<Candidate> {
    let mut found = Vec::new();
    let inside = |at: usize| at > 0 && at < output.len() && is_wordlike(output[at - 1]) && is_wordlike(output[at]);
    for (label, name) in (0..).map(LabelId::new).zip(labels) {
        if output[begin..].starts_with(name) {
            found.push(Candidate { label, end: begin + name.len(), cost: 0 });
        }
        let rest = &output[begin..];
        if !rest.is_empty() && rest.len() < name.len() && name[..rest.len()].eq_ignore_ascii_case(rest) {
            // The output ends here.
            let others = labels
                .iter()
                .filter(|other| other.len() > rest.len())
                .filter(|other| other[..rest.len()].eq_ignore_ascii_case(rest));
            let label = if others.count() == 1 { label } else { LabelId::NONE };
            found.push(Candidate { label, end: output.len(), cost: 5 });
        }
        if inside(begin) {
            continue;
        }
        // One row of edit distances for each byte, against all of the label.
        let most = (name.len() * 34 / 100).max(1);
        let mut row: Vec<usize> = (0..=name.len()).collect();
        for (length, byte) in rest.iter().enumerate().take(name.len() + most) {
            let mut corner = row[0];
            row[0] = length + 1;
            for (at, known) in name.iter().enumerate() {
                let here =
                    (corner + usize::from(!byte.eq_ignore_ascii_case(known))).min(row[at] + 1).min(row[at + 1] + 1);
                corner = row[at + 1];
                row[at + 1] = here;
            }
            let end = begin + length + 1;
            if row[name.len()] <= most && row[name.len()] < name.len() && !inside(end) && rest[..=length] != name[..] {
                let cost = costs::CASE + costs::LABEL_EDIT * row[name.len()] as u32;
                found.push(Candidate { label, end, cost });
            }
        }
    }
    if !inside(begin) {
        let word = output[begin..].iter().take_while(|byte| is_wordlike(**byte)).count();
        let words = output[begin..].iter().take(40).take_while(|byte| is_wordlike(**byte) || **byte == b' ').count();
        for length in [word, words] {
            if length > 0 && !inside(begin + length) {
                found.push(Candidate { label: LabelId::NONE, end: begin + length, cost: costs::UNKNOWN_LABEL });
            }
        }
    }
    found
}

fn is_wordlike(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(output: &str) -> Option<(LabelId, usize)> {
        let labels = [b"Chemical".to_vec(), b"Disease".to_vec()];
        let found = candidates(&labels, output.as_bytes(), 0);
        found.into_iter().min_by_key(|found| found.cost).map(|found| (found.label, found.end))
    }

    #[test]
    fn labels_are_found_in_other_dress() {
        assert_eq!(best("Disease>"), Some((LabelId::new(1), 7)));
        assert_eq!(best("chemicals\""), Some((LabelId::new(0), 9)));
        assert_eq!(best("DISEAS "), Some((LabelId::new(1), 6)));
        assert_eq!(best("Dis"), Some((LabelId::new(1), 3)));
        assert_eq!(best("Gene}"), Some((LabelId::NONE, 4)));
        assert_eq!(best("\""), None);
    }
}
