//! The interface of strategies: moves of several tokens, verification, withdrawal, and moves that cannot be.

use crate::support::{bytes, collect, settings};
use gramask_decode::mock::{MockModel, byte_vocabulary};
use gramask_decode::{
    Chosen, HypothesisMove, Move, Request, RequestError, Sampling, Step, StepError, Strategy, TokenRecord,
    Unconstrained,
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
        let hypothesis = step.hypothesis();
        let rows: Vec<&[f32]> = hypothesis.logits.chunks(step.width).collect();
        let first = hypothesis.tokens.len() - self.fed;
        // Row i stands after appended token i (the first is certain); the tokens after it are drafts.
        let mut choices = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let choice = step.sampler.choose(row, None, step.draw())?;
            let confirmed = hypothesis.tokens.get(first + i + 1).is_some_and(|draft| draft.token == choice.token);
            choices.push(TokenRecord::new(choice, if confirmed { Chosen::Drafted } else { Chosen::Sampled }));
            if !confirmed {
                break;
            }
        }
        let new = choices.pop().unwrap();
        let withdraw = self.fed.saturating_sub(choices.len() + 1);
        let room = step.budget - (hypothesis.tokens.len() - withdraw) - 1;
        let ended = step.is_end(new.token);
        let mut append = vec![new];
        if !ended {
            let proposal = self.proposals.pop().unwrap_or_default();
            append.extend(proposal.into_iter().take(room).map(|token| TokenRecord::unscored(token, Chosen::Drafted)));
        }
        self.fed = append.len();
        let hypothesis = HypothesisMove {
            from: 0,
            confirm: Some((first + usize::from(!choices.is_empty()), choices)),
            withdraw,
            rows: append.len(),
            append,
        };
        Ok(Move::one(hypothesis, ended))
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
        let confirmed = drafted.tokens.iter().filter(|record| record.chosen == Chosen::Drafted).count();
        assert_eq!(confirmed, "llo".len() + "orl".len());
    }
}

#[test]
fn a_strategy_that_oversteps_is_stopped() {
    #[derive(Clone, Copy)]
    struct Oversteps {
        append: usize,
        withdraw: usize,
        rows: usize,
        from: usize,
        hypotheses: usize,
    }
    impl Strategy for Oversteps {
        fn name(&self) -> &'static str {
            "oversteps"
        }
        fn choose(&mut self, mut step: Step<'_>) -> Result<Move, StepError> {
            let record = TokenRecord::new(step.choose()?, Chosen::Forced);
            let mut made = HypothesisMove::append(self.from, vec![record; self.append]);
            (made.withdraw, made.rows) = (self.withdraw, self.rows);
            Ok(Move { hypotheses: vec![made; self.hypotheses], ending: None })
        }
    }
    let fine = Oversteps { append: 1, withdraw: 0, rows: 1, from: 0, hypotheses: 1 };
    let mut model = MockModel::uniform(64);
    type Case = (Oversteps, fn(&StepError) -> bool);
    let cases: [Case; 6] = [
        (Oversteps { append: 6, ..fine }, |e| matches!(e, StepError::Append { append: 6, remaining: 5 })),
        (Oversteps { withdraw: 1, ..fine }, |e| matches!(e, StepError::Withdraw { withdraw: 1, tokens: 0 })),
        (Oversteps { rows: 2, ..fine }, |e| matches!(e, StepError::Rows { rows: 2, append: 1 })),
        (Oversteps { rows: 0, ..fine }, |e| matches!(e, StepError::Rows { rows: 0, append: 1 })),
        (Oversteps { from: 1, ..fine }, |e| matches!(e, StepError::Hypotheses { from: 1, known: 1, .. })),
        (Oversteps { hypotheses: 2, ..fine }, |e| matches!(e, StepError::Hypotheses { hypotheses: 2, most: 1, .. })),
    ];
    for (strategy, is_right) in cases {
        let request = Request::new("d", bytes("p"), Some(5), strategy);
        let (all, _) = collect(&mut model, &settings(2, &[], Sampling::greedy()), vec![request]);
        match &all[&0] {
            Err(RequestError::Step { source, .. }) => assert!(is_right(source), "{source}"),
            other => panic!("{other:?}"),
        }
    }
}

/// The byte of a rank among the 256, the likeliest first.
fn ranked(row: &[f32], rank: usize) -> u32 {
    let mut tokens: Vec<u32> = (0..256).collect();
    tokens.sort_by(|&a, &b| row[b as usize].total_cmp(&row[a as usize]).then(a.cmp(&b)));
    tokens[rank]
}

/// Forks, lets hypotheses change places, rest and take tokens back; from the fifth step on it is greedy.
struct Forking {
    step: usize,
}

impl Strategy for Forking {
    fn name(&self) -> &'static str {
        "forking"
    }

    fn hypotheses(&self) -> usize {
        3
    }

    fn choose(&mut self, step: Step<'_>) -> Result<Move, StepError> {
        let hypothesis = |from: usize, rank: usize| {
            let token = ranked(step.last(from), rank);
            HypothesisMove::append(from, vec![TokenRecord::unscored(token, Chosen::Sampled)])
        };
        self.step += 1;
        let hypotheses = match self.step {
            1 => vec![hypothesis(0, 0), hypothesis(0, 1), hypothesis(0, 2)],
            // Hypothesis 1 is given up, and hypothesis 2 forked into its slot.
            2 => vec![hypothesis(2, 0), hypothesis(0, 0), hypothesis(2, 1)],
            3 => vec![hypothesis(0, 0), HypothesisMove::append(1, Vec::new()), hypothesis(2, 0)],
            // Hypothesis 2 takes back two of its three tokens, and goes on with a token of hypothesis 0's logits.
            4 => vec![HypothesisMove { withdraw: 2, append: hypothesis(0, 5).append, ..hypothesis(2, 0) }],
            _ => vec![hypothesis(0, 0)],
        };
        Ok(Move { hypotheses, ending: None })
    }
}

#[test]
fn hypotheses_fork_change_places_rest_and_take_back() {
    let mut model = MockModel::hashed(byte_vocabulary(&[]), 64);
    let prompts: Vec<Vec<u32>> = ["prompt a", "prompt bb", "pro"].map(bytes).into();
    for (slots, prefix) in [(1, ""), (2, "prompt "), (3, "pr")] {
        let mut settings = settings(slots, &bytes(prefix), Sampling::greedy());
        settings.layout.hypotheses = 3;
        let requests = prompts
            .iter()
            .enumerate()
            .map(|(i, prompt)| Request::new(format!("d{i}"), prompt.clone(), Some(7), Forking { step: 0 }));
        let (all, _) = collect(&mut model, &settings, requests.collect());
        for (i, prompt) in prompts.iter().enumerate() {
            let next = |after: &[u32], rank| ranked(&model.logits(&[prompt, after].concat()), rank);
            let first = next(&[], 2);
            let lane_0 = [first, next(&[first], 0)];
            let lane_0 = [&lane_0[..], &[next(&lane_0, 0)]].concat();
            let mut wanted = vec![first, next(&lane_0, 5)];
            while wanted.len() < 7 {
                wanted.push(next(&wanted, 0));
            }
            let got: Vec<u32> = all[&i].as_ref().unwrap().tokens.iter().map(|record| record.token).collect();
            assert_eq!(got, wanted);
        }
    }
}

#[test]
fn a_layout_with_too_few_hypotheses_is_refused() {
    let request = Request::new("d", bytes("p"), Some(7), Forking { step: 0 });
    let (all, _) = collect(&mut MockModel::uniform(64), &settings(1, &[], Sampling::greedy()), vec![request]);
    let error = all[&0].as_ref().unwrap_err().to_string();
    assert!(error.contains("forking follows 3 hypotheses, but the layout has 1"), "{error}");
}
