//! Arguments that several commands take.

use std::path::Path;

use clap::Args;
use gramask_grammar::{Level, UnknownLevel};
use gramask_model::device::{DeviceError, DeviceName, Dtype, MemoryPool, OpenOptions, UnknownDtype, UnknownMemoryPool};
use gramask_ner::Schema;
use gramask_ner::corpus::{Columns, Form};

use crate::cli::CliError;
use crate::experiment::{CorpusChoice, OnProblem, TemplateVariables, parse_variable};
use crate::plan::Placement;

/// Options of a device.
#[derive(Clone, Copy, Debug, Args)]
pub struct ComputeArgs {
    /// Compute in f32, f16 or bf16; `gramask devices` lists what a device has [default: the device's usual type]
    #[arg(long, value_name = "TYPE", value_parser = float_type)]
    pub dtype: Option<Dtype>,
    /// How a GPU allocates memory: `sliced` (large pages, shared by tensors) or `exclusive` (a page per tensor; wgpu only)
    #[arg(long, value_name = "POOL", value_parser = memory_pool)]
    pub memory_pool: Option<MemoryPool>,
    /// Record a decoding step of each batch size once and replay it: one call to a GPU instead of some hundred launches
    #[arg(long)]
    pub record_steps: bool,
}

fn float_type(text: &str) -> Result<Dtype, UnknownDtype> {
    text.parse()
}

fn memory_pool(text: &str) -> Result<MemoryPool, UnknownMemoryPool> {
    text.parse()
}

impl ComputeArgs {
    /// What a device is opened with.
    pub fn options(&self) -> OpenOptions {
        OpenOptions { memory_pool: self.memory_pool, float_type: self.dtype, record_steps: self.record_steps }
    }

    /// On this device. It is opened, to check that it has the float type and the memory pool.
    pub fn placement(&self, device: DeviceName) -> Result<Placement, DeviceError> {
        device.open_with(self.options())?;
        Ok(Placement {
            float_type: self.dtype,
            memory_pool: self.memory_pool,
            record_steps: self.record_steps,
            ..Placement::on(device)
        })
    }
}

/// A whole number, at least 1.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("must be a whole number, at least 1".into()),
    }
}

/// A level of a constraint by its name.
pub fn level(text: &str) -> Result<Level, UnknownLevel> {
    text.parse()
}

/// The schema of these labels.
///
/// # Errors
/// When one is empty.
pub fn schema(labels: &[String]) -> Result<Schema, CliError> {
    match labels.iter().any(|label| label.trim().is_empty()) {
        true => Err(CliError::Labels),
        false => Ok(Schema::new(labels.iter().map(|label| label.trim()))),
    }
}

/// Variables of a chat template.
#[derive(Clone, Debug, Default, Args)]
pub struct TemplateArgs {
    /// Set a variable of the model's chat template, such as enable_thinking=false; give the option once for each variable
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    pub template: Vec<(String, serde_json::Value)>,
}

impl TemplateArgs {
    /// The variables.
    pub fn variables(&self) -> TemplateVariables {
        self.template.iter().cloned().collect()
    }
}

/// How a corpus at a path is read.
#[derive(Clone, Debug, Default, Args)]
pub struct CorpusArgs {
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Leave out what is wrong in a corpus file and go on, in place of stopping at it
    #[arg(long)]
    pub skip_problems: bool,
}

/// What a corpus file is.
#[derive(Clone, Debug, Default, Args)]
pub struct ReadingArgs {
    /// The form of the file at --corpus: pubtator, brat, bionlp, conll, jsonl, bioc-xml or bioc-json [default: told from the file]
    #[arg(long, value_name = "FORM", requires = "corpus")]
    pub form: Option<Form>,
    /// The columns of word and tag in the CoNLL file at --corpus, from 1: word=1,tag=2
    #[arg(long, value_name = "COLUMNS", requires = "corpus")]
    pub columns: Option<Columns>,
    /// New names for labels of the file at --corpus, with commas between: SpecificDisease=Disease
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',', requires = "corpus", value_parser = renaming)]
    pub rename: Vec<(String, String)>,
}

/// `OLD=NEW`.
fn renaming(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.trim().is_empty() && !new.trim().is_empty() => {
            Ok((old.trim().to_string(), new.trim().to_string()))
        }
        _ => Err("must be OLD=NEW, two names of labels".into()),
    }
}

impl CorpusArgs {
    /// A corpus by name or path, sentence by sentence.
    pub fn choice(&self, name: &str, split: &str, limit: Option<usize>) -> CorpusChoice {
        let on_problem = if self.skip_problems { OnProblem::Skip } else { OnProblem::Stop };
        CorpusChoice { limit, on_problem, ..self.reading.choice(name, split) }
    }
}

impl ReadingArgs {
    /// A corpus by name or path, sentence by sentence.
    pub fn choice(&self, name: &str, split: &str) -> CorpusChoice {
        let path = Path::new(name);
        let choice = match path.exists() || name.contains(['/', '\\']) {
            true => CorpusChoice { name: name.to_string(), ..CorpusChoice::at(path, split) },
            false => CorpusChoice::named(name, split),
        };
        CorpusChoice { form: self.form, columns: self.columns, rename: self.rename.iter().cloned().collect(), ..choice }
    }
}
