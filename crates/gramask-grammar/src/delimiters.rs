//! The literals that may not occur in free text, as an automaton (Aho and Corasick 1975, as a table).

use std::collections::VecDeque;
use std::sync::Arc;

/// What stands behind a free text: the text may not hold it, so that a reader finds the text's end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delimiters {
    /// `next[state][byte]`; empty where there is no delimiter.
    next: Vec<[u16; 256]>,
    /// Whether a delimiter ends in the state.
    whole: Vec<bool>,
}

impl Delimiters {
    pub fn new(patterns: Vec<Arc<[u8]>>) -> Delimiters {
        let mut made = Delimiters { next: vec![[0; 256]], whole: vec![false] };
        for pattern in &patterns {
            let mut state = 0;
            for &byte in pattern.iter() {
                if made.next[state][usize::from(byte)] == 0 {
                    made.next[state][usize::from(byte)] = made.next.len() as u16;
                    made.next.push([0; 256]);
                    made.whole.push(false);
                }
                state = usize::from(made.next[state][usize::from(byte)]);
            }
            made.whole[state] = true;
        }
        made.link();
        made
    }

    /// Breadth first: a missing edge goes where the longest proper suffix would go.
    fn link(&mut self) {
        let mut suffix = vec![0usize; self.next.len()];
        let mut queue: VecDeque<usize> = self.next[0].iter().filter(|t| **t != 0).map(|t| usize::from(*t)).collect();
        while let Some(state) = queue.pop_front() {
            self.whole[state] |= self.whole[suffix[state]];
            for byte in 0..256 {
                let fallback = self.next[suffix[state]][byte];
                match usize::from(self.next[state][byte]) {
                    0 => self.next[state][byte] = fallback,
                    child => {
                        suffix[child] = usize::from(fallback);
                        queue.push_back(child);
                    }
                }
            }
        }
    }

    /// The state behind `byte`; `None` where a delimiter is complete.
    pub fn step(&self, state: u16, byte: u8) -> Option<u16> {
        match self.next.get(usize::from(state)) {
            None => Some(0),
            Some(row) => {
                let next = row[usize::from(byte)];
                (!self.whole[usize::from(next)]).then_some(next)
            }
        }
    }

    /// Whether `text` holds a delimiter.
    pub fn occur_in(&self, text: &[u8]) -> bool {
        let mut state = 0;
        text.iter().any(|&byte| match self.step(state, byte) {
            Some(next) => {
                state = next;
                false
            }
            None => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_plain_search() {
        let patterns: [&[u8]; 4] = [b"ab", b"bab", b"aab", b"cc"];
        let delimiters = Delimiters::new(patterns.iter().map(|p| Arc::from(*p)).collect());
        let mut texts: Vec<Vec<u8>> = vec![vec![]];
        for _ in 0..6 {
            texts = texts.iter().flat_map(|t| b"abc".iter().map(move |b| [t.as_slice(), &[*b]].concat())).collect();
            for text in &texts {
                let plain = patterns.iter().any(|p| text.windows(p.len()).any(|w| w == *p));
                assert_eq!(delimiters.occur_in(text), plain, "{text:?}");
            }
        }
        assert!(!Delimiters::default().occur_in(b"anything"));
    }
}
