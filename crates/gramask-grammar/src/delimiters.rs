//! The literals that free text may not hold, as an automaton (Aho and Corasick 1975, as a table).

use std::collections::VecDeque;
use std::sync::Arc;

/// How much of a delimiter a text ends with, as a state of the automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tail(u16);

impl Tail {
    /// The text ends with no beginning of a delimiter.
    pub const NONE: Tail = Tail(0);

    pub fn new(index: u32) -> Tail {
        Tail(index as u16)
    }

    pub fn index(self) -> u32 {
        u32::from(self.0)
    }
}

/// The literals that free text may not hold, so that a reader finds its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delimiters {
    /// `next[state][byte]`; empty where there is no delimiter.
    next: Vec<[u16; 256]>,
    /// The length of the longest delimiter that ends in the state; 0 where none does.
    whole: Vec<u16>,
}

impl Delimiters {
    pub fn new(patterns: &[Arc<[u8]>]) -> Delimiters {
        if patterns.is_empty() {
            return Delimiters::default();
        }
        let mut made = Delimiters { next: vec![[0; 256]], whole: vec![0] };
        for pattern in patterns {
            let mut state = 0;
            for &byte in pattern.iter() {
                if made.next[state][usize::from(byte)] == 0 {
                    made.next[state][usize::from(byte)] = made.next.len() as u16;
                    made.next.push([0; 256]);
                    made.whole.push(0);
                }
                state = usize::from(made.next[state][usize::from(byte)]);
            }
            made.whole[state] = pattern.len() as u16;
        }
        made.link();
        made
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.next.is_empty()
    }

    /// Whether no delimiter has a character beyond ASCII, so that each such character ends what was begun of one.
    pub fn is_ascii(&self) -> bool {
        self.next.iter().all(|row| row[128..].iter().all(|next| *next == 0))
    }

    /// Breadth first: a missing edge goes where the longest proper suffix would go.
    fn link(&mut self) {
        let mut suffix = vec![0usize; self.next.len()];
        let mut queue: VecDeque<usize> = self.next[0].iter().filter(|t| **t != 0).map(|t| usize::from(*t)).collect();
        while let Some(state) = queue.pop_front() {
            self.whole[state] = self.whole[state].max(self.whole[suffix[state]]);
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

    /// The tail after one more byte; `None` where a delimiter is complete.
    pub fn step(&self, tail: Tail, byte: u8) -> Option<Tail> {
        match self.next.get(usize::from(tail.0)) {
            None => Some(Tail::NONE),
            Some(row) => {
                let next = row[usize::from(byte)];
                (self.whole[usize::from(next)] == 0).then_some(Tail(next))
            }
        }
    }

    /// The tail after more text; `None` where a delimiter is complete in it.
    pub fn run(&self, mut tail: Tail, text: &[u8]) -> Option<Tail> {
        if self.is_empty() {
            return Some(Tail::NONE);
        }
        for &byte in text {
            tail = self.step(tail, byte)?;
        }
        Some(tail)
    }

    /// Whether a delimiter that begins in the text ends in the next literal. Then the text could be read to end sooner: `a@`
    /// before `@@` reads as `a`, `@@` and `@`.
    pub fn clash(&self, tail: Tail, literal: &[u8]) -> bool {
        let mut state = tail.0;
        for (at, &byte) in literal.iter().enumerate() {
            if state == 0 {
                return false;
            }
            state = self.next[usize::from(state)][usize::from(byte)];
            if usize::from(self.whole[usize::from(state)]) > at + 1 {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_plain_search() {
        let patterns: [&[u8]; 4] = [b"ab", b"bab", b"aab", b"cc"];
        let delimiters = Delimiters::new(&patterns.map(Arc::from));
        let mut texts: Vec<Vec<u8>> = vec![vec![]];
        for _ in 0..6 {
            texts = texts.iter().flat_map(|t| b"abc".iter().map(move |b| [t.as_slice(), &[*b]].concat())).collect();
            for text in &texts {
                let plain = patterns.iter().any(|p| text.windows(p.len()).any(|w| w == *p));
                assert_eq!(delimiters.run(Tail::NONE, text).is_none(), plain, "{text:?}");
            }
        }
        assert!(Delimiters::default().run(Tail::NONE, b"anything").is_some());
    }

    #[test]
    fn a_text_may_not_end_in_the_beginning_of_its_delimiter() {
        let delimiters = Delimiters::new(&[&b"@@"[..], b"(O)", b"##"].map(Arc::from));
        let clash = |text: &[u8], literal: &[u8]| delimiters.clash(delimiters.run(Tail::NONE, text).unwrap(), literal);
        assert!(clash(b"a@", b"@@"));
        assert!(!clash(b"a", b"@@"));
        assert!(!clash(b"a#", b"@@"));
        // The first whole `(O)` is the literal.
        assert!(!clash(b"a(", b"(O)"));
        assert!(clash(b"a(O", b")"));
    }
}
