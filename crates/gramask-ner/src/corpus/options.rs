//! How a corpus is read.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Schema, did_you_mean, quoted};

/// How a corpus is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Form {
    /// Title, abstract and one line per mention.
    PubTator,
    /// A folder of `.txt` and `.ann` pairs.
    Brat,
    /// A folder of `.txt`, `.a1` and `.a2` files.
    BioNlp,
    /// One word per line, its tag in a column.
    Conll,
    /// A JSON object per line.
    Jsonl,
    /// A BioC collection in XML.
    BiocXml,
    /// A BioC collection in JSON.
    BiocJson,
}

impl Form {
    /// All forms.
    pub const ALL: [Form; 7] =
        [Form::PubTator, Form::Brat, Form::BioNlp, Form::Conll, Form::Jsonl, Form::BiocXml, Form::BiocJson];

    /// The name in experiment files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::PubTator => "pubtator",
            Form::Brat => "brat",
            Form::BioNlp => "bionlp",
            Form::Conll => "conll",
            Form::Jsonl => "jsonl",
            Form::BiocXml => "bioc-xml",
            Form::BiocJson => "bioc-json",
        }
    }

    /// What one document of this form usually is.
    pub(super) fn unit(self) -> Unit {
        if self == Form::Conll { Unit::Sentence } else { Unit::Abstract }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::PubTator => "PubTator",
            Form::Brat => "BRAT standoff",
            Form::BioNlp => "BioNLP standoff",
            Form::Conll => "CoNLL",
            Form::Jsonl => "JSON lines",
            Form::BiocXml => "BioC XML",
            Form::BiocJson => "BioC JSON",
        })
    }
}

/// A name that is the name of no form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown form {}; expected one of {}{}", quoted(.0), Form::ALL.map(Form::as_str).join(", "), did_you_mean(.0, Form::ALL.map(Form::as_str)))]
pub struct UnknownForm(pub String);

impl FromStr for Form {
    type Err = UnknownForm;

    fn from_str(name: &str) -> Result<Self, UnknownForm> {
        Form::ALL.into_iter().find(|form| form.as_str() == name).ok_or_else(|| UnknownForm(name.to_owned()))
    }
}

impl TryFrom<String> for Form {
    type Error = UnknownForm;

    fn try_from(name: String) -> Result<Self, UnknownForm> {
        name.parse()
    }
}

impl From<Form> for String {
    fn from(form: Form) -> String {
        form.as_str().to_owned()
    }
}

/// What one document of a corpus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A text of several sentences, such as a title and an abstract.
    Abstract,
    /// One sentence.
    Sentence,
}

/// The columns of a CoNLL file that hold the word and its tag, counted from 1.
///
/// ```
/// use gramask_ner::corpus::Columns;
/// let columns: Columns = "word=2,tag=3".parse()?;
/// assert_eq!(columns, Columns::new(2, 3)?);
/// assert_eq!("word=2".parse::<Columns>().unwrap_err().to_string(),
///     "columns \"word=2\"; expected word=W,tag=T, where W and T count columns from 1, such as word=1,tag=2");
/// # Ok::<(), gramask_ner::corpus::WrongColumns>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenColumns")]
pub struct Columns {
    word: usize,
    tag: usize,
}

/// Columns as a file states them, before they are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenColumns {
    word: usize,
    tag: usize,
}

impl TryFrom<WrittenColumns> for Columns {
    type Error = WrongColumns;

    fn try_from(written: WrittenColumns) -> Result<Self, WrongColumns> {
        Columns::new(written.word, written.tag)
    }
}

/// Columns that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("columns {0:?}; expected word=W,tag=T, where W and T count columns from 1, such as word=1,tag=2")]
pub struct WrongColumns(pub String);

impl Columns {
    /// The word in one column, the tag in another.
    ///
    /// # Errors
    /// A column 0, and one column for both.
    pub fn new(word: usize, tag: usize) -> Result<Self, WrongColumns> {
        match word > 0 && tag > 0 && word != tag {
            true => Ok(Columns { word, tag }),
            false => Err(WrongColumns(format!("word={word},tag={tag}"))),
        }
    }

    /// The column of the word, from 1.
    pub fn word(self) -> usize {
        self.word
    }

    /// The column of the tag, from 1.
    pub fn tag(self) -> usize {
        self.tag
    }
}

impl FromStr for Columns {
    type Err = WrongColumns;

    fn from_str(text: &str) -> Result<Self, WrongColumns> {
        let wrong = || WrongColumns(text.to_owned());
        let (mut word, mut tag) = (None, None);
        for part in text.split(',') {
            let (name, number) = part.split_once('=').ok_or_else(wrong)?;
            let place = match name.trim() {
                "word" => &mut word,
                "tag" => &mut tag,
                _ => return Err(wrong()),
            };
            if place.replace(number.trim().parse().map_err(|_| wrong())?).is_some() {
                return Err(wrong());
            }
        }
        Columns::new(word.ok_or_else(wrong)?, tag.ok_or_else(wrong)?)
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "word={},tag={}", self.word, self.tag)
    }
}

/// What a reader does at a problem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnProblem {
    /// Stop: the problem is the error.
    #[default]
    Stop,
    /// Go on as the problem's message says. All problems are returned.
    Skip,
}

/// How a corpus is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The form; `None` tells it from the path, then from the first lines.
    pub form: Option<Form>,
    /// The name; `None` takes the file's stem.
    pub name: Option<String>,
    /// What one document is; `None` takes what is usual for the form.
    pub unit: Option<Unit>,
    /// The columns of word and tag, in CoNLL. `None` accepts files whose columns are sure; see `docs/corpora.md`.
    pub columns: Option<Columns>,
    /// New names for labels of the corpus. A label that is not in the map keeps its name.
    pub rename: BTreeMap<String, String>,
    /// The schema, after renaming: fixes the order, and makes any other label a problem. `None` takes the labels that
    /// occur, in alphabetical order.
    pub schema: Option<Schema>,
    /// What to do at a problem.
    pub on_problem: OnProblem,
}
