//! What a cache does between forward passes: tokens taken back, prefixes shared, sequences forked.
//!
//! Each check ends with a forward pass. Its logits tell whether the right keys and values are where they should be. The reference
//! computes the same tokens from the beginning, in a cache of its own that was never edited.

use gramask_model::cache::Cache;
use gramask_model::checkpoint::{Family, SeededTensors};
use gramask_model::transformer::{Row, Select, Transformer};

use super::check::{Check, Failure, Group, Tally};
use super::model::{compare, seeded, weights_of};
use super::pair::{Pair, floats_of};

pub(super) fn checks() -> Vec<Check> {
    vec![
        Check::new(Group::Cache, "truncated, and continued another way", truncated),
        Check::new(Group::Cache, "a prefix copied to other slots", copied),
        Check::new(Group::Cache, "forked after a shared prefix", forked),
        Check::new(Group::Cache, "cleared and filled again", cleared),
    ]
}

/// A small model with a cache on the device, and one that computes references.
struct Bench<'a> {
    pair: &'a Pair,
    there: Transformer,
    here: Transformer,
    cache: Cache,
    tally: Tally,
}

impl<'a> Bench<'a> {
    fn new(pair: &'a Pair) -> Result<Bench<'a>, Failure> {
        let config = SeededTensors::small(Family::Llama, 300);
        let weights = weights_of(pair);
        let there = seeded(pair, &config, &pair.device, weights)?;
        Ok(Bench {
            pair,
            cache: there.cache(4, 128)?,
            there,
            here: seeded(pair, &config, &pair.reference, weights)?,
            tally: Tally::within(pair.tolerances.logits),
        })
    }

    /// Appends to slots, of which each then holds the tokens named beside it.
    fn append(&mut self, rows: &[(usize, &[u32], &[u32])]) -> Result<(), Failure> {
        let fed: Vec<Row<'_>> = rows.iter().map(|&(slot, tokens, _)| Row { slot, tokens }).collect();
        let got = self.there.forward(&mut self.cache, &fed, Select::Last)?;
        let got = floats_of(&self.pair.device, got)?;
        let vocabulary = self.here.config().vocabulary;
        for (&(slot, _, whole), got) in rows.iter().zip(got.chunks_exact(vocabulary)) {
            let mut cache = self.here.cache(1, 128)?;
            let row = [Row { slot: 0, tokens: whole }];
            let expected = self.here.forward(&mut cache, &row, Select::Last)?;
            let expected = floats_of(&self.pair.reference, expected)?;
            compare(&mut self.tally, &format!("slot {slot}"), got, &expected, vocabulary);
        }
        Ok(())
    }
}

/// Tokens `from..to`, each its own number.
fn tokens(from: u32, to: u32) -> Vec<u32> {
    (from..to).collect()
}

fn truncated(pair: &Pair) -> Result<Tally, Failure> {
    let mut bench = Bench::new(pair)?;
    let prompt = tokens(0, 70);
    bench.append(&[(1, &prompt, &prompt)])?;
    bench.cache.truncate(1, 33)?;
    let whole = [&prompt[..33], &[200, 201]].concat();
    bench.append(&[(1, &[200, 201], &whole)])?;
    bench.cache.truncate(1, 34)?;
    let whole = [&whole[..34], &[7]].concat();
    bench.append(&[(1, &[7], &whole)])?;
    Ok(bench.tally)
}

fn copied(pair: &Pair) -> Result<Tally, Failure> {
    let mut bench = Bench::new(pair)?;
    let (prompt, other) = (tokens(0, 66), tokens(100, 120));
    bench.append(&[(3, &prompt, &prompt), (0, &other, &other)])?;
    // One slot held something else before.
    bench.cache.copy(3, 0, 64)?;
    bench.cache.copy(3, 2, 10)?;
    let (first, second) = ([&prompt[..64], &[250]].concat(), [&prompt[..10], &[251, 252]].concat());
    bench.append(&[(0, &[250], &first), (2, &[251, 252], &second)])?;
    // The slot that was copied from goes on as if nothing had happened.
    let third = [&prompt[..], &[9]].concat();
    bench.append(&[(3, &[9], &third)])?;
    Ok(bench.tally)
}

fn forked(pair: &Pair) -> Result<Tally, Failure> {
    let mut bench = Bench::new(pair)?;
    let prompt = tokens(0, 40);
    bench.append(&[(0, &prompt, &prompt)])?;
    bench.cache.copy(0, 1, 40)?;
    let (mut first, mut second) = (prompt.clone(), prompt.clone());
    for step in 0..3 {
        first.push(200 + step);
        second.push(250 + step);
        bench.append(&[(0, &first[first.len() - 1..], &first), (1, &second[second.len() - 1..], &second)])?;
    }
    // The second goes on as the first: only what differs is copied.
    bench.cache.copy_range(0, 1, 40..43)?;
    let whole = [&first[..], &[30]].concat();
    bench.append(&[(1, &[30], &whole)])?;
    Ok(bench.tally)
}

fn cleared(pair: &Pair) -> Result<Tally, Failure> {
    let mut bench = Bench::new(pair)?;
    let (before, after) = (tokens(0, 100), tokens(150, 160));
    bench.append(&[(2, &before, &before)])?;
    bench.cache.clear(2)?;
    bench.append(&[(2, &after, &after)])?;
    Ok(bench.tally)
}
