//! Decoding by device, batch, context and type: prefill, single steps, and what masks add to the loop.
//!
//! ```text
//! cargo bench -p gramask-benches --bench decode -- --batch 1,8 --context 64
//! cargo bench -p gramask-benches --features cuda --bench decode -- --device cuda:0 --model seeded-0.5b --batch 1,64,256
//! ```
//!
//! | option | what it is |
//! |---|---|
//! | `--device` | `flex`, `wgpu:N`, `cuda:N` |
//! | `--model` | `smollm2` where it has been pulled, a path, or a shape with made-up weights: `seeded-135m`, `seeded-0.5b`, `seeded-small` |
//! | `--weights` | `f32`, `f16`, `bf16`, `q8_0`, `q4_1` or `file`, with commas between |
//! | `--dtype` | `f32`, `f16` or `bf16`: what activations and the cache are in, with commas between |
//! | `--batch`, `--context` | sequences at once, and tokens before the first step, with commas between |
//! | `--steps` | steps that are timed |
//! | `--prefill` | at most so many tokens are computed as prompts; the other sequences get copies |
//! | `--loop` | `yes`, or `no`: leave out the loop with and without masks |
//! | `--csv` | also write the rows to this file |
//!
//! A step is what a step of decoding is: one forward pass, and the logits of each sequence on the host. In the loop the same
//! documents are decoded for as many tokens with a mask and without. `mask_us` is the work of masks per token, summed over
//! threads. `to_unconstrained` is what the loop loses by all that a mask costs.
//!
//! `chosen_again` is the share of the masked tokens that were chosen a second time, since the output could not have been finished
//! within its budget after the first choice. A model with made-up weights does not end its output by itself, so that it runs into
//! every budget. There the column is near 1, and the masked loop is the most that masks cost. With a trained model and the
//! budgets of a run it is near 0.
#![allow(clippy::print_stdout, reason = "the rows are its output")]

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use gramask_benches::{Options, SEEDED, Table, Timed, digits, median, model_path};
use gramask_decode::{
    Layout, Masked, Request, Sampling, Settings, Summary, TokenRecord, TransformerModel, Unconstrained, decode,
};
use gramask_grammar::{Constraint, Format, Level, Program};
use gramask_model::cache::Cache;
use gramask_model::device::{DeviceName, list};
use gramask_model::transformer::{Dtype, Precision, Row, Select, WeightChoice};
use gramask_ner::{Schema, Text};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Loops and prefills that are timed, after one that warms up.
const ROUNDS: usize = 3;

/// The document of the masked loop: its copy takes some thirty tokens, during which the mask allows the next piece of
/// text, tags, or, inside a mention, its end.
const DOCUMENT: &str = "After three weeks of treatment with amiodarone, two of the eleven patients developed \
     hypothyroidism; both recovered when the drug was withdrawn.";

fn main() -> Fallible<()> {
    let options = Options::parse(&[
        ("device", "flex"),
        ("model", "smollm2"),
        ("weights", "f16"),
        ("dtype", "f32"),
        ("batch", "1,8"),
        ("context", "64"),
        ("steps", "32"),
        ("prefill", "2048"),
        ("loop", "yes"),
        ("csv", ""),
    ])?;
    let model = options.get("model");
    if model == "smollm2" && model_path().is_none() {
        println!("skipped: SmolLM2-135M-Instruct is not there; pull it, set GRAMASK_MODEL, or take {SEEDED:?}");
        return Ok(());
    }
    let name: DeviceName = options.get("device").parse()?;
    let device = name.open()?;
    let adapter = list().present.into_iter().find(|info| info.device == name);
    let adapter = adapter.map_or(String::new(), |info| info.adapter.name);
    let mut table = Table::new(&[
        "device",
        "adapter",
        "model",
        "weights",
        "dtype",
        "batch",
        "context",
        "what",
        "tokens_per_s",
        "step_ms",
        "mask_us",
        "chosen_again",
        "to_unconstrained",
    ]);
    let dtypes = options.list::<Dtype>("dtype")?;
    let weights = options.list::<WeightChoice>("weights")?;
    let precisions = weights.iter().flat_map(|weights| dtypes.iter().map(|dtype| (*weights, *dtype)));
    for (weights, dtype) in precisions {
        let timed = Timed::load(model, &device, Precision::from(weights).with_dtype(dtype))?;
        for context in options.list::<usize>("context")? {
            for batch in options.list::<usize>("batch")? {
                let mut add = |what: &str, fields: [String; 5]| {
                    let mut row = vec![name.to_string(), adapter.clone(), timed.name.clone(), weights.to_string()];
                    row.extend([dtype.to_string(), batch.to_string(), context.to_string(), what.to_owned()]);
                    row.extend(fields);
                    println!("{}", table.add(&row));
                };
                let run = Run { timed: &timed, batch, context, on_cpu: name == DeviceName::Flex };
                let (prefill, step) = run.passes(options.number("prefill")?, options.number("steps")?)?;
                let none = String::new;
                add("prefill", [digits(prefill), none(), none(), none(), none()]);
                add("decode", [digits(batch as f64 / step), digits(1e3 * step), none(), none(), none()]);
                if options.get("loop") == "yes" {
                    run.loops(&mut add)?;
                }
                table.write(options.get("csv"))?;
            }
        }
    }
    Ok(())
}

/// One size of batch and context.
struct Run<'a> {
    timed: &'a Timed,
    batch: usize,
    context: usize,
    on_cpu: bool,
}

impl Run<'_> {
    /// Tokens per second of prompts, and seconds per step after them.
    fn passes(&self, most: usize, steps: usize) -> Fallible<(f64, f64)> {
        let Run { batch, context, .. } = *self;
        let model = &self.timed.model;
        let prompt = self.timed.prompt(context + steps + 1);
        let mut cache = model.cache(batch, context + steps + 1)?;
        let pass = |cache: &mut Cache, rows: &[Row<'_>]| -> Fallible<f64> {
            let clock = Instant::now();
            let logits = model.forward(cache, rows, Select::Last)?.try_into_data()?;
            std::hint::black_box(logits);
            Ok(clock.elapsed().as_secs_f64())
        };
        let computed = (most / context.max(1)).clamp(1, batch);
        let tokens = &prompt[..context];
        let rows: Vec<Row<'_>> = (0..computed).map(|slot| Row { slot, tokens }).collect();
        let mut prefills = Vec::new();
        for _ in 0..=ROUNDS {
            (0..computed).try_for_each(|slot| cache.clear(slot))?;
            prefills.push(pass(&mut cache, &rows)?);
        }
        for slot in computed..batch {
            cache.copy(slot % computed, slot, context)?;
        }
        let mut seconds = Vec::new();
        for round in 0..=1 {
            (0..batch).try_for_each(|slot| cache.truncate(slot, context))?;
            for step in 0..steps {
                let tokens = &prompt[context + step..=context + step];
                let rows: Vec<Row<'_>> = (0..batch).map(|slot| Row { slot, tokens }).collect();
                let spent = pass(&mut cache, &rows)?;
                // The first time all that is compiled is compiled.
                if round > 0 {
                    seconds.push(spent);
                }
            }
        }
        let prefill = median(&mut prefills[1..]);
        Ok(((computed * context) as f64 / prefill, median(&mut seconds)))
    }

    /// One token per sequence through the whole loop, masked and not, for as many tokens.
    fn loops(&self, add: &mut impl FnMut(&str, [String; 5])) -> Fallible<()> {
        let program = Program::compile(&Format::named("inline-xml")?, &Schema::new(["Chemical", "Disease"]))?;
        // The first run shows how many tokens the masked output has; the other strategy gets that as its budget.
        let (first, again) = self.decode(&program, None)?;
        let budget = first.output_tokens / self.batch;
        let (mut plain, mut masked, mut masks) = (Vec::new(), Vec::new(), Vec::new());
        let rate = |summary: &Summary| summary.output_tokens as f64 / (summary.decode + summary.choose).as_secs_f64();
        self.decode(&program, Some(budget))?;
        for _ in 0..ROUNDS {
            plain.push(rate(&self.decode(&program, Some(budget))?.0));
            let (summary, _) = self.decode(&program, None)?;
            masked.push(rate(&summary));
            masks.push(1e6 * summary.mask.as_secs_f64() / summary.output_tokens as f64);
        }
        let (plain, masked) = (median(&mut plain), median(&mut masked));
        let step = |rate: f64| digits(1e3 * self.batch as f64 / rate);
        let again = digits(again as f64 / first.output_tokens as f64);
        let none = String::new;
        add("unconstrained", [digits(plain), step(plain), none(), none(), none()]);
        add("masked", [digits(masked), step(masked), digits(median(&mut masks)), again, digits(masked / plain)]);
        Ok(())
    }

    /// The same request `batch` times, so that all end together: masked, or with a budget and no mask. Also returns how many
    /// tokens were chosen again because of the budget.
    fn decode(&self, program: &Arc<Program>, unconstrained: Option<usize>) -> Fallible<(Summary, usize)> {
        let Timed { model, vocabulary, .. } = self.timed;
        let (prompt, text) = (self.timed.prompt(self.context), Text::new(DOCUMENT));
        let allowance = 48;
        let mut longest = 0;
        let requests = (0..self.batch)
            .map(|number| {
                let (id, prompt) = (number.to_string(), prompt.clone());
                let mut constraint = Constraint::new(program.clone(), &text, Level::Grounded, vocabulary.clone())?;
                let start = constraint.start();
                let budget = unconstrained.unwrap_or(allowance.max(constraint.tokens_to_finish(start) + 8));
                longest = longest.max(budget);
                Ok(match unconstrained {
                    Some(_) => Request::new(id, prompt, Some(budget), Unconstrained),
                    None => Request::new(id, prompt, Some(budget), Masked::new(constraint)),
                })
            })
            .collect::<Fallible<Vec<_>>>()?;
        let layout = Layout { slots: self.batch, hypotheses: 1, length: prompt.len() + longest, prefix: Vec::new() };
        let mut settings = Settings::new(layout, Sampling::greedy());
        settings.overlap = !self.on_cpu;
        let (mut failed, mut again) = (None, 0);
        let summary = decode(&mut TransformerModel::new(model), vocabulary, &settings, requests, |ended| {
            match ended.outcome {
                Ok(output) => {
                    let masks = output.tokens.iter().filter_map(TokenRecord::mask);
                    again += masks.filter(|mask| mask.budget.is_some()).count();
                }
                Err(error) => failed = failed.take().or(Some(error)),
            }
            ControlFlow::Continue(())
        })?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok((summary, again)),
        }
    }
}
