//! Models and vocabularies by name, pulled where they are missing.

use crate::cli::CliError;
use crate::cli::shared::bars;
use crate::experiment::Experiment;
use crate::plan::Placement;
use crate::pull::{BYTES, Cache, Model, NamedVocabulary};
use crate::runner::{Engine, RunError};

/// The model whose vocabulary is the default, if it is in the cache.
const USUAL: &str = "smollm2-135m-instruct";

/// Finds a model, and downloads it with a progress bar if it is missing.
pub fn resolve(name: &str, cache: &Cache) -> Result<Model, CliError> {
    if let Some(model) = Model::find(name, cache)? {
        return Ok(model);
    }
    let bar = bars::bytes();
    let model = Model::resolve(name, cache, &bar);
    bar.finish_and_clear();
    Ok(model?)
}

/// A model of an experiment, by its name in the cells; pulled where it is missing.
pub fn resolve_model(experiment: &Experiment, called: &str, cache: &Cache) -> Result<Model, CliError> {
    let (model, adapter) = experiment.model(called);
    let model = resolve(&experiment.locate(model), cache)?;
    Ok(match adapter {
        None => Model { name: called.into(), ..model },
        Some(adapter) => model.with_adapter(called, adapter),
    })
}

/// Loads a model onto its device, with a spinner. Unusual properties of its files are notes on standard error.
///
/// # Errors
/// When its files are faulty, or the device cannot take it.
pub fn load_engine(model: &Model, placement: &Placement) -> Result<Engine, RunError> {
    let bar = bars::waiting(&format!("loading {}", model.name));
    let engine = Engine::place(model, placement);
    bar.finish_and_clear();
    for note in engine.iter().flat_map(Engine::notes) {
        anstream::eprintln!("note: model `{}`: {note}", model.name);
    }
    engine
}

/// The vocabulary of this name, pulled where it is missing; without a name, what is here.
pub fn vocabulary(name: Option<&str>, cache: &Cache) -> Result<NamedVocabulary, CliError> {
    let model = match name {
        Some(BYTES) => return Ok(NamedVocabulary::bytes()?),
        Some(name) => resolve(name, cache)?,
        None => match Model::find(USUAL, cache)? {
            Some(model) => model,
            None => return Ok(NamedVocabulary::bytes()?),
        },
    };
    let bar = bars::waiting(&format!("reading the tokens of {}", model.name));
    let vocabulary = NamedVocabulary::open(&model);
    bar.finish_and_clear();
    Ok(vocabulary?)
}
