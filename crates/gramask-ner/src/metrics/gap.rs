//! What a gap between two systems is made of: parsing, copying, counting, and recognition.
//!
//! A system's strict F1 falls short of 1 by four losses, which are differences of its F1 at neighbouring [leniencies
//! ](super::Leniencies):
//!
//! ```text
//! parse       = F1(parse) - F1(strict)
//! copy        = F1(copy)  - F1(parse)
//! count       = F1(count) - F1(copy)
//! recognition = 1         - F1(count)        sum: 1 - F1(strict)
//! ```
//!
//! A part of the gap between two systems is what the second loses there more than the first. So the parts sum to the gap, by
//! construction; a part is negative where the first system loses more there. A loss itself can be negative too: what is read
//! more leniently adds predictions, and these can be wrong. `count` never is where the predictions are those of `copy`.
//!
//! ```
//! use gramask_ner::metrics::{Leniencies, Matches, gap};
//! let matches = |found| Matches { gold: 2, predicted: 2, found, right: found };
//! // A mask that makes all outputs parse, and a system without it whose outputs would have been as good.
//! let masked = Leniencies { strict: matches(1), parse: matches(1), copy: matches(1), count: matches(2) };
//! let free = Leniencies { strict: matches(0), ..masked };
//! let gap = gap(&[&[masked; 9]], &[&[free; 9]], 0.95, 100, 1).unwrap();
//! assert_eq!((gap.difference.value, gap.parts.parse.value), (0.5, 0.5));
//! assert_eq!((gap.parts.count.value, gap.parts.recognition.value), (0.0, 0.0));
//! ```

use serde::{Deserialize, Serialize};

use super::leniency::{Leniencies, Matches};
use super::significance::{Interval, Unpaired, bootstrap, mean_figure, shortest};

/// Four parts of a loss or of a gap, as F1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts<T> {
    /// Outputs that are not of their format, and labels that are written otherwise.
    pub parse: T,
    /// Text that is not the document's.
    pub copy: T,
    /// Positions, numbers, and how often something is found.
    pub count: T,
    /// The rest: other entities, labels or boundaries.
    pub recognition: T,
}

/// The gap between two systems.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// The first system's strict F1 less the second's.
    pub difference: Interval,
    /// What it is made of: sums to it.
    pub parts: Parts<Interval>,
}

/// What a system loses of an F1 of 1; of several seeds the mean.
pub fn losses(seeds: &[&[Leniencies]]) -> Parts<f64> {
    let split = Split::of(seeds);
    let [parse, copy, count, recognition] = split.losses(0..split.documents);
    Parts { parse, copy, count, recognition }
}

/// What the gap between two systems on the same documents, given in the same order, is made of. The intervals are those of a
/// bootstrap that draws documents, and of each document both systems and all seeds.
///
/// # Errors
/// [`Unpaired`] where the numbers of documents differ.
pub fn gap(
    first: &[&[Leniencies]],
    second: &[&[Leniencies]],
    confidence: f64,
    samples: usize,
    seed: u64,
) -> Result<Gap, Unpaired> {
    let (first, second) = (Split::of(first), Split::of(second));
    if first.documents != second.documents {
        return Err(Unpaired { first: first.documents, second: second.documents });
    }
    let figures = |places: &[usize]| {
        let (ours, theirs) = (first.losses(places.iter().copied()), second.losses(places.iter().copied()));
        let parts = [0, 1, 2, 3].map(|part| theirs[part] - ours[part]);
        let difference = first.strict(places.iter().copied()) - second.strict(places.iter().copied());
        [difference, parts[0], parts[1], parts[2], parts[3]]
    };
    let all: Vec<usize> = (0..first.documents).collect();
    let values = figures(&all);
    let drawn = bootstrap(first.documents, samples, seed, figures);
    let of = |at: usize| Interval::of(values[at], drawn.iter().map(|drawn| drawn[at]).collect(), confidence);
    Ok(Gap { difference: of(0), parts: Parts { parse: of(1), copy: of(2), count: of(3), recognition: of(4) } })
}

/// A system's matches, leniency by leniency.
struct Split {
    documents: usize,
    /// `[leniency][seed][document]`
    matches: [Vec<Vec<Matches>>; 4],
}

impl Split {
    fn of(seeds: &[&[Leniencies]]) -> Split {
        let pick = |leniency: fn(&Leniencies) -> Matches| {
            let seed = |documents: &&[Leniencies]| documents.iter().map(leniency).collect();
            seeds.iter().map(seed).collect()
        };
        Split {
            documents: shortest(seeds),
            matches: [pick(|all| all.strict), pick(|all| all.parse), pick(|all| all.copy), pick(|all| all.count)],
        }
    }

    fn f1(&self, leniency: usize, places: impl Iterator<Item = usize> + Clone) -> f64 {
        let seeds: Vec<&[Matches]> = self.matches[leniency].iter().map(Vec::as_slice).collect();
        mean_figure(&seeds, places)
    }

    fn strict(&self, places: impl Iterator<Item = usize> + Clone) -> f64 {
        self.f1(0, places)
    }

    fn losses(&self, places: impl Iterator<Item = usize> + Clone) -> [f64; 4] {
        let f1 = [0, 1, 2, 3].map(|leniency| self.f1(leniency, places.clone()));
        [f1[1] - f1[0], f1[2] - f1[1], f1[3] - f1[2], 1.0 - f1[3]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(gold: usize, predicted: usize, hits: usize) -> Matches {
        Matches { gold, predicted, found: hits, right: hits }
    }

    /// Documents with losses of every kind, in another mixture for each `kind`.
    fn system(kind: usize) -> Vec<Leniencies> {
        let document = |i: usize| {
            let hits = (i + kind) % 3;
            Leniencies {
                strict: matches(
                    3,
                    if i.is_multiple_of(4) { 0 } else { 3 },
                    if i.is_multiple_of(4) { 0 } else { hits / 2 },
                ),
                parse: matches(3, 3, hits / 2),
                copy: matches(3, 3, hits),
                count: matches(3, 3, (hits + (i + kind) % 2).min(3)),
            }
        };
        (0..60).map(document).collect()
    }

    #[test]
    fn parts_sum_to_the_gap_and_losses_to_what_is_missing() {
        let (one, two, three) = (system(0), system(1), system(2));
        let lost = losses(&[&one, &two]);
        let sum = lost.parse + lost.copy + lost.count + lost.recognition;
        let strict =
            |system: &[Leniencies]| mean_figure(&[&system.iter().map(|all| all.strict).collect::<Vec<_>>()[..]], 0..60);
        assert!((sum - (1.0 - (strict(&one) + strict(&two)) / 2.0)).abs() < 1e-12);
        assert!([lost.parse, lost.copy, lost.count, lost.recognition].iter().all(|&part| part > 0.0), "{lost:?}");

        let found = gap(&[&one, &two], &[&three], 0.95, 500, 1).unwrap();
        let parts = found.parts;
        let sum = parts.parse.value + parts.copy.value + parts.count.value + parts.recognition.value;
        assert!((sum - found.difference.value).abs() < 1e-12);
        assert!((found.difference.value - ((strict(&one) + strict(&two)) / 2.0 - strict(&three))).abs() < 1e-12);
        for part in [found.difference, parts.parse, parts.copy, parts.count, parts.recognition] {
            assert!(part.low <= part.value && part.value <= part.high, "{part:?}");
        }
        let back = gap(&[&three], &[&one, &two], 0.95, 500, 1).unwrap();
        assert!((back.parts.copy.value + parts.copy.value).abs() < 1e-12);
        let none = gap(&[&one], &[&one], 0.95, 500, 1).unwrap();
        assert_eq!((none.parts.parse.low, none.parts.recognition.high), (0.0, 0.0), "paired: nothing varies");
        assert!(gap(&[&one], &[&three[1..]], 0.95, 5, 1).is_err());
    }

    /// Systems that differ in one respect alone.
    #[test]
    fn each_loss_is_found_where_it_is() {
        let good = vec![
            Leniencies {
                strict: matches(2, 2, 2),
                parse: matches(2, 2, 2),
                copy: matches(2, 2, 2),
                count: matches(2, 2, 2),
            };
            10
        ];
        let part = |bad: Leniencies| {
            let parts = gap(&[&good], &[&vec![bad; 10]], 0.95, 10, 1).unwrap().parts;
            [parts.parse, parts.copy, parts.count, parts.recognition].map(|part| part.value)
        };
        let (none, half) = (matches(2, 0, 0), matches(2, 2, 1));
        assert_eq!(part(Leniencies { strict: none, ..good[0] }), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(part(Leniencies { strict: half, parse: half, ..good[0] }), [0.0, 0.5, 0.0, 0.0]);
        assert_eq!(part(Leniencies { strict: half, parse: half, copy: half, ..good[0] }), [0.0, 0.0, 0.5, 0.0]);
        let all = Leniencies { strict: half, parse: half, copy: half, count: half };
        assert_eq!(part(all), [0.0, 0.0, 0.0, 0.5]);
        // Reading more leniently can cost: here the repaired outputs' predictions are all wrong.
        let worse = Leniencies {
            strict: matches(2, 1, 1),
            parse: matches(2, 3, 1),
            copy: matches(2, 3, 1),
            count: matches(2, 3, 1),
        };
        assert!(part(worse)[0] < 0.0);
    }
}
