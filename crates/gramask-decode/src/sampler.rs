//! Choosing one token from a row of logits and a mask, on the host.
//!
//! How is defined where the devices' kernels are ([`gramask_kernels::sampling`]), so that a token is the same wherever it is
//! chosen; this is their native code, with the nouns of decoding.

pub use gramask_kernels::sampling::Basis;

use gramask_grammar::Mask;
use gramask_kernels::sampling::{Chooser, NoChoice, Pick, Sampling};

use crate::random::Draw;
use crate::record::{BudgetScores, MaskScores, Scores, Wanted};

/// A chosen token and what the model thought of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The token.
    pub token: u32,
    /// The likeliest allowed token, of equals the lowest.
    pub best: u32,
    /// What the model thought of it, and what the mask did; all before temperature and filters.
    pub scores: Scores,
}

impl From<Pick> for Choice {
    fn from(pick: Pick) -> Self {
        let mask = MaskScores {
            kept_log_mass: pick.kept_log_mass,
            entropy: pick.kept_entropy,
            changed_best: pick.changed_best,
            // Known where the row is: see `Choice::of`; else sometimes: see `Choice::within`.
            wanted: None,
            // Known where both masks are: see `Choice::within`.
            budget: None,
        };
        Choice {
            token: pick.token,
            best: pick.best,
            scores: Scores {
                log_probability: pick.log_probability,
                entropy: pick.entropy,
                rank: pick.rank,
                mask: Some(mask),
            },
        }
    }
}

impl Choice {
    /// A pick from a row that is here, so that it can be searched for what the model wanted in place of a refused token.
    fn of(pick: Pick, logits: &[f32]) -> Self {
        let mut choice = Choice::from(pick);
        if let Some(mask) = choice.scores.mask.as_mut().filter(|mask| mask.changed_best) {
            mask.wanted = wanted(logits, &pick);
        }
        choice
    }

    /// Adds what the budget did. This choice was made under the tight mask, and `grammar` is the one that the mask of the grammar
    /// alone gives for the same row. `squeezed` tells whether the budget refused a token that would have been taken.
    pub(crate) fn within(mut self, grammar: &Choice, squeezed: bool) -> Self {
        if let (Some(tight), Some(plain)) = (self.scores.mask.as_mut(), grammar.scores.mask) {
            // Without the row, the token that the model wanted is known if the grammar's choice was that token.
            if tight.changed_best && !plain.changed_best && grammar.token == grammar.best {
                let by_grammar = Wanted { token: grammar.token, log_probability: grammar.scores.log_probability };
                tight.wanted.get_or_insert(by_grammar);
            }
            tight.budget = Some(BudgetScores {
                // Rounding may put the part a hair above the whole.
                grammar_log_mass: plain.kept_log_mass.max(tight.kept_log_mass),
                changed_best: tight.changed_best && !plain.changed_best,
                squeezed,
            });
        }
        self
    }
}

/// The likeliest token of a row, of equals the lowest, whatever a mask says of it.
fn wanted(logits: &[f32], pick: &Pick) -> Option<Wanted> {
    let known = logits.iter().copied().enumerate().filter(|(_, logit)| !logit.is_nan());
    let (token, logit) = known.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    let chosen = *logits.get(pick.token as usize)?;
    let log_probability = match logit == f32::INFINITY {
        // Those of `+inf` share all there is.
        true => -(logits.iter().filter(|&&other| other == logit).count() as f64).ln(),
        false => pick.log_probability + (f64::from(logit) - f64::from(chosen)),
    };
    Some(Wanted { token: token as u32, log_probability })
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
    chooser: Chooser,
}

impl Sampler {
    /// A sampler with these settings, which the caller has validated.
    pub fn new(sampling: Sampling) -> Self {
        Sampler { chooser: Chooser::new(&sampling), sampling }
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
        Ok(Choice::of(self.chooser.choose(logits, allowed, draw)?, logits))
    }

    /// Scores a token that something else than a draw decided on, under a mask or not: forced text, a hypothesis of a beam.
    ///
    /// # Errors
    /// [`NoChoice`] where no allowed token has a logit above `-inf`.
    pub fn score(&mut self, logits: &[f32], allowed: Option<&[u32]>, token: u32) -> Result<Choice, NoChoice> {
        Ok(Choice::of(self.chooser.score(logits, allowed, token)?, logits))
    }

    /// The same under a tight mask, which is the mask of the grammar without the tokens that the budget refuses. What the
    /// budget did is recorded apart.
    ///
    /// # Errors
    /// As [`Sampler::score`].
    pub fn score_within(
        &mut self,
        logits: &[f32],
        grammar: &[u32],
        tight: &[u32],
        token: u32,
    ) -> Result<Choice, NoChoice> {
        let choice = self.score(logits, Some(tight), token)?;
        if grammar == tight {
            return Ok(choice);
        }
        let plain = self.score(logits, Some(grammar), token)?;
        Ok(choice.within(&plain, !Mask::Row(tight).contains(plain.best)))
    }

    /// What the last choice rested on; see [`Chooser::basis`].
    pub fn basis(&self) -> Basis<'_> {
        self.chooser.basis()
    }
}
