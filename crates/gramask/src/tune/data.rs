//! From documents to examples, and from examples to steps.

use std::sync::Arc;

use gramask_decode::{SharedTokenizer, vocabulary_of};
use gramask_grammar::{Format, Program};
use gramask_model::checkpoint::Checkpoint;
use gramask_model::tuning::{Pack, Sequence};
use gramask_random::Rng;

use super::error::TuneError;
use super::file::{Mix, Training, Tuning};
use crate::plan::PlannedCorpus;
use crate::runner::Prompts;

/// A document's prompt and output in one format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The prompt's tokens, as `gramask run` makes them without examples.
    pub prompt: Vec<u32>,
    /// The output's tokens with the end token.
    pub output: Vec<u32>,
}

/// All examples of a training.
#[derive(Clone, Debug)]
pub struct Data {
    /// For each format, and in it for each document, its example; none for one that is too long or cannot be written.
    pub examples: Vec<Vec<Option<Example>>>,
    /// Examples that were left out because they are too long.
    pub too_long: usize,
    /// Documents that a format cannot write.
    pub unwritable: usize,
    /// Entities that a format cannot say, so that they are in no output.
    pub unexpressed: usize,
}

impl Data {
    /// Writes every document in every format.
    ///
    /// # Errors
    /// When a format does not go with the labels or has a pass for each label, or no prompt can be made, or nothing is left.
    pub fn new(
        tuning: &Tuning,
        checkpoint: &Checkpoint,
        prompts: &Prompts,
        corpora: &[PlannedCorpus],
        formats: &[Format],
    ) -> Result<Data, TuneError> {
        let tokenizer: Arc<SharedTokenizer> = Arc::new(checkpoint.tokenizer.clone());
        let vocabulary = vocabulary_of(&checkpoint.tokenizer)?;
        // `vocabulary_of` made sure that there is one.
        let end = vocabulary.ends().first().copied().unwrap_or_default();
        let mut data = Data { examples: vec![Vec::new(); formats.len()], too_long: 0, unwritable: 0, unexpressed: 0 };
        for (format, examples) in formats.iter().zip(&mut data.examples) {
            if format.grammar.directives.pass_label {
                return Err(TuneError::Passes { format: format.name.clone() });
            }
            for corpus in corpora {
                let program = Program::compile(format, &corpus.schema)
                    .map_err(|source| TuneError::Compile { format: format.name.clone(), source: Box::new(source) })?;
                let prompter = prompts.prompter(&program, &[], None)?;
                for document in &corpus.documents {
                    let Ok(written) = program.write(&document.text, &document.entities) else {
                        data.unwritable += 1;
                        examples.push(None);
                        continue;
                    };
                    data.unexpressed += written.unexpressed.len();
                    let prompt = prompter.build(document.text.as_str())?.tokens;
                    let mut output = tokenizer.encode(&written.text, false);
                    output.push(end);
                    let fits = prompt.len() + output.len() <= tuning.training.longest;
                    data.too_long += usize::from(!fits);
                    examples.push(fits.then_some(Example { prompt, output }));
                }
            }
        }
        match data.examples.iter().flatten().any(Option::is_some) {
            true => Ok(data),
            false => Err(TuneError::NoExample { longest: tuning.training.longest }),
        }
    }

    /// The steps of all epochs: each is a list of groups, and a group a list of examples of one format.
    pub fn steps(&self, training: &Training) -> Vec<Vec<Vec<&Example>>> {
        let mut steps = Vec::new();
        for epoch in 0..training.epochs {
            let groups = self.groups(training, epoch);
            let per_step = (training.batch / training.group).max(1);
            steps.extend(groups.chunks(per_step).map(<[_]>::to_vec));
        }
        steps.truncate(training.steps.unwrap_or(usize::MAX));
        steps
    }

    /// An epoch's groups, in the order in which they are learnt.
    fn groups(&self, training: &Training, epoch: usize) -> Vec<Vec<&Example>> {
        let mut random = Rng::at(&[training.seed, epoch as u64, 0xDA7A]);
        let documents = self.examples.first().map_or(0, Vec::len);
        let mut by_format: Vec<Vec<&Example>> = vec![Vec::new(); self.examples.len()];
        for document in 0..documents {
            let drawn = random.below(self.examples.len());
            for (format, examples) in self.examples.iter().enumerate() {
                if training.mix == Mix::All || format == drawn {
                    by_format[format].extend(examples[document].as_ref());
                }
            }
        }
        let mut groups = Vec::new();
        for mut examples in by_format {
            random.shuffle(&mut examples);
            groups.extend(examples.chunks(training.group.min(training.batch)).map(<[_]>::to_vec));
        }
        random.shuffle(&mut groups);
        groups
    }
}

/// A group as packs of at most so many tokens; an example that has more is a pack of its own.
///
/// # Errors
/// None that [`Data::new`] would have let pass.
pub fn packs(group: &[&Example], most: usize) -> Result<Vec<Pack>, TuneError> {
    let mut packs = Vec::new();
    let mut held: Vec<Sequence<'_>> = Vec::new();
    let mut last = None;
    for example in group {
        held.push(Sequence { prompt: &example.prompt, output: &example.output });
        let pack = Pack::new(&held)?;
        match last.take() {
            Some(before) if pack.len() > most => {
                packs.push(before);
                held.drain(..held.len() - 1);
                last = Some(Pack::new(&held)?);
            }
            _ => last = Some(pack),
        }
    }
    packs.extend(last);
    Ok(packs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(formats: usize, documents: usize) -> Data {
        let example = |format: usize, document: usize| Example {
            prompt: vec![1, 2, format as u32, document as u32],
            output: vec![document as u32, 0],
        };
        let examples = (0..formats).map(|f| (0..documents).map(|d| Some(example(f, d))).collect());
        Data { examples: examples.collect(), too_long: 0, unwritable: 0, unexpressed: 0 }
    }

    fn training() -> Training {
        Training { batch: 4, group: 2, epochs: 2, ..Training::default() }
    }

    #[test]
    fn each_document_is_seen_once_an_epoch_or_in_every_format() {
        let data = data(3, 20);
        let seen = |training: &Training| {
            let steps = data.steps(training);
            let groups = steps.into_iter().flatten();
            let of_one = |group: &Vec<&Example>| group.iter().all(|e| e.prompt[2] == group[0].prompt[2]);
            let mut examples = Vec::new();
            for group in groups {
                assert!(of_one(&group) && group.len() <= 2, "a group has one format");
                examples.extend(group.iter().map(|example| (example.prompt[3], example.prompt[2])));
            }
            examples.sort();
            examples
        };
        let one = seen(&training());
        assert_eq!(one.len(), 2 * 20);
        assert!((0..20).all(|d| one.iter().filter(|(document, _)| *document == d).count() == 2));
        let all = seen(&Training { mix: Mix::All, epochs: 1, ..training() });
        assert_eq!(all, (0..20).flat_map(|d| (0..3).map(move |f| (d, f))).collect::<Vec<_>>());
    }

    #[test]
    fn the_order_is_the_seeds() {
        let data = data(2, 30);
        let steps = |seed| format!("{:?}", data.steps(&Training { seed, ..training() }));
        assert_eq!(steps(1), steps(1));
        assert_ne!(steps(1), steps(2));
        let two = Training { epochs: 2, ..training() };
        let (steps, one) = (data.steps(&two), data.steps(&Training { epochs: 1, ..training() }));
        assert_eq!(steps[..one.len()], one[..], "more epochs leave the first as it was");
        assert_ne!(steps[one.len()..], one[..]);
        assert_eq!(data.steps(&Training { steps: Some(3), ..two }).len(), 3);
    }

    #[test]
    fn packs_hold_at_most_so_many_tokens() {
        let data = data(1, 5);
        let group: Vec<&Example> = data.examples[0].iter().flatten().collect();
        // Three tokens in common, and two of each example.
        let of = |most| packs(&group, most).unwrap().iter().map(Pack::len).collect::<Vec<_>>();
        assert_eq!(of(100), [13]);
        assert_eq!(of(7), [7, 7, 5]);
        assert_eq!(of(1), [5; 5]);
    }
}
