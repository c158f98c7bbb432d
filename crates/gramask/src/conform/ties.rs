//! Tokens that may differ: how near a choice was on the reference.
//!
//! Two devices that compute rightly have logits that differ by roundings. A greedy choice then differs where the two best allowed
//! tokens are that near. A draw differs where the random number falls that near to the border between two tokens.

use gramask_decode::{Draw, Logits, document_number};
use gramask_grammar::{Level, Mask};
use gramask_model::transformer::{Row, Select};

use super::check::Failure;
use super::model::deviation;
use super::outputs::{Place, Scene};
use super::pair::floats_of;

/// How far apart two tokens are on the reference.
pub(super) struct Tie {
    /// 0 where they are equal.
    pub margin: f64,
    /// What it is measured in.
    pub unit: &'static str,
}

/// How near `token` was to being chosen in place of `wanted`.
pub(super) fn tie(scene: &Scene, place: &Place<'_>, token: u32, wanted: u32) -> Result<Tie, Failure> {
    let logits = reference(scene, place)?;
    let spread = deviation(&logits);
    let at = |token: u32| logits.get(token as usize).map_or(f64::NEG_INFINITY, |logit| f64::from(*logit));
    if place.how.is_greedy() {
        return Ok(Tie { margin: (at(wanted) - at(token)).abs() / spread, unit: "standard deviations of the logits" });
    }
    let allowed = masks(scene, place)?;
    // The budget's tight mask may have been drawn from anew, with another number: the nearer of the two is what counts.
    let margin = allowed
        .iter()
        .map(|(mask, draw)| border(&logits, mask, place.how.temperature, draw.uniform(place.how.seed), token))
        .fold(f64::INFINITY, f64::min);
    Ok(Tie {
        // A logit that is off by a standard deviation moves a border by at most that much probability.
        margin: margin / spread.max(1.0),
        unit: "of the probability",
    })
}

/// The reference's logits after the tokens before.
fn reference(scene: &Scene, place: &Place<'_>) -> Result<Vec<f32>, Failure> {
    let tokens = [&place.case.prompt[..], place.written].concat();
    let model = &scene.here;
    let mut cache = model.cache(1, tokens.len())?;
    let row = [Row { slot: 0, tokens: &tokens }];
    let logits = model.forward(&mut cache, &row, Select::Last)?;
    let values = floats_of(model.device(), logits)?;
    Ok(Logits::new(values, model.config().vocabulary)?.row(0).unwrap_or_default().to_vec())
}

/// What could be drawn from, and with which number: the mask and, for a second draw, the budget's.
fn masks(scene: &Scene, place: &Place<'_>) -> Result<Vec<(Vec<u32>, Draw)>, Failure> {
    let draw = Draw { document: document_number(&place.case.id), position: place.written.len() as u64 };
    if place.level == Level::None {
        return Ok(vec![(vec![u32::MAX; scene.vocabulary.words()], draw)]);
    }
    let mut constraint = place.case.constraint(place.level, &scene.vocabulary)?;
    let mut state = constraint.start();
    for &token in place.written {
        state = constraint
            .advance(state, token)
            .ok_or_else(|| Failure::Other(format!("the constraint refuses token {token} of its own output")))?;
    }
    let plain = constraint.mask(state).to_vec();
    let tight = constraint.mask_within(state, place.case.budget - place.written.len()).to_vec();
    Ok(vec![(plain, draw), (tight, draw.again())])
}

/// How far the number is from the part of `0..1` that stands for the token, where the allowed tokens share it in order.
fn border(logits: &[f32], mask: &[u32], temperature: f32, number: f64, token: u32) -> f64 {
    let allowed = |token: usize| Mask::Row(mask).contains(token as u32);
    let usable = || logits.iter().enumerate().filter(|(token, logit)| allowed(*token) && **logit > f32::NEG_INFINITY);
    let largest = usable().map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
    let weight = |logit: f32| f64::from((logit - largest) / temperature).exp();
    let total: f64 = usable().map(|(_, logit)| weight(*logit)).sum();
    let mut from = 0.0;
    for (other, logit) in usable() {
        let to = from + weight(*logit) / total;
        if other == token as usize {
            return (from - number).max(number - to).max(0.0);
        }
        from = to;
    }
    f64::INFINITY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_where_the_sampler_has_them() {
        // Three of four tokens are allowed, of weights 1, 2 and 1: they share the line at 1/4 and 3/4.
        let logits = [0.0, 9.0, 2f32.ln(), 0.0];
        let distance = |number: f64, token: u32| border(&logits, &[0b1101], 1.0, number, token);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(distance(0.1, 0), 0.0) && near(distance(0.1, 2), 0.15) && near(distance(0.1, 3), 0.65));
        assert!(near(distance(0.5, 2), 0.0) && near(distance(0.5, 0), 0.25));
        assert_eq!(distance(0.5, 1), f64::INFINITY, "not allowed");
    }
}
