//! Vocabularies: the tokens of a model as byte strings.

use std::collections::HashMap;
use std::sync::Arc;

use gramask::grammar::{self, Token, VocabularyError};
use gramask::model::tokenizer::Tokenizer;
use gramask::pull::{BYTES, Cache, Model, NamedVocabulary};
use indicatif::ProgressBar;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};

use crate::border::interruptible;
use crate::errors::{Kind, OrRaise, error};

/// The tokens of a model as byte strings, for masks.
///
/// `tokens` are bytes or strings in the order of the ids; an empty one writes nothing. `special` are the ids of control tokens,
/// which no mask allows. `end` is the id, or the ids, of the tokens that end an output; a mask allows them where the output is
/// complete. Most people use `from_transformers`, `from_tokenizers` or `from_pretrained`.
///
/// A vocabulary is immutable, and any number of constraints share it. A pickle of it holds the tokens.
#[pyclass(frozen, module = "gramask", weakref)]
pub struct Vocabulary {
    pub inner: Arc<grammar::Vocabulary>,
    name: String,
}

/// What a pickle makes a vocabulary of: a function and its argument, the tokens.
type Reduced<'py> = (Bound<'py, PyAny>, (Vec<Bound<'py, PyBytes>>,));

/// An id, or several.
pub enum Ids {
    One(u32),
    Several(Vec<u32>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Ids {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Ids> {
        if let Ok(id) = object.extract() {
            return Ok(Ids::One(id));
        }
        object.extract().map(Ids::Several).map_err(|_| PyTypeError::new_err("expected a token id, or a list of them"))
    }
}

impl Ids {
    fn all(self) -> Vec<u32> {
        match self {
            Ids::One(id) => vec![id],
            Ids::Several(ids) => ids,
        }
    }
}

impl Vocabulary {
    fn outside(&self, token: u32) -> PyErr {
        PyIndexError::new_err(format!("token {token} is outside the vocabulary of {} ids", self.inner.len()))
    }
}

#[pymethods]
impl Vocabulary {
    #[new]
    #[pyo3(signature = (tokens, *, special=Vec::new(), end))]
    fn new(tokens: &Bound<'_, PyAny>, special: Vec<u32>, end: Ids) -> PyResult<Vocabulary> {
        let mut all = Vec::new();
        for token in tokens.try_iter()? {
            let token = token?;
            all.push(Token::new(match token.cast::<PyString>() {
                Ok(text) => text.to_str()?.as_bytes().to_vec(),
                Err(_) => token
                    .extract::<Vec<u8>>()
                    .map_err(|_| PyTypeError::new_err("a token is bytes or str: give a list of them"))?,
            }));
        }
        let (size, ends) = (all.len(), end.all());
        if let Some(token) = special.iter().find(|token| **token as usize >= size) {
            return Err(error(
                Kind::Vocabulary,
                format!("special token {token} is outside the vocabulary of {size} ids: give ids below {size}"),
            ));
        }
        for &token in special.iter().chain(&ends) {
            let place = all.get_mut(token as usize);
            place.ok_or_else(|| error(Kind::Vocabulary, VocabularyError::EndOutside { token, size }))?.special = true;
        }
        let inner = grammar::Vocabulary::new(all, ends).or_raise(Kind::Vocabulary)?;
        Ok(Vocabulary { inner, name: "tokens".into() })
    }

    /// The vocabulary of a model by name, as the command takes it: a path (a `tokenizer.json`, a folder with one, a GGUF file), a
    /// name of `gramask pull`, `ORGANISATION/NAME` of the model hub, or `bytes`, which needs no file. What is missing is downloaded
    /// to the cache.
    ///
    /// Raises VocabularyError for a name that is unknown and a file that holds no vocabulary.
    #[classmethod]
    fn from_pretrained(_class: &Bound<'_, PyType>, py: Python<'_>, name: std::path::PathBuf) -> PyResult<Vocabulary> {
        let named = interruptible(py, move || -> Result<NamedVocabulary, String> {
            let name = name.to_string_lossy();
            if name == BYTES {
                return NamedVocabulary::bytes().map_err(|error| error.to_string());
            }
            let cache = Cache::from_env().map_err(|error| error.to_string())?;
            let model = Model::resolve(&name, &cache, &ProgressBar::hidden()).map_err(|error| error.to_string())?;
            NamedVocabulary::open(&model).map_err(|error| error.to_string())
        })?;
        let named = named.or_raise(Kind::Vocabulary)?;
        Ok(Vocabulary { inner: named.vocabulary, name: named.name })
    }

    /// The vocabulary of a tokenizer of `transformers`. It must be a fast one.
    ///
    /// `end` defaults to the tokenizer's `eos_token_id`. Give every id at which `generate` stops (`model.generation_config.
    /// eos_token_id`), and no other. `size` is the number of logits, if the model has more of them than the tokenizer has ids;
    /// masks then have a bit for each.
    ///
    /// Raises VocabularyError where the tokenizer is slow, or its tokens can't be turned into bytes.
    #[classmethod]
    #[pyo3(signature = (tokenizer, *, end=None, size=None))]
    fn from_transformers(
        _class: &Bound<'_, PyType>,
        tokenizer: &Bound<'_, PyAny>,
        end: Option<Ids>,
        size: Option<usize>,
    ) -> PyResult<Vocabulary> {
        let Some(backend) = tokenizer.getattr_opt("backend_tokenizer")? else {
            let class = tokenizer.get_type().name()?;
            return Err(error(
                Kind::Vocabulary,
                format!("{class} is no fast tokenizer: load it with AutoTokenizer.from_pretrained(..., use_fast=True)"),
            ));
        };
        let end = match end {
            Some(end) => Some(end),
            None => tokenizer.getattr("eos_token_id")?.extract::<Option<u32>>()?.map(Ids::One),
        };
        of_json(&backend, end, size)
    }

    /// The vocabulary of a `tokenizers.Tokenizer`. `end` defaults to the special tokens that end a turn in the known model
    /// families (`<|im_end|>`, `</s>`, ...). `size`: see `from_transformers`.
    #[classmethod]
    #[pyo3(signature = (tokenizer, *, end=None, size=None))]
    fn from_tokenizers(
        _class: &Bound<'_, PyType>,
        tokenizer: &Bound<'_, PyAny>,
        end: Option<Ids>,
        size: Option<usize>,
    ) -> PyResult<Vocabulary> {
        of_json(tokenizer, end, size)
    }

    /// The words of 32 bits of a mask: bit `i` of word `w` stands for token `32 * w + i`.
    #[getter]
    fn words(&self) -> usize {
        self.inner.words()
    }

    /// The ids of the tokens that end an output.
    #[getter]
    fn end(&self) -> Vec<u32> {
        self.inner.ends().to_vec()
    }

    /// What the vocabulary was made from.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// What a token writes; for a special token, its name.
    fn bytes<'py>(&self, py: Python<'py>, token: u32) -> PyResult<Bound<'py, PyBytes>> {
        match self.inner.token(token) {
            Some(token) => Ok(PyBytes::new(py, &token.bytes)),
            None => Err(self.outside(token)),
        }
    }

    /// Whether a token is a control token.
    fn is_special(&self, token: u32) -> bool {
        self.inner.is_special(token)
    }

    /// The text of an output's tokens without the end tokens. Bytes that are not UTF-8 become U+FFFD. Raises IndexError for an id
    /// that is not in the vocabulary.
    fn decode(&self, tokens: &Bound<'_, PyAny>) -> PyResult<String> {
        let tokens = tokens.try_iter()?.map(|token| token?.extract()).collect::<PyResult<Vec<u32>>>()?;
        if let Some(token) = tokens.iter().find(|token| self.inner.token(**token).is_none()) {
            return Err(self.outside(*token));
        }
        Ok(self.inner.decode(tokens).0)
    }

    /// A text in tokens, the longest first at each place. A model's own tokenizer may cut it otherwise.
    fn cut(&self, text: &str) -> PyResult<Vec<u32>> {
        self.inner.cut(text.as_bytes()).map_err(|at| {
            let byte = text.as_bytes()[at];
            error(Kind::Vocabulary, format!("no token begins with byte 0x{byte:02x} at byte {at} of the text"))
        })
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __repr__(&self) -> String {
        format!("<gramask.Vocabulary of {}: {} tokens, end {:?}>", self.name, self.inner.len(), self.inner.ends())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        let py = slf.py();
        let inner = &slf.get().inner;
        let ids = 0..inner.len() as u32;
        let tokens = ids.clone().map(|id| PyBytes::new(py, inner.bytes(id))).collect();
        let fields = pyo3::types::PyDict::new(py);
        fields.set_item("special", ids.filter(|id| inner.is_special(*id)).collect::<Vec<_>>())?;
        fields.set_item("end", inner.ends())?;
        let partial = py.import("functools")?.getattr("partial")?;
        let make = partial.call((slf.get_type(),), Some(&fields))?;
        Ok((make, (tokens,)))
    }
}

/// The vocabulary of a `tokenizers.Tokenizer`, by way of its JSON.
fn of_json(tokenizer: &Bound<'_, PyAny>, end: Option<Ids>, size: Option<usize>) -> PyResult<Vocabulary> {
    if !tokenizer.hasattr("to_str")? || !tokenizer.hasattr("get_vocab")? {
        let class = tokenizer.get_type().name()?;
        return Err(error(
            Kind::Vocabulary,
            format!("{class} is no tokenizers.Tokenizer: `from_pretrained` takes the path of a tokenizer.json"),
        ));
    }
    let json: String = tokenizer.call_method0("to_str")?.extract()?;
    let ids: HashMap<String, u32> = tokenizer.call_method1("get_vocab", (true,))?.extract()?;
    let own = ids.values().max().map_or(0, |id| *id as usize + 1);
    if let Some(size) = size.filter(|size| *size < own) {
        return Err(error(
            Kind::Vocabulary,
            format!("size {size} is too small: the tokenizer has ids up to {}", own - 1),
        ));
    }
    let size = size.unwrap_or(own);
    let built = interruptible(tokenizer.py(), move || -> Result<_, String> {
        let tokenizer =
            Tokenizer::from_json(json.as_bytes(), size, None, &[], &[]).map_err(|error| error.to_string())?;
        let ends = end.map_or_else(|| tokenizer.end_tokens().to_vec(), Ids::all);
        let token = |id| match tokenizer.is_special(id) || ends.contains(&id) {
            true => Token::special(tokenizer.token_text(id).unwrap_or_default()),
            false => Token::new(tokenizer.token_bytes(id)),
        };
        let tokens = (0..size as u32).map(token).collect();
        grammar::Vocabulary::new(tokens, ends).map_err(|error| error.to_string())
    })?;
    Ok(Vocabulary { inner: built.or_raise(Kind::Vocabulary)?, name: "a tokenizer".into() })
}
