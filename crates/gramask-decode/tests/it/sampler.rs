//! The sampler against a naive reference, exact probabilities and hostile numbers.

use gramask_decode::{Basis, Choice, Draw, NoChoice, Sampler, Sampling};
use proptest::prelude::*;

fn kept(choice: &Choice) -> f64 {
    choice.scores.mask.unwrap().kept_log_mass
}

fn draw(position: u64) -> Draw {
    Draw { document: 99, position }
}

fn bits(mask: &[bool]) -> Vec<u32> {
    let mut words = vec![0; mask.len().div_ceil(32)];
    for (token, _) in mask.iter().enumerate().filter(|(_, allowed)| **allowed) {
        words[token / 32] |= 1 << (token % 32);
    }
    words
}

/// The distribution over tokens, filter by filter, in double precision and with full sorts.
fn reference(logits: &[f32], allowed: &[bool], sampling: &Sampling) -> Vec<f64> {
    let mut order: Vec<usize> = (0..logits.len()).filter(|&t| allowed[t] && logits[t] > f32::NEG_INFINITY).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    let mut result = vec![0.0; logits.len()];
    if sampling.temperature == 0.0 {
        result[order[0]] = 1.0;
        return result;
    }
    let best = f64::from(logits[order[0]]);
    let weight = |t: usize| ((f64::from(logits[t]) - best) / f64::from(sampling.temperature)).exp();
    if sampling.top_k > 0 {
        order.truncate(sampling.top_k);
    }
    if sampling.top_p < 1.0 {
        let total: f64 = order.iter().map(|&t| weight(t)).sum();
        let mut reached = 0.0;
        let kept = order.iter().take_while(|&&t| {
            let before = reached;
            reached += weight(t);
            before < f64::from(sampling.top_p) * total
        });
        order.truncate(kept.count());
    }
    order.retain(|&t| weight(t) >= f64::from(sampling.min_p));
    let total: f64 = order.iter().map(|&t| weight(t)).sum();
    for t in order {
        result[t] = weight(t) / total;
    }
    result
}

/// The token that a number in [0, 1) picks from a distribution, walked in order of tokens.
fn pick(distribution: &[f64], u: f64) -> (u32, f64) {
    let (mut reached, mut last, mut margin) = (0.0, 0, f64::INFINITY);
    for (token, &p) in distribution.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        margin = margin.min((reached - u).abs());
        reached += p;
        margin = margin.min((reached - u).abs());
        last = token as u32;
        if reached > u {
            break;
        }
    }
    (last, margin)
}

/// Logits in steps of 1/8, so that weights near a threshold are either equal or well apart, and ties are common.
fn logit() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => (-64i32..64).prop_map(|eighths| eighths as f32 / 8.0),
        1 => Just(f32::NEG_INFINITY),
        1 => Just(f32::NAN),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_the_reference(
        row in prop::collection::vec((logit(), prop::bool::weighted(0.7)), 1..150),
        masked in any::<bool>(),
        temperature in prop_oneof![Just(0.0f32), Just(0.25), Just(1.0), Just(3.0)],
        top_k in prop_oneof![Just(0usize), 1usize..40],
        top_p in prop_oneof![Just(1.0f32), 0.01f32..0.999],
        min_p in prop_oneof![Just(0.0f32), 0.0011f32..0.9],
        seed in any::<u64>(),
        position in any::<u64>(),
    ) {
        let (logits, allowed): (Vec<f32>, Vec<bool>) = row.into_iter().map(|(l, a)| (l, a || !masked)).unzip();
        let sampling = Sampling { temperature, top_k, top_p, min_p, seed };
        prop_assert!(sampling.validate().is_ok());
        let mut sampler = Sampler::new(sampling);
        let words = bits(&allowed);
        let chosen = sampler.choose(&logits, masked.then_some(&words), draw(position));
        let usable = (0..logits.len()).filter(|&t| allowed[t] && logits[t] > f32::NEG_INFINITY).count();
        if usable == 0 {
            prop_assert_eq!(chosen, Err(NoChoice {
                allowed: allowed.iter().filter(|a| **a).count(),
                nan: (0..logits.len()).filter(|&t| allowed[t] && logits[t].is_nan()).count(),
            }));
            return Ok(());
        }
        let chosen = chosen.unwrap();
        let wanted = reference(&logits, &allowed, &sampling);
        prop_assert!(wanted[chosen.token as usize] > 0.0, "{} is filtered out", chosen.token);
        let (token, margin) = pick(&wanted, draw(position).uniform(seed));
        // Within rounding of a border either side is right.
        if margin > 1e-5 || temperature == 0.0 {
            prop_assert_eq!(chosen.token, token);
        }

        let all: f64 = logits.iter().filter(|l| !l.is_nan()).map(|&l| f64::from(l).exp()).sum();
        let kept_sum: f64 = (0..logits.len()).filter(|&t| allowed[t] && !logits[t].is_nan()).map(|t| f64::from(logits[t]).exp()).sum();
        prop_assert!((chosen.scores.log_probability - (f64::from(logits[chosen.token as usize]) - all.ln())).abs() < 1e-5);
        prop_assert!((kept(&chosen) - (kept_sum / all).ln()).abs() < 1e-5);
        prop_assert!(kept(&chosen) <= 0.0);
        // The other scores, by their definitions.
        let usable = |t: &usize| logits[*t] > f32::NEG_INFINITY;
        let entropy = |tokens: Vec<usize>, total: f64| -> f64 {
            let p = |t: usize| f64::from(logits[t]).exp() / total;
            tokens.into_iter().filter(usable).map(p).filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum()
        };
        let scores = chosen.scores;
        let mask_scores = scores.mask.unwrap();
        prop_assert!((scores.entropy - entropy((0..logits.len()).collect(), all)).abs() < 1e-4);
        let inside = (0..logits.len()).filter(|&t| allowed[t]).collect();
        prop_assert!((mask_scores.entropy - entropy(inside, kept_sum)).abs() < 1e-4);
        let logit = logits[chosen.token as usize];
        prop_assert_eq!(scores.rank as usize, logits.iter().filter(|&&other| other > logit).count());
        let best = |of: &dyn Fn(usize) -> bool| {
            (0..logits.len()).filter(|&t| of(t)).map(|t| logits[t]).fold(f32::NEG_INFINITY, f32::max)
        };
        prop_assert_eq!(mask_scores.changed_best, best(&|t| allowed[t]) < best(&|_| true));
        prop_assert_eq!(mask_scores.wanted.is_some(), mask_scores.changed_best);
        if let Some(wanted) = mask_scores.wanted {
            let whole = sampler.score(&logits, None, wanted.token).unwrap();
            prop_assert!(!allowed[wanted.token as usize] && whole.scores.rank == 0);
            prop_assert!((whole.scores.log_probability - wanted.log_probability).abs() < 1e-9);
        }

        // A mask that allows all is no mask.
        if !masked {
            prop_assert_eq!(sampler.choose(&logits, Some(&words), draw(position)).unwrap().token, chosen.token);
        }
    }

    /// Taking tokens away that are not in the basis changes neither the distribution nor the token.
    #[test]
    fn the_basis_carries_the_choice(
        row in prop::collection::vec(((-40i32..40).prop_map(|q| q as f32 / 8.0), any::<bool>(), any::<bool>()), 2..80),
        temperature in prop_oneof![Just(0.0f32), Just(1.0)],
        top_k in prop_oneof![Just(0usize), 1usize..20],
        top_p in prop_oneof![Just(1.0f32), 0.01f32..0.999],
        min_p in prop_oneof![Just(0.0f32), 0.01f32..0.9],
        position in any::<u64>(),
    ) {
        let logits: Vec<f32> = row.iter().map(|r| r.0).collect();
        let mut allowed: Vec<bool> = row.iter().map(|r| r.1).collect();
        allowed[0] = true;
        let sampling = Sampling { temperature, top_k, top_p, min_p, seed: 5 };
        let mut sampler = Sampler::new(sampling);
        let first = sampler.choose(&logits, Some(&bits(&allowed)), draw(position)).unwrap();
        let (basis, drawn) = match sampler.basis() {
            Basis::Tokens(basis) => (basis.to_vec(), false),
            Basis::Drawn(basis) => (basis.to_vec(), true),
            Basis::Many => panic!("fewer than 256 candidates"),
        };
        prop_assert!(basis.contains(&first.token));
        // What is left of a draw from all candidates keeps their proportions.
        prop_assert_eq!(drawn, temperature > 0.0 && top_p == 1.0 && (top_k == 0 || top_k >= allowed.iter().filter(|a| **a).count()));
        let fewer: Vec<bool> = (0..row.len()).map(|t| allowed[t] && (row[t].2 || basis.contains(&(t as u32)))).collect();
        let second = sampler.choose(&logits, Some(&bits(&fewer)), draw(position)).unwrap();
        let (a, b) = (reference(&logits, &allowed, &sampling), reference(&logits, &fewer, &sampling));
        if !drawn {
            prop_assert_eq!(first.token, second.token);
            prop_assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-9));
            return Ok(());
        }
        let stays: f64 = a.iter().zip(&fewer).filter(|(_, stays)| **stays).map(|(p, _)| p).sum();
        let kept = |t: usize| if fewer[t] { a[t] / stays } else { 0.0 };
        prop_assert!((0..a.len()).all(|t| (kept(t) - b[t]).abs() < 1e-9));
    }
}

/// Chi-square of observed counts against exact probabilities, with tokens of probability 0 checked apart.
fn chi_square(sampling: Sampling, logits: &[f32], allowed: &[bool], draws: u64) -> (f64, usize) {
    let wanted = reference(logits, allowed, &sampling);
    let mut sampler = Sampler::new(sampling);
    let words = bits(allowed);
    let mut counts = vec![0u64; logits.len()];
    for i in 0..draws {
        // Half of the draws from positions of one document, half from documents at one position.
        let place = if i % 2 == 0 { draw(i) } else { Draw { document: i, position: 4 } };
        counts[sampler.choose(logits, Some(&words), place).unwrap().token as usize] += 1;
    }
    let mut sum = 0.0;
    for (&count, &p) in counts.iter().zip(&wanted) {
        let expected = p * draws as f64;
        if p == 0.0 {
            assert_eq!(count, 0);
        } else {
            assert!(expected > 5.0);
            sum += (count as f64 - expected).powi(2) / expected;
        }
    }
    (sum, wanted.iter().filter(|p| **p > 0.0).count() - 1)
}

/// The statistic has mean `d` and variance `2d` at `d` degrees of freedom; with fixed seeds the test is deterministic.
#[test]
fn draws_have_the_exact_distribution() {
    let logits = [0.5, -1.0, 2.0, 1.0, 1.0, 0.0, -0.5, 1.5, f32::NEG_INFINITY, 2.5, -2.0, 0.25];
    let allowed = [true, true, true, true, true, true, false, true, true, false, true, true];
    let plain = Sampling::at(1.0, 11);
    let cases = [
        plain,
        Sampling { temperature: 0.7, ..plain },
        Sampling { temperature: 2.0, seed: 12, ..plain },
        Sampling { top_k: 4, ..plain },
        Sampling { top_p: 0.8, ..plain },
        Sampling { min_p: 0.2, ..plain },
        Sampling { temperature: 1.3, top_k: 7, top_p: 0.9, min_p: 0.1, seed: 13 },
    ];
    for sampling in cases {
        let (statistic, degrees) = chi_square(sampling, &logits, &allowed, 60_000);
        let d = degrees as f64;
        assert!(degrees >= 2);
        assert!(statistic < d + 4.0 * (2.0 * d).sqrt(), "{sampling:?}: {statistic} at {degrees} degrees of freedom");
    }
}

#[test]
fn the_statistic_would_notice_a_wrong_temperature() {
    let logits = [0.5, -1.0, 2.0, 1.0, 1.0, 0.0];
    let allowed = [true; 6];
    let mut sampler = Sampler::new(Sampling::at(1.1, 3));
    let wanted = reference(&logits, &allowed, &Sampling::at(1.0, 3));
    let mut counts = [0u64; 6];
    for i in 0..60_000 {
        counts[sampler.choose(&logits, None, draw(i)).unwrap().token as usize] += 1;
    }
    let statistic: f64 =
        counts.iter().zip(&wanted).map(|(&c, &p)| (c as f64 - p * 60_000.0).powi(2) / (p * 60_000.0)).sum();
    assert!(statistic > 5.0 + 4.0 * 10f64.sqrt());
}

#[test]
fn ties_go_to_the_lowest_token() {
    let mut greedy = Sampler::new(Sampling::greedy());
    assert_eq!(greedy.choose(&[1.0, 3.0, 3.0], None, draw(0)).unwrap().token, 1);
    assert_eq!(greedy.choose(&[-0.0, 0.0], None, draw(0)).unwrap().token, 0);
    assert_eq!(greedy.choose(&[3.0, 1.0, 3.0, 3.0], Some(&[0b1110]), draw(0)).unwrap().token, 2);
    let mut top = Sampler::new(Sampling { top_k: 2, ..Sampling::at(1.0, 1) });
    for position in 0..200 {
        assert!(top.choose(&[0.0, 1.0, 1.0, 1.0], None, draw(position)).unwrap().token < 3);
    }
}

#[test]
fn broken_numbers_are_errors_and_never_tokens() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for sampling in [Sampling::greedy(), Sampling::at(1.0, 1), Sampling { top_p: 0.5, ..Sampling::at(0.1, 1) }] {
        let mut sampler = Sampler::new(sampling);
        let mut choose = |logits: &[f32], mask: Option<&[u32]>| sampler.choose(logits, mask, draw(0)).map(|c| c.token);
        assert_eq!(choose(&[nan, nan], None), Err(NoChoice { allowed: 2, nan: 2 }));
        assert_eq!(choose(&[nan, -inf, 4.0], Some(&[0b011])), Err(NoChoice { allowed: 2, nan: 1 }));
        assert_eq!(choose(&[1.0, 2.0], Some(&[0])), Err(NoChoice { allowed: 0, nan: 0 }));
        assert_eq!(choose(&[1.0, 2.0], Some(&[])), Err(NoChoice { allowed: 0, nan: 0 }));
        assert_eq!(choose(&[], None), Err(NoChoice { allowed: 0, nan: 0 }));
        // Bits beyond the row are no tokens.
        assert_eq!(choose(&[1.0, 2.0], Some(&[!0b11, !0])), Err(NoChoice { allowed: 0, nan: 0 }));
        assert_eq!(choose(&[nan, 2.0, -inf], None), Ok(1));
        assert_eq!(choose(&[1.0, inf, 3.0], None), Ok(1));
        assert_eq!(choose(&[1.0, inf, -300.0], Some(&[0b100])), Ok(2));
    }
}

#[test]
fn infinite_logits_share_the_mass() {
    let mut sampler = Sampler::new(Sampling::at(1.0, 1));
    let choice = sampler.choose(&[f32::INFINITY, 0.0, f32::INFINITY], None, draw(0)).unwrap();
    assert!((choice.scores.log_probability - 0.5f64.ln()).abs() < 1e-12);
    let masked = sampler.choose(&[f32::INFINITY, 0.0, f32::INFINITY], Some(&[0b011]), draw(0)).unwrap();
    assert_eq!(masked.token, 0);
    assert!((kept(&masked) - 0.5f64.ln()).abs() < 1e-12);
    let impossible = sampler.choose(&[f32::INFINITY, 0.0], Some(&[0b10]), draw(0)).unwrap();
    assert_eq!((impossible.scores.log_probability, kept(&impossible)), (f64::NEG_INFINITY, f64::NEG_INFINITY));
}

/// Hand-checked: probabilities 0.5, 0.25, 0.25 of logits ln 2, 0, 0.
#[test]
fn probabilities_by_hand() {
    let mut sampler = Sampler::new(Sampling::greedy());
    let logits = [0.0, std::f32::consts::LN_2, 0.0];
    let choice = sampler.choose(&logits, Some(&[0b101]), draw(0)).unwrap();
    assert_eq!(choice.token, 0);
    assert!((choice.scores.log_probability.exp() - 0.25).abs() < 1e-7);
    assert!((kept(&choice).exp() - 0.5).abs() < 1e-7);
    // A removed mass beyond the reach of 1 - p in any float keeps its logarithm.
    let far = sampler.choose(&[-80.0, 120.0], Some(&[0b01]), draw(0)).unwrap();
    assert!((kept(&far) + 200.0).abs() < 1e-9);
}

/// With a wide vocabulary top-p sorts only a part; it must keep the same tokens.
#[test]
fn top_p_over_a_wide_vocabulary() {
    let logits: Vec<f32> = (0..5000u32).map(|t| (t.wrapping_mul(2_654_435_761) >> 22) as f32 / 256.0).collect();
    let allowed = vec![true; logits.len()];
    for top_p in [0.05, 0.5, 0.97] {
        let sampling = Sampling { top_p, ..Sampling::at(1.0, 8) };
        let wanted = reference(&logits, &allowed, &sampling);
        let mut sampler = Sampler::new(sampling);
        for position in 0..300 {
            let chosen = sampler.choose(&logits, None, draw(position)).unwrap().token;
            assert!(wanted[chosen as usize] > 0.0);
            let (token, margin) = pick(&wanted, draw(position).uniform(8));
            assert!(margin < 1e-6 || token == chosen);
        }
    }
}
