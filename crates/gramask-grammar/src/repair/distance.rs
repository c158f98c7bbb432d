//! Finds the stretch of the document most similar to a mention: semi-global edit distance (Sellers 1980), in whole words.

use gramask_ner::{Fragment, Text};

/// Mentions longer than this are not looked for; nobody names an entity so.
const LONGEST: usize = 200;
/// Documents longer than this are looked through only for what stands in them exactly.
const LARGEST: usize = 20_000;
/// The share of a mention's characters that may differ.
const SHARE: f64 = 0.3;

/// The case folded character, so that one character stays one.
pub(super) fn fold(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => lower,
        _ => c,
    }
}

/// What it costs to take one folded character for another. Digits tell names apart (`BRCA1`, `BRCA2`).
fn differ(a: char, b: char) -> u32 {
    match a == b || a.is_whitespace() && b.is_whitespace() {
        true => 0,
        false if a.is_numeric() && b.is_numeric() => 3,
        false => 1,
    }
}

/// The edit distance of two folded strings.
pub(super) fn distance(a: &[char], b: &[char]) -> u32 {
    let mut row: Vec<u32> = (0..=b.len() as u32).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i as u32 + 1;
        for (j, &y) in b.iter().enumerate() {
            let here = (corner + differ(x, y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = here;
        }
    }
    row[b.len()]
}

/// How far from a mention of so many characters something may be.
fn most(length: usize) -> u32 {
    (length as f64 * SHARE) as u32
}

/// A document to look for mentions in.
pub(super) struct Haystack {
    text: Vec<char>,
    /// The units that fragments begin and end at.
    units: Vec<Fragment>,
}

/// A place for a mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub distance: u32,
    pub fragment: Fragment,
}

impl Haystack {
    pub fn new(text: &Text, units: &[Fragment]) -> Haystack {
        Haystack { text: text.as_str().chars().map(fold).collect(), units: units.to_vec() }
    }

    /// The places that are nearest to the mention, left to right: where it stands but for case, else where least is
    /// different. Empty where too much is.
    pub fn places(&self, mention: &str) -> Vec<Place> {
        let mention: Vec<char> = mention.chars().map(fold).collect();
        let most = most(mention.len());
        if mention.is_empty() || mention.len() > LONGEST || self.text.len() > LARGEST {
            return Vec::new();
        }
        // For each end the distance to the nearest stretch that ends there, and where that begins.
        let (mut row, mut begins): (Vec<u32>, Vec<usize>) =
            (vec![0; self.text.len() + 1], (0..=self.text.len()).collect());
        for (i, &x) in mention.iter().enumerate() {
            let (mut corner, mut corner_begin) = (row[0], begins[0]);
            (row[0], begins[0]) = (i as u32 + 1, 0);
            for (j, &y) in self.text.iter().enumerate() {
                let ways =
                    [(corner + differ(x, y), corner_begin), (row[j + 1] + 1, begins[j + 1]), (row[j] + 1, begins[j])];
                let best = ways.into_iter().min_by_key(|way| way.0).unwrap_or(ways[0]);
                (corner, corner_begin) = (row[j + 1], begins[j + 1]);
                (row[j + 1], begins[j + 1]) = best;
            }
        }
        let mut found: Vec<Place> = Vec::new();
        for (at, unit) in self.units.iter().enumerate() {
            // The stretch may end a little before or after the word's end.
            let ends = unit.end.saturating_sub(2).max(unit.start + 1)..=(unit.end + 2).min(self.text.len());
            let Some(end) = ends.min_by_key(|end| row[*end]).filter(|end| row[*end] <= most) else {
                continue;
            };
            let near = self.units.partition_point(|unit| unit.end <= begins[end]);
            for first in near.saturating_sub(1)..=(near + 1).min(at) {
                let fragment = Fragment::new(self.units[first].start, unit.end);
                let distance = distance(&mention, &self.text[fragment.start..fragment.end]);
                if distance <= most {
                    found.push(Place { distance, fragment });
                }
            }
        }
        // Of equals the shorter ones.
        let rank = |place: &Place| (place.distance, place.fragment.end - place.fragment.start);
        let best = found.iter().map(rank).min();
        found.retain(|place| Some(rank(place)) == best);
        found.sort_by_key(|place| (place.fragment.start, place.fragment.end));
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str, mention: &str) -> Vec<(usize, usize)> {
        let text = Text::new(text);
        let places = Haystack::new(&text, text.words()).places(mention);
        places.iter().map(|place| (place.fragment.start, place.fragment.end)).collect()
    }

    #[test]
    fn near_mentions_are_found_on_word_boundaries() {
        assert_eq!(places("Breast cancer, breast cancer", "breast cancer"), [(0, 13), (15, 28)]);
        assert_eq!(places("of brest cancers here", "breast cancer"), [(3, 16)]);
        assert_eq!(places("IL-2 receptor", "IL 2 receptor"), [(0, 13)]);
        assert_eq!(places("the BRCA1 gene", "BRCA2"), []);
        assert_eq!(places("a cat", "dog"), []);
        assert_eq!(places("", "dog"), []);
    }
}
