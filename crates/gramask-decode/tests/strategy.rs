//! The interface of strategies: moves of several tokens, verification, withdrawal, and moves that cannot be.

mod common;

use common::{bytes, collect, settings};
use gramask_decode::mock::MockModel;
use gramask_decode::{
    Chosen, Move, Request, RequestError, Sampling, Select, Step, StepError, Strategy, TokenRecord, Unconstrained,
};

/// A strategy that appends several tokens, checks all their logits, and withdraws what the model would not have chosen.
struct Drafting {
    proposals: Vec<Vec<u32>>,
    fed: usize,
}

impl Strategy for Drafting {
    fn name(&self) -> &'static str {
        "drafting"
    }

    fn choose(&mut self, step: Step<'_>) -> Result<Move, StepError> {
        let rows: Vec<&[f32]> = step.logits.chunks(step.width).collect();
        let appended = &step.tokens[step.tokens.len() - self.fed..];
        // Row i stands behind appended token i (the first is certain); the tokens after it are drafts.
        let mut confirmed = rows.len() - 1;
        for (i, draft) in appended.iter().enumerate().skip(1) {
            let choice = step.sampler.choose(rows[i - 1], None, step.draw)?;
            if choice.token != draft.token {
                confirmed = i - 1;
                break;
            }
        }
        let withdraw = self.fed.saturating_sub(confirmed + 1);
        let choice = step.sampler.choose(rows[confirmed], None, step.draw)?;
        let mut append = vec![TokenRecord::new(choice, Chosen::Sampled)];
        let ended = step.is_end(choice.token);
        if !ended {
            let room = step.remaining + withdraw - 1;
            for token in self
                .proposals
                .pop()
                .unwrap_or_default()
                .into_iter()
                .take(room.saturating_sub(1))
            {
                append.push(TokenRecord {
                    token,
                    chosen: Chosen::Drafted,
                    log_probability: 0.0,
                    kept_log_mass: 0.0,
                });
            }
        }
        self.fed = append.len();
        Ok(Move {
            withdraw,
            append,
            ended,
            select: Select::All,
        })
    }
}

#[test]
fn tokens_can_be_drafted_verified_and_withdrawn() {
    let text = b"hello world, hello all";
    for slots in [1, 2] {
        let mut model = MockModel::scripted(text, 64);
        let proposals = ["zzz", "orlzz", "", "llo", "b"].map(bytes).to_vec();
        let all = vec![
            Request::new("drafted", bytes("?"), Some(40), Drafting { proposals, fed: 0 }),
            Request::new("plain", bytes("?"), Some(40), Unconstrained),
        ];
        let (all, _) = collect(&mut model, &settings(slots, &[], Sampling::greedy()), all);
        let (drafted, plain) = (all[&0].as_ref().unwrap(), all[&1].as_ref().unwrap());
        assert_eq!(drafted.text, "hello world, hello all");
        assert_eq!(plain.text, drafted.text);
        let confirmed = drafted
            .tokens
            .iter()
            .filter(|record| record.chosen == Chosen::Drafted)
            .count();
        assert_eq!(confirmed, "llo".len() + "orl".len());
    }
}

#[test]
fn a_strategy_that_oversteps_is_stopped() {
    struct Greedy(usize, usize);
    impl Strategy for Greedy {
        fn name(&self) -> &'static str {
            "greedy"
        }
        fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
            let record = TokenRecord::new(step.choose(None)?, Chosen::Forced);
            Ok(Move {
                withdraw: self.1,
                append: vec![record; self.0],
                ended: false,
                select: Select::Last,
            })
        }
    }
    let mut model = MockModel::uniform(64);
    let all = [(0, 0), (6, 0), (1, 1)].map(|(a, w)| Request::new("d", bytes("p"), Some(5), Greedy(a, w)));
    let (all, _) = collect(&mut model, &settings(2, &[], Sampling::greedy()), all.into());
    let is = |index: usize, check: fn(&StepError) -> bool| match &all[&index] {
        Err(RequestError::Step { source, .. }) => check(source),
        _ => false,
    };
    assert!(is(0, |e| matches!(
        e,
        StepError::Append {
            append: 0,
            remaining: 5
        }
    )));
    assert!(is(1, |e| matches!(
        e,
        StepError::Append {
            append: 6,
            remaining: 5
        }
    )));
    assert!(is(2, |e| matches!(
        e,
        StepError::Withdraw {
            withdraw: 1,
            appended: 0
        }
    )));
}
