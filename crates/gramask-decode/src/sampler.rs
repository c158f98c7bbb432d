//! Choosing one token from a row of logits and a mask.
//!
//! The order of the steps is fixed: the mask takes away tokens, the temperature divides, then top-k, top-p and min-p filter,
//! each over what the one before has left, and one random number picks from the rest by walking it in order of tokens.
//! With a mask only its allowed tokens are visited, apart from one vectorised pass over the whole row for the model's own
//! probabilities, which do not depend on mask, temperature or filters.

use std::cmp::Ordering;

use thiserror::Error;

use crate::numeric::{Moments, count_above, maximum, moments, weight};
use crate::random::Draw;
use crate::record::{MaskScores, Scores, Wanted};
use crate::sampling::Sampling;

/// A [`Sampler::basis`] of more tokens than this is not listed.
const BASIS_LIMIT: usize = 256;

/// A chosen token and what the model thought of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The token.
    pub token: u32,
    /// What the model thought of it, and what the mask did; all before temperature and filters.
    pub scores: Scores,
}

/// There is no token to choose: none is allowed, or all those allowed have a logit of `-inf` or NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "none of the {allowed} allowed tokens has a usable logit ({nan} are NaN, the others -inf): the model's numbers are \
     broken, or it gives no probability to anything allowed"
)]
pub struct NoChoice {
    /// How many tokens are allowed.
    pub allowed: usize,
    /// How many of them have NaN.
    pub nan: usize,
}

/// What a choice rested on: how it could have come out had fewer tokens been allowed. See [`Sampler::basis`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis<'a> {
    /// As long as these tokens stay, others may go, and neither the distribution nor the token changes.
    Tokens(&'a [u32]),
    /// The choice was a draw from all candidates. As long as these tokens stay it may be kept, and otherwise another,
    /// independent draw from what stays be made: together this has the distribution of a draw from what stays.
    Drawn(&'a [u32]),
    /// Too many tokens to list: a choice among fewer must be made anew.
    Many,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    token: u32,
    logit: f32,
    weight: f32,
}

/// By logit from high to low, of equal logits by token from low to high.
fn likeliest_first(a: &Candidate, b: &Candidate) -> Ordering {
    // No NaN gets here, and the comparison must not tell -0 from 0.
    b.logit
        .partial_cmp(&a.logit)
        .unwrap_or(Ordering::Equal)
        .then(a.token.cmp(&b.token))
}

/// Chooses tokens under one [`Sampling`]; keeps its scratch memory between calls, and nothing else.
///
/// ```
/// use gramask_decode::{Draw, Sampler, Sampling};
/// let mut sampler = Sampler::new(Sampling::greedy());
/// let logits = [1.0, 3.0, 2.0, f32::NAN];
/// let draw = Draw { document: 1, position: 0 };
/// assert_eq!(sampler.choose(&logits, None, draw).unwrap().token, 1);
/// // A mask that allows the tokens 0 and 2 only.
/// let choice = sampler.choose(&logits, Some(&[0b0101]), draw).unwrap();
/// assert_eq!(choice.token, 2);
/// let (e1, e2, e3) = (1f64.exp(), 2f64.exp(), 3f64.exp());
/// let mask = choice.scores.mask.unwrap();
/// assert!((mask.kept_log_mass.exp() - (e1 + e2) / (e1 + e2 + e3)).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    tokens: Vec<u32>, // the usable allowed tokens, ascending
    logits: Vec<f32>, // theirs
    candidates: Vec<Candidate>,
    basis: Vec<u32>,
    basis_kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tokens,
    Drawn,
    Many,
}

impl Sampler {
    /// A sampler with these settings, which the caller has validated.
    pub fn new(sampling: Sampling) -> Self {
        Sampler {
            sampling,
            tokens: Vec::new(),
            logits: Vec::new(),
            candidates: Vec::new(),
            basis: Vec::new(),
            basis_kind: Kind::Tokens,
        }
    }

    /// The settings.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// Chooses a token of the row `logits` (`[vocabulary]`) among those whose bit is set in `allowed` (bit `i` of word `w`
    /// is token `32 w + i`; a token without a bit is not allowed; `None` allows all).
    ///
    /// Logits of `-inf` and NaN are never chosen; those of `+inf` share the whole probability equally.
    ///
    /// # Errors
    /// [`NoChoice`] where no allowed token has a logit above `-inf`.
    pub fn choose(&mut self, logits: &[f32], allowed: Option<&[u32]>, draw: Draw) -> Result<Choice, NoChoice> {
        self.basis.clear();
        self.basis_kind = Kind::Tokens;
        let row = Whole::of(logits);
        let Some(mask) = allowed else {
            if row.max == f32::NEG_INFINITY {
                return Err(no_choice(logits, None));
            }
            let token = if self.sampling.is_greedy() {
                let token = logits.iter().position(|&logit| logit == row.max).unwrap_or(0) as u32;
                self.basis.push(token);
                token
            } else {
                let all = logits.iter().enumerate().map(|(token, &logit)| (token as u32, logit));
                self.fill(all, row.max);
                self.sample(draw)
            };
            return Ok(row.choice(logits, token, row.max, row.moments));
        };

        self.gather(logits, mask);
        let best = maximum(&self.logits);
        if best == f32::NEG_INFINITY {
            return Err(no_choice(logits, Some(mask)));
        }
        let kept = moments(&self.logits, best);
        let token = if self.sampling.is_greedy() {
            let index = self.logits.iter().position(|&logit| logit == best).unwrap_or(0);
            self.basis.push(self.tokens[index]);
            self.tokens[index]
        } else {
            let (tokens, values) = (std::mem::take(&mut self.tokens), std::mem::take(&mut self.logits));
            self.fill(tokens.iter().copied().zip(values.iter().copied()), best);
            (self.tokens, self.logits) = (tokens, values);
            self.sample(draw)
        };
        Ok(row.choice(logits, token, best, kept))
    }

    /// Scores a token that something else than a draw decided on, under a mask or not: forced text, a hypothesis of a beam.
    ///
    /// # Errors
    /// [`NoChoice`] where no allowed token has a logit above `-inf`.
    pub fn score(&mut self, logits: &[f32], allowed: Option<&[u32]>, token: u32) -> Result<Choice, NoChoice> {
        let row = Whole::of(logits);
        let (best, kept) = match allowed {
            None => (row.max, row.moments),
            Some(mask) => {
                self.gather(logits, mask);
                let best = maximum(&self.logits);
                (best, moments(&self.logits, best))
            }
        };
        if best == f32::NEG_INFINITY {
            return Err(no_choice(logits, allowed));
        }
        Ok(row.choice(logits, token, best, kept))
    }

    /// What the last choice rested on.
    ///
    /// - A greedy choice rests on its token.
    /// - Top-p keeps the shortest head of the sorted candidates that reaches `p` of their total. Taking other candidates
    ///   away lowers the total, so that a shorter head could do. It rests on a longer head `B`: the shortest for which all
    ///   that is kept but its last token is below `p` of `B` alone. While `B` stays, no total can shorten the kept head.
    /// - Top-k alone, or with min-p, rests on the tokens it kept before the draw.
    /// - A draw from all candidates rests on the drawn token, as rejection sampling does; with min-p also on the likeliest,
    ///   which min-p measures by.
    pub fn basis(&self) -> Basis<'_> {
        match self.basis_kind {
            Kind::Tokens => Basis::Tokens(&self.basis),
            Kind::Drawn => Basis::Drawn(&self.basis),
            Kind::Many => Basis::Many,
        }
    }

    /// Puts the usable allowed tokens in `tokens` and their logits in `logits`.
    fn gather(&mut self, logits: &[f32], mask: &[u32]) {
        self.tokens.clear();
        self.logits.clear();
        for (word, (&bits, values)) in mask.iter().zip(logits.chunks(32)).enumerate() {
            let mut bits = bits;
            if values.len() < 32 {
                bits &= (1u32 << values.len()) - 1;
            }
            while bits != 0 {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                let logit = values[bit as usize];
                if logit > f32::NEG_INFINITY {
                    self.tokens.push(32 * word as u32 + bit);
                    self.logits.push(logit);
                }
            }
        }
    }

    /// Makes candidates of the tokens with a usable logit; `max` is their greatest.
    fn fill(&mut self, tokens: impl Iterator<Item = (u32, f32)>, max: f32) {
        let temperature = self.sampling.temperature;
        self.candidates.clear();
        self.candidates.extend(
            tokens
                .filter(|&(_, logit)| logit > f32::NEG_INFINITY)
                .map(|(token, logit)| Candidate {
                    token,
                    logit,
                    weight: weight(logit, max, temperature),
                }),
        );
    }

    /// Filters the candidates, which are in order of tokens and not empty, draws one, and notes the basis.
    fn sample(&mut self, draw: Draw) -> u32 {
        let Sampling {
            top_k,
            top_p,
            min_p,
            seed,
            ..
        } = self.sampling;
        let candidates = &mut self.candidates;
        let cut = top_k > 0 && top_k < candidates.len();
        if cut {
            candidates.select_nth_unstable_by(top_k - 1, likeliest_first);
            candidates.truncate(top_k);
        }
        let from_all = !cut && top_p >= 1.0;
        let likeliest = || {
            candidates
                .iter()
                .min_by(|a, b| likeliest_first(a, b))
                .map(|candidate| candidate.token)
        };
        let likeliest = if from_all && min_p > 0.0 { likeliest() } else { None };
        let mut head = 0;
        if top_p < 1.0 {
            let kept;
            (kept, head) = sort_top_p(candidates, f64::from(top_p));
            let basis = &candidates[..head.min(BASIS_LIMIT)];
            self.basis.extend(basis.iter().map(|candidate| candidate.token));
            candidates.truncate(kept);
        }
        if min_p > 0.0 {
            // The likeliest candidate has weight 1, and no filter before has taken it away.
            candidates.retain(|candidate| candidate.weight >= min_p);
        }
        if cut && top_p >= 1.0 {
            head = candidates.len();
            self.basis
                .extend(candidates.iter().take(BASIS_LIMIT).map(|candidate| candidate.token));
        }
        candidates.sort_unstable_by_key(|candidate| candidate.token);

        let total: f64 = candidates.iter().map(|candidate| f64::from(candidate.weight)).sum();
        let target = draw.uniform(seed) * total;
        let mut reached = 0.0;
        let mut drawn = 0;
        for candidate in candidates.iter().filter(|candidate| candidate.weight > 0.0) {
            reached += f64::from(candidate.weight);
            drawn = candidate.token;
            if reached > target {
                break;
            }
        }
        if from_all {
            self.basis.push(drawn);
            self.basis.extend(likeliest);
            self.basis_kind = Kind::Drawn;
        } else if head > BASIS_LIMIT {
            self.basis_kind = Kind::Many;
        }
        drawn
    }
}

/// Sorts the candidates, likeliest first, as far as top-p needs it, and returns how many top-p keeps, the smallest number
/// whose weights reach `top_p` of the total, and how many its [basis](Sampler::basis) has.
///
/// Rarely are these more than a few, so only as many are sorted as are needed, in growing portions.
fn sort_top_p(candidates: &mut [Candidate], top_p: f64) -> (usize, usize) {
    let total: f64 = candidates.iter().map(|candidate| f64::from(candidate.weight)).sum();
    let (mut sorted, mut reached, mut kept) = (0, 0.0, None);
    let mut wanted = 64;
    while sorted < candidates.len() {
        let end = wanted.min(candidates.len());
        let rest = &mut candidates[sorted..];
        if end - sorted < rest.len() {
            rest.select_nth_unstable_by(end - sorted - 1, likeliest_first);
        }
        rest[..end - sorted].sort_unstable_by(likeliest_first);
        while sorted < end {
            let before = reached;
            reached += f64::from(candidates[sorted].weight);
            sorted += 1;
            if kept.is_none() && reached >= top_p * total {
                kept = Some((sorted, before));
            }
            // The margin is for sums of other tokens in another order.
            if let Some((kept, before)) = kept
                && before < top_p * reached * (1.0 - 1e-12)
            {
                return (kept, sorted);
            }
        }
        wanted *= 4;
    }
    (kept.map_or(candidates.len(), |(kept, _)| kept), candidates.len())
}

/// What is known of a whole row of logits.
struct Whole {
    max: f32,
    moments: Moments,
}

impl Whole {
    fn of(logits: &[f32]) -> Self {
        let max = maximum(logits);
        let moments = moments(logits, max);
        Whole { max, moments }
    }

    /// The scores of a token of the row, where `best` and `kept` are of the allowed part; without a mask, of the whole.
    fn choice(&self, logits: &[f32], token: u32, best: f32, kept: Moments) -> Choice {
        let changed_best = best < self.max;
        let mask = MaskScores {
            // Rounding may put the part a hair above the whole.
            kept_log_mass: (log_ratio(best, self.max) + (kept.sum.ln() - self.moments.sum.ln())).min(0.0),
            entropy: kept.entropy(),
            changed_best,
            // The row is searched a second time only where something was refused.
            wanted: changed_best.then(|| self.likeliest(logits)),
        };
        let logit = logits.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY);
        let scores = Scores {
            log_probability: log_ratio(logit, self.max) - self.moments.sum.ln(),
            entropy: self.moments.entropy(),
            rank: count_above(logits, logit),
            mask: Some(mask),
        };
        Choice { token, scores }
    }

    /// The likeliest token of the row, whatever a mask says of it.
    fn likeliest(&self, logits: &[f32]) -> Wanted {
        Wanted {
            token: logits.iter().position(|&logit| logit == self.max).unwrap_or(0) as u32,
            log_probability: -self.moments.sum.ln(),
        }
    }
}

/// `logit - max`, where two infinities of one sign are equal.
fn log_ratio(logit: f32, max: f32) -> f64 {
    if logit == max {
        0.0
    } else {
        f64::from(logit) - f64::from(max)
    }
}

fn no_choice(logits: &[f32], mask: Option<&[u32]>) -> NoChoice {
    let is_allowed =
        |token: usize| mask.is_none_or(|mask| mask.get(token / 32).is_some_and(|w| w >> (token % 32) & 1 == 1));
    let allowed: Vec<f32> = logits
        .iter()
        .enumerate()
        .filter(|&(token, _)| is_allowed(token))
        .map(|(_, &logit)| logit)
        .collect();
    NoChoice {
        allowed: allowed.len(),
        nan: allowed.iter().filter(|logit| logit.is_nan()).count(),
    }
}
