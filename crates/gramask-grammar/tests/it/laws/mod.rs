//! The laws that every format keeps, over generated documents with hostile text and over corpora.
//!
//! 1. what is written reads back (`roundtrip`);
//! 2. what is written is accepted, however it is cut into tokens (`roundtrip`);
//! 3. what is accepted is read, by this crate and by parsers that know nothing of it (`accepted`, `independent`, `truth`,
//!    `interpreters`);
//! 4. the mask is the brute-force mask (`masks`; that both prune the same dead ends has its own test in the crate);
//! 5. a budget that suffices at the start suffices (`budget`);
//! 6. a format without positions accepts exactly the lists that some choice of occurrences satisfies (`occurrences`).
//!
//! `corpora` holds real text to laws 1 to 3. `speed` prints how long masks take, and `first_visits` what a token costs a
//! sequence whose states are all new.

mod accepted;
mod budget;
mod corpora;
mod documents;
mod first_visits;
mod independent;
mod interpreters;
mod masks;
mod occurrences;
mod roundtrip;
mod speed;
mod truth;
