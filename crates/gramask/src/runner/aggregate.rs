//! The figures of a record, from the outputs of the document's passes.

use gramask_decode::{Chosen, Output, PromptTokenizer};
use gramask_grammar::Vocabulary;

use crate::evaluate::non_canonical;
use crate::store::{Distortion, Effort, Tokens};

impl Tokens {
    /// Counts the tokens of all passes.
    pub(super) fn of(prompt: usize, outputs: &[Output]) -> Tokens {
        let count = |chosen| outputs.iter().map(|output| output.count(chosen)).sum();
        Tokens {
            prompt,
            output: outputs.iter().map(|output| output.positions.output).sum(),
            sampled: count(Chosen::Sampled),
            forced: count(Chosen::Forced),
            drafted: count(Chosen::Drafted),
        }
    }
}

impl Distortion {
    /// The distortion of all passes together, and minus the logarithm of the probability that the masks left, summed over all
    /// known steps.
    pub(super) fn of<T: PromptTokenizer + ?Sized>(
        outputs: &[Output],
        vocabulary: &Vocabulary,
        tokenizer: &T,
    ) -> (Distortion, f64) {
        let mut all = Distortion {
            // An empty sum is -0; adding 0 turns it into 0.
            log_weight: outputs.iter().map(Output::log_weight).sum::<Option<f64>>().map(|weight| weight + 0.0),
            ..Distortion::default()
        };
        let (mut removed, mut removed_by_budget, mut changed_by_budget) = (0.0, 0.0, 0);
        for token in outputs.iter().flat_map(|output| &output.tokens) {
            let Some(mask) = token.mask() else { continue };
            all.known_steps += 1;
            all.removed_mass += mask.removed_mass();
            all.changed_best += usize::from(mask.changed_best);
            removed -= mask.kept_log_mass;
            removed_by_budget += mask.removed_by_budget();
            changed_by_budget += usize::from(mask.changed_best_by_budget());
        }
        (all.removed_by_budget, all.changed_best_by_budget) = (Some(removed_by_budget), Some(changed_by_budget));
        if all.known_steps > 0 {
            all.mean_removed = removed / all.known_steps as f64;
        }
        let others = outputs.iter().map(|output| {
            let tokens: Vec<u32> = output.tokens.iter().map(|record| record.token).collect();
            non_canonical(&tokens, vocabulary, tokenizer)
        });
        all.non_canonical = others.sum();
        (all, removed)
    }
}

/// The effort of all passes together.
pub(super) fn effort(outputs: &[Output]) -> Effort {
    let sum = |figure: fn(&Output) -> usize| outputs.iter().map(figure).sum();
    Effort {
        attempts: sum(|output| output.effort.attempts),
        discarded: sum(|output| output.effort.discarded),
        refused_drafts: sum(|output| output.effort.refused_drafts),
        log_valid: outputs.iter().map(|output| output.effort.log_valid).sum(),
    }
}

/// The free texts before the answers, if there are any.
pub(super) fn preamble(outputs: &[Output]) -> Option<String> {
    let any = outputs.iter().any(|output| !output.preamble.is_empty());
    let texts: Vec<&str> = outputs.iter().map(|output| output.preamble.as_str()).collect();
    any.then(|| texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramask_decode::mock::{MockTokenizer, byte_vocabulary};
    use gramask_decode::{BudgetScores, Finish, MaskScores, Scores, TokenCounts, TokenRecord};

    fn sampled(token: u32, kept: Option<f64>) -> TokenRecord {
        let scores = Scores {
            log_probability: -1.0,
            entropy: 1.0,
            rank: 0,
            mask: kept.map(|kept| MaskScores {
                kept_log_mass: kept.ln(),
                entropy: 0.5,
                changed_best: kept < 0.5,
                wanted: None,
                // Of the mass that is not kept, the budget refused a tenth of the whole.
                budget: (kept < 0.5).then(|| BudgetScores {
                    grammar_log_mass: (kept + 0.1).ln(),
                    changed_best: false,
                    squeezed: true,
                }),
            }),
        };
        TokenRecord { scores: Some(scores), ..TokenRecord::unscored(token, Chosen::Sampled) }
    }

    fn output(tokens: Vec<TokenRecord>, preamble: &str) -> Output {
        Output {
            strategy: "masked",
            positions: TokenCounts { output: tokens.len(), ..TokenCounts::default() },
            tokens,
            text: String::new(),
            answer_from: 0,
            preamble: preamble.into(),
            lossy: false,
            finish: Finish::End,
            effort: Effort { attempts: 2, discarded: 5, log_valid: Some(-1.0), ..Default::default() },
            times: Default::default(),
        }
    }

    #[test]
    fn figures_are_those_that_a_hand_computes() {
        let (vocabulary, tokenizer) = (byte_vocabulary(&["ab"]), MockTokenizer::default());
        let first = output(vec![sampled(97, Some(0.5)), sampled(98, Some(0.25))], "");
        let (all, removed) = Distortion::of(std::slice::from_ref(&first), &vocabulary, &tokenizer);
        assert_eq!((all.known_steps, all.changed_best, all.non_canonical), (2, 1, Some(0)));
        assert!((all.removed_mass - 1.25).abs() < 1e-12);
        assert!((removed - 8f64.ln()).abs() < 1e-12 && (all.mean_removed - 8f64.ln() / 2.0).abs() < 1e-12);
        assert!((all.log_weight.unwrap() + 8f64.ln()).abs() < 1e-12);
        assert!((all.removed_by_budget.unwrap() - 0.1).abs() < 1e-12);
        assert_eq!(all.changed_best_by_budget, Some(0));

        // A second pass with a token that is not canonical, a forced one, and one without a mask.
        let rest = vec![sampled(258, Some(1.0)), TokenRecord::unscored(99, Chosen::Forced), sampled(100, None)];
        let both = [first, output(rest, "hm")];
        let (all, removed) = Distortion::of(&both, &vocabulary, &tokenizer);
        assert_eq!((all.known_steps, all.changed_best, all.non_canonical), (3, 1, Some(1)));
        assert_eq!(all.log_weight, None, "not all steps are known");
        assert!((removed - 8f64.ln()).abs() < 1e-12);
        let tokens = Tokens::of(9, &both);
        assert_eq!((tokens.prompt, tokens.output), (9, 5));
        assert_eq!((tokens.sampled, tokens.forced, tokens.drafted), (4, 1, 0));
        let effort = effort(&both);
        assert_eq!((effort.attempts, effort.discarded, effort.log_valid), (4, 10, Some(-2.0)));
        assert_eq!(preamble(&both).as_deref(), Some("\nhm"));
        assert_eq!(preamble(&both[..1]), None);
    }

    #[test]
    fn nothing_removed_is_no_minus_zero() {
        let (vocabulary, tokenizer) = (byte_vocabulary(&[]), MockTokenizer::default());
        let free = output(vec![sampled(97, Some(1.0))], "");
        let (all, removed) = Distortion::of(&[free], &vocabulary, &tokenizer);
        for zero in [all.log_weight.unwrap(), all.removed_mass, all.mean_removed, removed] {
            assert!(zero == 0.0 && zero.is_sign_positive(), "{all:?} {removed}");
        }
    }
}
