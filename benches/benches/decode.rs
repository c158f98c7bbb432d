//! Decoding on the CPU with the real model: prefill, single steps, and what masks add to a step of the loop.
//!
//! `cargo bench -p gramask-benches --bench decode`. The model is SmolLM2-135M-Instruct at `$GRAMASK_MODEL`, else where
//! `gramask pull smollm2-135m-instruct` puts it; without it a line says so and nothing is timed.
#![allow(missing_docs, reason = "criterion's macros write public functions")]
#![allow(clippy::print_stdout, reason = "what criterion can't report is printed")]

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use gramask_benches::{model_path, prompt};
use gramask_decode::{
    Layout, Masked, Request, Sampling, Settings, Summary, TokenTable, TransformerModel, Unconstrained, decode,
};
use gramask_grammar::{Constraint, Format, Level, Program, Vocabulary};
use gramask_model::cache::Cache;
use gramask_model::checkpoint::Checkpoint;
use gramask_model::device::DeviceName;
use gramask_model::transformer::{Row, Select, Transformer, WeightType};
use gramask_ner::{Schema, Text};

const BATCHES: [usize; 3] = [1, 8, 16];

/// The document of the masked loop: its copy takes some thirty tokens, during which the mask allows the next piece of
/// text, tags, or, inside a mention, its end.
const DOCUMENT: &str = "After three weeks of treatment with amiodarone, two of the eleven patients developed \
     hypothyroidism; both recovered when the drug was withdrawn.";

fn main() -> Result<(), Box<dyn Error>> {
    let Some(path) = model_path() else {
        println!("skipped: SmolLM2-135M-Instruct is not there; pull it or set GRAMASK_MODEL");
        return Ok(());
    };
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let checkpoint = Checkpoint::open(&path)?;
    let device = DeviceName::Flex.open()?;
    for weights in [WeightType::F32, WeightType::F16] {
        let model = Transformer::load(&checkpoint, &device, weights)?;
        prefills(&mut criterion, &model)?;
        steps(&mut criterion, &model)?;
        if weights == WeightType::F16 {
            loops(&mut criterion, &model, &TokenTable::of(&checkpoint.tokenizer)?)?;
        }
    }
    criterion.final_summary();
    Ok(())
}

/// One pass over `rows`, and its logits brought to the host as decoding does.
fn pass(model: &Transformer, cache: &mut Cache, rows: &[Row<'_>]) -> Result<usize, Box<dyn Error>> {
    let logits = model.forward(cache, rows, Select::Last)?.try_into_data()?;
    Ok(logits.num_elements())
}

/// The 64-token prompt, once per sequence.
fn prefills(criterion: &mut Criterion, model: &Transformer) -> Result<(), Box<dyn Error>> {
    let prompt = prompt();
    let mut group = criterion.benchmark_group(format!("prefill/{}", model.weights()));
    for batch in [1, 8] {
        let mut cache = Cache::new(model.config(), batch, prompt.len(), model.device())?;
        let rows: Vec<_> = (0..batch).map(|slot| Row { slot, tokens: &prompt }).collect();
        pass(model, &mut cache, &rows)?; // what can fail fails here
        group.throughput(Throughput::Elements((batch * prompt.len()) as u64));
        group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
            bencher.iter(|| {
                for slot in 0..batch {
                    cache.clear(slot).expect("the slot exists");
                }
                pass(model, &mut cache, &rows).expect("the rows fit, as they did before")
            });
        });
    }
    group.finish();
    Ok(())
}

/// One token per sequence behind a context of 64.
fn steps(criterion: &mut Criterion, model: &Transformer) -> Result<(), Box<dyn Error>> {
    let prompt = prompt();
    let mut group = criterion.benchmark_group(format!("step/{}", model.weights()));
    for batch in BATCHES {
        let mut cache = Cache::new(model.config(), batch, prompt.len() + 1, model.device())?;
        let prompts: Vec<_> = (0..batch).map(|slot| Row { slot, tokens: &prompt }).collect();
        pass(model, &mut cache, &prompts)?;
        let rows: Vec<_> = (0..batch)
            .map(|slot| Row {
                slot,
                tokens: &prompt[slot..=slot],
            })
            .collect();
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
            bencher.iter(|| {
                for slot in 0..batch {
                    cache.truncate(slot, prompt.len()).expect("the slot holds the prompt");
                }
                pass(model, &mut cache, &rows).expect("there is room for one token")
            });
        });
    }
    group.finish();
    Ok(())
}

/// One token per sequence through the whole loop, masked and not, for as many tokens.
fn loops(criterion: &mut Criterion, model: &Transformer, table: &TokenTable) -> Result<(), Box<dyn Error>> {
    let masks = Masks::new(table)?;
    let mut group = criterion.benchmark_group(format!("loop/{}", model.weights()));
    group.sampling_mode(SamplingMode::Flat);
    for batch in [1, 8] {
        // The first run shows how many tokens the masked output has; the other strategy gets that as its budget.
        let first = masks.decode(model, table, batch, None)?;
        let budget = first.output_tokens / batch;
        let mut shares = Vec::new();
        for (name, limit) in [("unconstrained", Some(budget)), ("masked", None)] {
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::new(name, batch), |bencher| {
                bencher.iter_custom(|wanted| {
                    let (mut timed, mut spent) = (0, Duration::ZERO);
                    while timed < wanted {
                        let summary = masks.decode(model, table, batch, limit).expect("it ran before");
                        let steps = (summary.output_tokens / batch) as u64;
                        timed += steps;
                        spent += summary.decode + summary.choose;
                        shares.push((name, summary.mask.as_secs_f64() / summary.output_tokens as f64));
                    }
                    spent.mul_f64(wanted as f64 / timed as f64)
                });
            });
        }
        let masked = shares
            .iter()
            .filter(|(name, _)| *name == "masked")
            .map(|(_, mask)| *mask);
        println!(
            "{budget} tokens a document; mask work per token at batch {batch}: {:.2} us",
            1e6 * gramask_benches::median(&mut masked.collect::<Vec<_>>())
        );
    }
    group.finish();
    Ok(())
}

/// What constraints are made of.
struct Masks {
    program: Arc<Program>,
    vocabulary: Arc<Vocabulary>,
    text: Text,
}

impl Masks {
    fn new(table: &TokenTable) -> Result<Self, Box<dyn Error>> {
        let schema = Schema::new(["Chemical", "Disease"]);
        Ok(Masks {
            program: Program::compile(&Format::named("inline-xml")?, &schema)?,
            vocabulary: table.vocabulary()?,
            text: Text::new(DOCUMENT),
        })
    }

    /// The same request `batch` times, so that all end together: masked, or with a budget and no mask.
    fn decode(
        &self,
        model: &Transformer,
        table: &TokenTable,
        batch: usize,
        unconstrained: Option<usize>,
    ) -> Result<Summary, Box<dyn Error>> {
        let prompt = prompt();
        let length = prompt.len() + 48;
        let layout = Layout {
            slots: batch,
            lanes: 1,
            length,
            prefix: Vec::new(),
        };
        let requests = (0..batch)
            .map(|number| {
                let (id, prompt) = (number.to_string(), prompt.clone());
                Ok(match unconstrained {
                    Some(budget) => Request::new(id, prompt, Some(budget), Unconstrained),
                    None => {
                        let (program, vocabulary) = (Arc::clone(&self.program), Arc::clone(&self.vocabulary));
                        let constraint = Constraint::new(program, &self.text, Level::Grounded, vocabulary)?;
                        Request::new(id, prompt, Some(48), Masked::new(constraint))
                    }
                })
            })
            .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        let settings = Settings::new(layout, Sampling::greedy());
        let mut failed = None;
        let summary = decode(&mut TransformerModel::new(model), table, &settings, requests, |ended| {
            failed = failed.take().or(ended.outcome.err());
            ControlFlow::Continue(())
        })?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(summary),
        }
    }
}
