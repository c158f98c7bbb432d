//! The built-in formats under masked decoding of a model that wants nonsense: every output reads, at every budget.

use std::ops::ControlFlow;

use crate::support::formats::{Case, cases, tokens};
use gramask_decode::mock::MockModel;
use gramask_decode::{Layout, Masked, Request, RequestError, Sampling, Settings, Unconstrained, decode};
use gramask_grammar::Level;

#[test]
fn every_masked_output_reads_at_every_budget() {
    let cases = cases();
    assert!(cases.len() >= 24 * 10);
    let samplings = [
        Sampling::greedy(),
        Sampling::at(1.0, 1),
        Sampling { top_k: 3, ..Sampling::at(2.0, 2) },
        Sampling { top_p: 0.9, min_p: 0.05, ..Sampling::at(1.0, 3) },
    ];
    // Every document under every sampling, the budgets in turn.
    for (number, sampling) in samplings.into_iter().enumerate() {
        let mut model = MockModel::hashed(tokens(), 2048);
        let prompt: Vec<u32> = b"decode: ".iter().map(|&byte| u32::from(byte)).collect();
        let of = |(i, case): (usize, &Case)| (i, case.least() + [0, 1, 7, 40][(i + i / 4 + number) % 4]);
        let requests: Vec<(usize, usize)> = cases.iter().enumerate().map(of).collect();
        let settings =
            Settings::new(Layout { slots: 6, hypotheses: 1, length: 1024, prefix: prompt.clone() }, sampling);
        let mut read = 0;
        let make = requests.iter().map(|&(i, budget)| {
            let id = format!("{} {number} {budget}", cases[i].id);
            Request::new(id, prompt.clone(), Some(budget), Masked::new(cases[i].constraint()))
        });
        let vocabulary = tokens();
        decode(&mut model, &vocabulary, &settings, make, |ended| {
            let (case, budget) = (&cases[requests[ended.index].0], requests[ended.index].1);
            let output = ended.outcome.unwrap_or_else(|error| panic!("{error}"));
            assert!(output.finish.is_complete(), "{}", ended.id);
            assert!(output.tokens.len() <= budget && !output.lossy, "{}", ended.id);
            let reading = case.program.read(&case.text, output.text.as_bytes());
            let reading = reading.unwrap_or_else(|error| panic!("{}: {error}\n{}", ended.id, output.text));
            if case.level == Level::Grounded {
                assert!(reading.problems.is_empty(), "{}: {:?}\n{}", ended.id, reading.problems, output.text);
            }
            read += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(read, requests.len());
    }
}

#[test]
fn below_the_shortest_output_there_is_an_error_first() {
    let cases = cases();
    let mut model = MockModel::hashed(tokens(), 2048);
    let settings = Settings::new(Layout { slots: 4, hypotheses: 1, length: 1024, prefix: vec![] }, Sampling::greedy());
    // A format that can write nothing at all needs the end token only, and a budget of 0 is another error.
    let make: Vec<&Case> = cases.iter().filter(|case| case.least() > 1).collect();
    assert!(make.len() > 40);
    let least: Vec<usize> = make.iter().map(|case| case.least()).collect();
    let requests = make.iter().zip(&least);
    let requests =
        requests.map(|(c, least)| Request::new(&c.id, vec![65], Some(least - 1), Masked::new(c.constraint())));
    let summary = decode(&mut model, &tokens(), &settings, requests, |ended| {
        let wanted = least[ended.index];
        match ended.outcome {
            Err(RequestError::BudgetTooSmall { budget, needed, .. }) => {
                assert_eq!((budget, needed), (wanted - 1, wanted))
            }
            other => panic!("{}: {other:?}", ended.id),
        }
        ControlFlow::Continue(())
    });
    assert_eq!(summary.unwrap().errors, make.len());
    assert_eq!(model.appended, 0, "nothing is computed for a request that cannot be");
}

/// The same model without masks writes what no format reads: the test above does not pass by itself.
#[test]
fn unconstrained_outputs_of_the_same_model_do_not_read() {
    let cases = cases();
    let mut model = MockModel::hashed(tokens(), 2048);
    let settings =
        Settings::new(Layout { slots: 4, hypotheses: 1, length: 1024, prefix: vec![] }, Sampling::at(1.0, 1));
    let requests = cases.iter().map(|case| Request::new(&case.id, vec![65], Some(30), Unconstrained));
    let mut unread = 0;
    decode(&mut model, &tokens(), &settings, requests, |ended| {
        let (case, output) = (&cases[ended.index], ended.outcome.unwrap());
        unread += usize::from(case.program.read(&case.text, output.text.as_bytes()).is_err());
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(unread > cases.len() * 9 / 10, "{unread} of {}", cases.len());
}
