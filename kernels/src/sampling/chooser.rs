//! Choosing one token from a row of logits and a mask, on the CPU.
//!
//! The order of the steps is fixed. The mask takes away tokens, and the temperature divides. Then top-k, top-p and min-p filter,
//! each over what the previous one has left. One random number picks from the rest by walking it in order of tokens. With a mask
//! only its allowed tokens are visited. One vectorised pass over the whole row gives the model's own probabilities, which do not
//! depend on mask, temperature or filters.
//!
//! Weights are whole numbers (see [`integer`](super::fixed_point)), so that this is what every device does.

use super::draw::Draw;
use super::error::NoChoice;
use super::fixed_point::{UNUSABLE, key, part_of, target};
use super::pick::{Found, Pick, Summed};
use super::settings::{FixedPoint, Sampling};

/// A [`Chooser::basis`] of more tokens than this is not listed.
const BASIS_LIMIT: usize = 256;

/// What a choice rested on: how it could have come out had fewer tokens been allowed. See [`Chooser::basis`].
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
    key: u32,
    weight: u64,
}

impl Candidate {
    /// By logit from high to low, of equal logits by token from low to high.
    fn place(&self) -> (u32, u32) {
        (!self.key, self.token)
    }
}

/// Chooses tokens from rows of logits; keeps its scratch memory between calls, and what the last choice rested on.
///
/// ```
/// use gramask_kernels::sampling::{Chooser, Draw, Sampling};
/// let mut chooser = Chooser::new(&Sampling::greedy());
/// let logits = [1.0, 3.0, 2.0, f32::NAN];
/// let draw = Draw { document: 1, position: 0 };
/// assert_eq!(chooser.choose(&logits, None, draw).unwrap().token, 1);
/// // A mask that allows the tokens 0 and 2 only.
/// let pick = chooser.choose(&logits, Some(&[0b0101]), draw).unwrap();
/// assert_eq!((pick.token, pick.changed_best), (2, true));
/// let (e1, e2, e3) = (1f64.exp(), 2f64.exp(), 3f64.exp());
/// assert!((pick.kept_log_mass.exp() - (e1 + e2) / (e1 + e2 + e3)).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct Chooser {
    fixed_point: Option<FixedPoint>,
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

impl Chooser {
    /// Chooses with these settings, which the caller has validated.
    pub fn new(sampling: &Sampling) -> Self {
        Chooser::with((!sampling.is_greedy()).then(|| FixedPoint::new(sampling)))
    }

    pub(crate) fn with(fixed_point: Option<FixedPoint>) -> Self {
        Chooser {
            fixed_point,
            tokens: Vec::new(),
            logits: Vec::new(),
            candidates: Vec::new(),
            basis: Vec::new(),
            basis_kind: Kind::Tokens,
        }
    }

    /// Chooses a token of the row `logits` (`[vocabulary]`) among those whose bit is set in `allowed` (bit `i` of word `w`
    /// is token `32 w + i`; a token without a bit is not allowed; `None` allows all).
    ///
    /// Logits of `-inf` and NaN are never chosen; those of `+inf` share the whole probability equally.
    ///
    /// # Errors
    /// [`NoChoice`] where no allowed token has a logit above `-inf`.
    pub fn choose(&mut self, logits: &[f32], allowed: Option<&[u32]>, draw: Draw) -> Result<Pick, NoChoice> {
        self.find(logits, allowed, draw).map(|found| found.pick())
    }

    /// The same without the scores' last steps.
    pub(crate) fn find(&mut self, logits: &[f32], allowed: Option<&[u32]>, draw: Draw) -> Result<Found, NoChoice> {
        self.basis.clear();
        self.basis_kind = Kind::Tokens;
        let whole = Summed::of(logits);
        let Some(mask) = allowed else {
            if whole.max == f32::NEG_INFINITY {
                return Err(no_pick(logits, None));
            }
            let best = logits.iter().position(|&logit| logit == whole.max).unwrap_or(0) as u32;
            let token = match self.fixed_point {
                None => {
                    self.basis.push(best);
                    best
                }
                Some(fixed_point) => {
                    let all = logits.iter().enumerate().map(|(token, &logit)| (token as u32, logit));
                    self.fill(all, whole.max, &fixed_point);
                    self.sample(draw, &fixed_point)
                }
            };
            return Ok(Found::of(logits, token, best, whole, whole));
        };

        let kept = self.gather(logits, mask);
        if kept.max == f32::NEG_INFINITY {
            return Err(no_pick(logits, Some(mask)));
        }
        let best = self.likeliest(kept.max);
        let token = match self.fixed_point {
            None => {
                self.basis.push(best);
                best
            }
            Some(fixed_point) => {
                let (tokens, values) = (std::mem::take(&mut self.tokens), std::mem::take(&mut self.logits));
                let usable = tokens.iter().copied().zip(values.iter().copied());
                self.fill(usable, kept.max, &fixed_point);
                (self.tokens, self.logits) = (tokens, values);
                self.sample(draw, &fixed_point)
            }
        };
        Ok(Found::of(logits, token, best, whole, kept))
    }

    /// Scores a token that something else than a draw decided on, under a mask or not: forced text, a hypothesis of a beam.
    ///
    /// # Errors
    /// [`NoChoice`] where no allowed token has a logit above `-inf`.
    pub fn score(&mut self, logits: &[f32], allowed: Option<&[u32]>, token: u32) -> Result<Pick, NoChoice> {
        let whole = Summed::of(logits);
        let kept = match allowed {
            None => whole,
            Some(mask) => self.gather(logits, mask),
        };
        if kept.max == f32::NEG_INFINITY {
            return Err(no_pick(logits, allowed));
        }
        let best = match allowed {
            None => logits.iter().position(|&logit| logit == kept.max).unwrap_or(0) as u32,
            Some(_) => self.likeliest(kept.max),
        };
        Ok(Found::of(logits, token, best, whole, kept).pick())
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

    /// Puts the usable allowed tokens in `tokens` and their logits in `logits`, and sums these.
    fn gather(&mut self, logits: &[f32], mask: &[u32]) -> Summed {
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
        Summed::of(&self.logits)
    }

    /// The first gathered token of this logit.
    fn likeliest(&self, max: f32) -> u32 {
        let index = self.logits.iter().position(|&logit| logit == max).unwrap_or(0);
        self.tokens.get(index).copied().unwrap_or(0)
    }

    /// Makes candidates of the tokens with a usable logit; `max` is their greatest.
    fn fill(&mut self, tokens: impl Iterator<Item = (u32, f32)>, max: f32, fixed_point: &FixedPoint) {
        self.candidates.clear();
        let candidates =
            tokens.map(|(token, logit)| Candidate { token, key: key(logit), weight: fixed_point.weight(logit, max) });
        self.candidates.extend(candidates.filter(|candidate| candidate.key != UNUSABLE));
    }

    /// Filters the candidates, which are in order of tokens and not empty, draws one, and notes the basis.
    fn sample(&mut self, draw: Draw, fixed_point: &FixedPoint) -> u32 {
        let candidates = &mut self.candidates;
        let most = fixed_point.most as usize;
        let cut = most < candidates.len();
        if cut {
            candidates.select_nth_unstable_by_key(most - 1, Candidate::place);
            candidates.truncate(most);
        }
        let from_all = !cut && fixed_point.share.is_none();
        let has_floor = fixed_point.least_weight > 0;
        let likeliest = match from_all && has_floor {
            true => candidates.iter().min_by_key(|candidate| candidate.place()),
            false => None,
        };
        let likeliest = likeliest.map(|candidate| candidate.token);
        let mut head = 0;
        if let Some(share) = fixed_point.share {
            let kept;
            (kept, head) = sort_top_p(candidates, share);
            let basis = &candidates[..head.min(BASIS_LIMIT)];
            self.basis.extend(basis.iter().map(|candidate| candidate.token));
            candidates.truncate(kept);
        }
        if has_floor {
            // The likeliest candidate has the greatest weight, and no filter before has taken it away.
            candidates.retain(|candidate| candidate.weight >= fixed_point.least_weight);
        }
        if cut && fixed_point.share.is_none() {
            head = candidates.len();
            self.basis.extend(candidates.iter().take(BASIS_LIMIT).map(|candidate| candidate.token));
        }
        candidates.sort_unstable_by_key(|candidate| candidate.token);

        let total: u64 = candidates.iter().map(|candidate| candidate.weight).sum();
        let target = target(draw.bits(fixed_point.seed), total);
        let mut reached = 0;
        let mut drawn = 0;
        for candidate in candidates.iter() {
            reached += candidate.weight;
            if reached > target {
                drawn = candidate.token;
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
/// whose weights reach its share of the total, and how many its [basis](Chooser::basis) has.
///
/// Rarely are these more than a few, so only as many are sorted as are needed, in growing portions.
fn sort_top_p(candidates: &mut [Candidate], share: u32) -> (usize, usize) {
    let total: u64 = candidates.iter().map(|candidate| candidate.weight).sum();
    let needed = part_of(total, share);
    let (mut sorted, mut reached, mut kept) = (0, 0, None);
    let mut wanted = 64;
    while sorted < candidates.len() {
        let end = wanted.min(candidates.len());
        let rest = &mut candidates[sorted..];
        if end - sorted < rest.len() {
            rest.select_nth_unstable_by_key(end - sorted - 1, Candidate::place);
        }
        rest[..end - sorted].sort_unstable_by_key(Candidate::place);
        while sorted < end {
            let before = reached;
            reached += candidates[sorted].weight;
            sorted += 1;
            if kept.is_none() && reached >= needed {
                kept = Some((sorted, before));
            }
            if let Some((kept, before)) = kept
                && before < part_of(reached, share)
            {
                return (kept, sorted);
            }
        }
        wanted *= 4;
    }
    (kept.map_or(candidates.len(), |(kept, _)| kept), candidates.len())
}

pub(super) fn no_pick(logits: &[f32], mask: Option<&[u32]>) -> NoChoice {
    let is_allowed =
        |token: usize| mask.is_none_or(|mask| mask.get(token / 32).is_some_and(|w| w >> (token % 32) & 1 == 1));
    let allowed: Vec<f32> =
        logits.iter().enumerate().filter(|&(token, _)| is_allowed(token)).map(|(_, &logit)| logit).collect();
    NoChoice { allowed: allowed.len(), nan: allowed.iter().filter(|logit| logit.is_nan()).count() }
}
