//! What the command line changes in a tuning file.

use std::path::PathBuf;

use super::error::TuneError;
use super::file::{Mix, Tuning, each_once};
use crate::experiment::{CorpusChoice, RUN_NAMES, TemplateVariables, is_run_name};

/// Changes to a tuning; what is `None` stays as the file has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Another name.
    pub name: Option<String>,
    /// Another device.
    pub device: Option<String>,
    /// Another model to start from.
    pub model: Option<String>,
    /// An adapter to go on from.
    pub adapter: Option<PathBuf>,
    /// These variables of the chat template, in addition to those that the file sets or in place of them.
    pub template: TemplateVariables,
    /// These formats in place of the file's.
    pub formats: Option<Vec<String>>,
    /// One corpus in place of the file's: a name or a path. Its split and its unit are those of the file's first corpus.
    pub corpus: Option<String>,
    /// Which formats a document is seen in.
    pub mix: Option<Mix>,
    /// Examples of one format that are computed together.
    pub group: Option<usize>,
    /// How often each document is seen.
    pub epochs: Option<usize>,
    /// Another seed.
    pub seed: Option<u64>,
}

impl Tuning {
    /// The tuning with these changes.
    ///
    /// # Errors
    /// [`TuneError::Override`] for a change that makes no sense.
    pub fn with(mut self, overrides: Overrides) -> Result<Tuning, TuneError> {
        let Overrides { name, device, model, adapter, template, formats, corpus, mix, group, epochs, seed } = overrides;
        if let Some(name) = name {
            if !is_run_name(&name) {
                return Err(wrong("--name", name, RUN_NAMES));
            }
            self.name = name;
        }
        self.device = device.unwrap_or(self.device);
        self.model = model.unwrap_or(self.model);
        if adapter.is_some() {
            self.adapter = adapter;
            self.folders.models = PathBuf::new();
        }
        self.template.extend(template);
        if let Some(formats) = formats {
            if !each_once(&formats) {
                return Err(wrong("--formats", formats.join(","), "one format at least, and each once"));
            }
            self.formats = formats;
            self.folders.formats = PathBuf::new();
        }
        if let (Some(corpus), Some(first)) = (corpus, self.corpora.first().cloned()) {
            // A path on the command line is relative to the current folder, and is read without the options of another file.
            let choice = match corpus.contains(['/', '\\', '.']) {
                true => CorpusChoice::at(&corpus, first.split),
                false => CorpusChoice::named(&corpus, first.split),
            };
            let CorpusChoice { unit, skip, limit, on_problem, .. } = first;
            self.corpora = vec![CorpusChoice { unit, skip, limit, on_problem, ..choice }];
        }
        self.training.mix = mix.unwrap_or(self.training.mix);
        for (what, number, place) in
            [("--group", group, &mut self.training.group), ("--epochs", epochs, &mut self.training.epochs)]
        {
            match number {
                Some(0) => return Err(wrong(what, "0".into(), "at least 1")),
                Some(number) => *place = number,
                None => {}
            }
        }
        self.training.seed = seed.unwrap_or(self.training.seed);
        Ok(self)
    }
}

fn wrong(option: &'static str, given: String, right: &'static str) -> TuneError {
    TuneError::Override { option, given, right }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FILE: &str =
        "model = \"m\"\nformats = [\"lines\"]\n[[corpora]]\nname = \"bc5cdr\"\nsplit = \"dev\"\nlimit = 9\n";

    fn changed(overrides: Overrides) -> Result<Tuning, TuneError> {
        Tuning::parse(Path::new("tune.toml"), FILE).unwrap().with(overrides)
    }

    #[test]
    fn changes_replace_what_the_file_has() {
        let formats = Some(vec!["tuples".into(), "json-list".into()]);
        let overrides = Overrides {
            name: Some("both".into()),
            formats: formats.clone(),
            corpus: Some("ncbi-disease".into()),
            mix: Some(Mix::All),
            epochs: Some(3),
            seed: Some(7),
            ..Overrides::default()
        };
        let tuning = changed(overrides).unwrap();
        assert_eq!((&*tuning.name, Some(&tuning.formats)), ("both", formats.as_ref()));
        let corpus = &tuning.corpora[0];
        assert_eq!((&*corpus.name, &corpus.path, &*corpus.split), ("ncbi-disease", &None, "dev"));
        assert_eq!((tuning.training.mix, tuning.training.epochs, tuning.training.seed), (Mix::All, 3, 7));
        let path = changed(Overrides { corpus: Some("a/b.{split}.conll".into()), ..Overrides::default() }).unwrap();
        assert_eq!(path.corpora[0].path, Some("a/b.{split}.conll".into()));
        assert_eq!(changed(Overrides::default()).unwrap(), Tuning::parse(Path::new("tune.toml"), FILE).unwrap());
    }

    #[test]
    fn changes_without_sense_are_refused() {
        let error = |overrides| changed(overrides).unwrap_err().to_string();
        let twice = Some(vec!["lines".into(), "lines".into()]);
        assert!(error(Overrides { formats: twice, ..Overrides::default() }).contains("each once"));
        assert!(error(Overrides { epochs: Some(0), ..Overrides::default() }).contains("at least 1"));
        assert!(error(Overrides { name: Some("a/b".into()), ..Overrides::default() }).contains("letters"));
    }
}
