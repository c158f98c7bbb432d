//! Outputs that copy the document: aligns the copy with the document word by word (Needleman and Wunsch 1970), and moves the
//! entities to their words.

use gramask_ner::{Entity, Fragment, Text};

use super::Edits;
use super::collect::Collected;
use super::distance::{Haystack, distance, fold};
use super::lenient::{Leniency, Lenient};
use crate::program::Program;

/// The most cells of an alignment's table; what is copied beyond is not looked at.
const CELLS: usize = 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Move {
    Both,
    Copy,
    Document,
}

/// The document's word for each copied one, ascending.
fn align(copy: &[Vec<char>], document: &[Vec<char>]) -> Vec<Option<usize>> {
    let mut aligned = vec![None; copy.len()];
    let head = copy.iter().zip(document).take_while(|(a, b)| a == b).count();
    let (rest, words) = (&copy[head..], &document[head..]);
    let tail = rest.iter().rev().zip(words.iter().rev()).take_while(|(a, b)| a == b).count();
    let (rest, words) = (&rest[..rest.len() - tail], &words[..words.len() - tail]);
    (0..head).for_each(|at| aligned[at] = Some(at));
    (1..=tail).for_each(|back| aligned[copy.len() - back] = Some(document.len() - back));
    let rest = &rest[..rest.len().min(CELLS / (words.len() + 1))];
    if rest.is_empty() || words.is_empty() {
        return aligned;
    }
    let gap = |word: &Vec<char>| 1 + word.len().min(6) as u32;
    let width = words.len() + 1;
    let mut moves = vec![Move::Document; (rest.len() + 1) * width]; // [copy, document]
    let mut row: Vec<u32> = std::iter::once(0)
        .chain(words.iter().scan(0, |sum, word| {
            *sum += gap(word);
            Some(*sum)
        }))
        .collect();
    for (i, word) in rest.iter().enumerate() {
        let mut corner = row[0];
        row[0] += gap(word);
        moves[(i + 1) * width] = Move::Copy;
        for (j, there) in words.iter().enumerate() {
            let mut best = (row[j] + gap(there), Move::Document);
            let up = row[j + 1] + gap(word);
            if up < best.0 {
                best = (up, Move::Copy);
            }
            if let Some(cost) = alike(word, there)
                && corner + cost <= best.0
            {
                best = (corner + cost, Move::Both);
            }
            corner = row[j + 1];
            row[j + 1] = best.0;
            moves[(i + 1) * width + j + 1] = best.1;
        }
    }
    let (mut i, mut j) = (rest.len(), words.len());
    while i > 0 || j > 0 {
        match moves[i * width + j] {
            Move::Both => {
                (i, j) = (i - 1, j - 1);
                aligned[head + i] = Some(head + j);
            }
            Move::Copy => i -= 1,
            Move::Document => j -= 1,
        }
    }
    aligned
}

/// What it costs to take two words for the same; `None` where they are not.
fn alike(a: &[char], b: &[char]) -> Option<u32> {
    if a == b {
        return Some(0);
    }
    let longer = a.len().max(b.len());
    if longer < 4 || a.len().abs_diff(b.len()) > longer / 3 || a[0] != b[0] && a[a.len() - 1] != b[b.len() - 1] {
        return None;
    }
    let distance = distance(a, b);
    (distance <= longer as u32 / 3).then_some(2 * distance)
}

/// The entities that a tagged copy says, as stretches of the document's words.
pub(super) fn carry(
    program: &Program,
    collected: &Collected,
    text: &Text,
    words: &[Fragment],
    haystack: &Haystack,
    leniency: Leniency,
    edits: &mut Edits,
) -> Lenient {
    let document: Vec<&str> = words.iter().filter_map(|word| text.slice(*word)).collect();
    let folded = |word: &str| word.chars().map(fold).collect::<Vec<char>>();
    let (there, copy): (Vec<_>, Vec<_>) =
        (document.iter().map(|word| folded(word)).collect(), collected.words.iter().map(|word| folded(word)).collect());
    let held = match (leniency, program.skips) {
        (Leniency::Count, _) | (Leniency::Copy, false) => true,
        // A tag for each word, no more and no fewer.
        (Leniency::Parse | Leniency::Copy, true) => collected.certain == words.len(),
        (Leniency::Parse, false) => collected.words == document,
    };
    let aligned = match program.skips {
        // Tags without words count them.
        true => (0..words.len()).map(Some).collect(),
        false => align(&copy, &there),
    };
    let faithful = !program.skips && copy == there;
    let mut lenient = Lenient::default();
    for mention in &collected.mentions {
        let label = program.schema.labels().get(mention.label.index());
        if label.is_none() && !mention.lost {
            lenient.strays += 1;
        }
        let found = match label {
            Some(_) if held && !mention.lost => stretch(&aligned, mention.words, words.len())
                .or_else(|| look(collected, &aligned, mention.words, words, haystack)),
            _ => None,
        };
        // Where the output ends, an entity of words may have gone on.
        let certain = |last: usize| mention.words.1 < collected.certain || last + 1 == words.len();
        if held && label.is_some() && !mention.lost && found.is_none() {
            lenient.strays += 1;
        }
        let entity = found
            .filter(|&(_, last)| certain(last))
            .zip(label)
            .map(|((first, last), label)| Entity::new(label, words[first].start, words[last].end));
        match entity {
            Some(entity) if !lenient.entities.contains(&entity) => {
                edits.carried += usize::from(!faithful);
                lenient.entities.push(entity);
            }
            _ => edits.lost += 1,
        }
    }
    lenient
}

/// The document's words that these words of the copy stand for.
fn stretch(aligned: &[Option<usize>], (from, to): (usize, usize), words: usize) -> Option<(usize, usize)> {
    let (from, to) = (from.min(aligned.len()), to.min(aligned.len()));
    let inside = aligned.get(from..to).filter(|inside| !inside.is_empty())?;
    let before = from.checked_sub(1).map_or(Some(0), |before| aligned[before].map(|word| word + 1));
    let after = if to == aligned.len() { Some(words) } else { aligned[to] };
    let matched = inside.iter().flatten().count();
    let Some((mut first, mut last)) =
        inside.iter().flatten().next().copied().zip(inside.iter().flatten().next_back().copied())
    else {
        // All of it is other words, as many as the document has between the same neighbours.
        let (before, after) = (before?, after?);
        let bounded = from > 0 && to < aligned.len();
        return (bounded && before + inside.len() == after).then(|| (before, after - 1));
    };
    if 2 * matched < inside.len() || last - first > 2 * inside.len() {
        return None;
    }
    // Words at the edges that stand for as many others.
    let lead = inside.iter().take_while(|word| word.is_none()).count();
    let trail = inside.iter().rev().take_while(|word| word.is_none()).count();
    if before.is_some_and(|before| before + lead == first) {
        first -= lead;
    }
    if after.is_some_and(|after| last + 1 + trail == after) {
        last += trail;
    }
    Some((first, last))
}

/// The nearest place where the text of a mention stands in the document, or most nearly stands.
fn look(
    collected: &Collected,
    aligned: &[Option<usize>],
    (from, to): (usize, usize),
    words: &[Fragment],
    haystack: &Haystack,
) -> Option<(usize, usize)> {
    let text = collected.words.get(from..to)?.join(" ");
    let near = aligned[..from.min(aligned.len())].iter().rev().flatten().next();
    let near = near.map_or(0, |word| words[*word].end);
    let places = haystack.places(&text);
    let place = places.iter().min_by_key(|place| place.fragment.start.abs_diff(near))?;
    let first = words.binary_search_by_key(&place.fragment.start, |word| word.start).ok()?;
    let last = words.binary_search_by_key(&place.fragment.end, |word| word.end).ok()?;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<char>> {
        text.split(' ').filter(|word| !word.is_empty()).map(|word| word.chars().collect()).collect()
    }

    #[test]
    fn words_are_aligned_around_what_differs() {
        let aligned = |copy: &str, document: &str| align(&words(copy), &words(document));
        assert_eq!(aligned("a b d", "a b c d"), [Some(0), Some(1), Some(3)]);
        assert_eq!(aligned("a x b c", "a b c"), [Some(0), None, Some(1), Some(2)]);
        assert_eq!(aligned("a asthmma d", "a asthma d"), [Some(0), Some(1), Some(2)]);
        assert_eq!(aligned("", "a"), []);
        assert_eq!(aligned("b", ""), [None]);
    }

    #[test]
    fn entities_keep_their_place() {
        let aligned = [Some(0), None, Some(2), Some(3)];
        assert_eq!(stretch(&aligned, (1, 3), 4), Some((1, 2)));
        assert_eq!(stretch(&aligned, (1, 2), 4), Some((1, 1)));
        assert_eq!(stretch(&[None, None, Some(3)], (0, 2), 4), None);
        assert_eq!(stretch(&[], (0, 0), 4), None);
    }
}
