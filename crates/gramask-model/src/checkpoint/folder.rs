//! Hugging Face folders: `config.json`, `tokenizer.json`, the other JSON files, and safetensors files.

use super::safetensors::SafetensorsFile;
use super::source::{Element, refuse_pointer};
use super::{Checkpoint, CheckpointError, TensorSource, check_tensors, identity};
use crate::chat::ChatTemplate;
use crate::tokenizer::Tokenizer;
use half::f16;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

mod config;
mod rope;
mod settings;

/// The output head. Models with a tied head use the embedding in its place.
const HEAD: &str = "lm_head.weight";
/// The object of a configuration, or the part of a model, that reads text, in models that also read images.
const TEXT_CONFIG: &str = "text_config";
/// What the names of its tensors begin with, in older files and in newer ones, and what the names begin with here.
const TEXT_TENSORS: [(&str, &str); 3] =
    [("language_model.model.", "model."), ("language_model.lm_head.", "lm_head."), ("model.language_model.", "model.")];
/// The embedding.
const EMBEDDING: &str = "model.embed_tokens.weight";

/// Opens a folder as a checkpoint.
pub(super) fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let config_path = path.join("config.json");
    if path.join("adapter_config.json").exists() && !config_path.exists() {
        return Err(CheckpointError::IsAdapter { path: path.to_owned() });
    }
    let json = read_required(path, "config.json")?;
    let raw = parse(&config_path, &json)?;
    let mut notes = Vec::new();
    let mut config = config::read(&config_path, &raw, &mut notes)?;

    let mut tensors = FolderSource::open(path)?;
    if raw.get(TEXT_CONFIG).is_some() {
        tensors.keep_text_model();
    }
    if config.tied_head && tensors.places.contains_key(HEAD) {
        if tensors.head_repeats_embedding() {
            tensors.places.remove(HEAD);
        } else {
            config.tied_head = false;
            notes.push(format!(
                "config.json sets `tie_word_embeddings`, but `{HEAD}` differs from the embedding; the head of the file \
                 is used, as in transformers 5"
            ));
        }
    }
    tensors.places.retain(|name, _| !name.ends_with(".rotary_emb.inv_freq"));
    check_tensors(path, &config, &tensors)?;

    let beside = Beside::read(path, &raw)?;
    let tokenizer_json = read_required(path, "tokenizer.json")?;
    let (bos, end_texts) = (beside.bos.as_deref(), beside.eos.as_slice());
    let tokenizer = Tokenizer::from_json(&tokenizer_json, config.vocabulary, bos, &beside.end, end_texts)
        .map_err(|source| CheckpointError::Tokenizer { path: path.join("tokenizer.json"), source })?;
    let chat = match beside.template {
        None => None,
        Some((file, source)) => {
            let template =
                ChatTemplate::new(&source).map_err(|source| CheckpointError::Chat { path: path.join(file), source })?;
            Some(template.with_tokens(bos, end_texts.first().map(String::as_str)))
        }
    };
    let texts = [(config_path.as_path(), json.as_slice()), (Path::new("tokenizer.json"), tokenizer_json.as_slice())];
    let shards = tensors.files.iter().map(|file| (file.path(), file.bytes()));
    let digest = identity::identity(texts.into_iter().chain(shards));
    Ok(Checkpoint { config, tensors: Box::new(tensors), tokenizer, chat, digest, path: path.to_owned(), notes })
}

/// A file of the folder, or `None` if there is none.
fn read_optional(folder: &Path, file: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
    let path = folder.join(file);
    match std::fs::read(&path) {
        Ok(bytes) => {
            refuse_pointer(&path, &bytes)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CheckpointError::Io { path, source }),
    }
}

fn read_required(folder: &Path, file: &str) -> Result<Vec<u8>, CheckpointError> {
    read_optional(folder, file)?
        .ok_or_else(|| CheckpointError::MissingFile { folder: folder.to_owned(), file: file.to_owned() })
}

fn parse(path: &Path, json: &[u8]) -> Result<Value, CheckpointError> {
    serde_json::from_slice(json).map_err(|error| CheckpointError::Json {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        message: error.to_string(),
    })
}

fn parse_optional(folder: &Path, file: &str) -> Result<Value, CheckpointError> {
    match read_optional(folder, file)? {
        None => Ok(Value::Null),
        Some(json) => parse(&folder.join(file), &json),
    }
}

/// What the files beside `tokenizer.json` say about special tokens and conversations.
struct Beside {
    bos: Option<String>,
    eos: Vec<String>,
    end: Vec<u32>,
    /// The file that the template is in, and its text.
    template: Option<(&'static str, String)>,
}

impl Beside {
    fn read(folder: &Path, config: &Value) -> Result<Beside, CheckpointError> {
        let tokenizer = parse_optional(folder, "tokenizer_config.json")?;
        let special = parse_optional(folder, "special_tokens_map.json")?;
        let generation = parse_optional(folder, "generation_config.json")?;
        let text = |key: &str| token_text(&tokenizer, key).or_else(|| token_text(&special, key));
        let mut end = Vec::new();
        for ids in [&generation, config].map(|file| file.get("eos_token_id").unwrap_or(&Value::Null)) {
            let several = ids.as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(ids));
            end.extend(several.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()));
        }
        Ok(Beside {
            bos: text("bos_token"),
            eos: text("eos_token").into_iter().collect(),
            end,
            template: template(folder, &tokenizer)?,
        })
    }
}

/// A special token is a text, or an object with the text as its content.
fn token_text(file: &Value, key: &str) -> Option<String> {
    let token = file.get(key)?;
    token.get("content").unwrap_or(token).as_str().map(str::to_owned)
}

/// The chat template: a file of its own, or a setting that holds one or several by name.
fn template(folder: &Path, tokenizer: &Value) -> Result<Option<(&'static str, String)>, CheckpointError> {
    const FILE: &str = "chat_template.jinja";
    if let Some(bytes) = read_optional(folder, FILE)? {
        return Ok(Some((FILE, String::from_utf8_lossy(&bytes).into_owned())));
    }
    let setting = tokenizer.get("chat_template").unwrap_or(&Value::Null);
    let by_name = |name: &str| {
        let templates = setting.as_array()?;
        templates.iter().find(|template| template.get("name").and_then(Value::as_str) == Some(name))?.get("template")
    };
    let source = by_name("default").unwrap_or(setting).as_str();
    Ok(source.map(|source| ("tokenizer_config.json", source.to_owned())))
}

/// The tensors of one or several safetensors files.
struct FolderSource {
    folder: PathBuf,
    files: Vec<SafetensorsFile>,
    /// Where each tensor is.
    places: BTreeMap<String, Place>,
}

/// The number of a tensor's file, and its name there.
struct Place {
    file: usize,
    stored: String,
}

impl Place {
    /// A tensor that keeps its name, and its place.
    fn named(name: &str, file: usize) -> (String, Place) {
        (name.to_owned(), Place { file, stored: name.to_owned() })
    }
}

impl FolderSource {
    /// Opens `model.safetensors`, or the files that `model.safetensors.index.json` names.
    fn open(folder: &Path) -> Result<FolderSource, CheckpointError> {
        const SINGLE: &str = "model.safetensors";
        const INDEX: &str = "model.safetensors.index.json";
        let folder = folder.to_owned();
        if folder.join(SINGLE).exists() {
            let file = SafetensorsFile::open(&folder.join(SINGLE))?;
            let places = file.names().map(|name| Place::named(name, 0)).collect();
            return Ok(FolderSource { folder, files: vec![file], places });
        }
        let Some(json) = read_optional(&folder, INDEX)? else {
            let file = match folder.join("pytorch_model.bin").exists() {
                true => format!(
                    "{SINGLE}, only pytorch_model.bin, which is not read; save the model again with `safe_serialization=True`"
                ),
                false => format!("{SINGLE} and no {INDEX}; other formats of weights are not read"),
            };
            return Err(CheckpointError::MissingFile { folder, file });
        };
        let index_path = folder.join(INDEX);
        let index = parse(&index_path, &json)?;
        let map = index.get("weight_map").and_then(Value::as_object).ok_or_else(|| {
            let (path, key) = (index_path.clone(), "weight_map".to_owned());
            CheckpointError::MissingSetting { path, key, expected: "an object of tensor names and files".to_owned() }
        })?;
        let mut shards: BTreeSet<&str> = BTreeSet::new();
        for (tensor, file) in map {
            let name = file.as_str().filter(|name| is_plain_name(name)).ok_or_else(|| CheckpointError::BadSetting {
                path: index_path.clone(),
                key: format!("weight_map.{tensor}"),
                found: file.to_string(),
                expected: "the name of a file in the same folder".to_owned(),
            })?;
            shards.insert(name);
        }
        let mut files = Vec::new();
        let mut numbers = BTreeMap::new();
        for shard in shards {
            let path = folder.join(shard);
            if !path.exists() {
                let file = format!("{shard}, which {INDEX} names");
                return Err(CheckpointError::MissingFile { folder, file });
            }
            numbers.insert(shard, files.len());
            files.push(SafetensorsFile::open(&path)?);
        }
        let mut places: BTreeMap<String, Place> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            places.extend(file.names().map(|name| Place::named(name, number)));
        }
        for (tensor, file) in map {
            let number = file.as_str().and_then(|name| numbers.get(name).copied());
            match number.filter(|&number| files[number].shape(tensor).is_some()) {
                Some(number) => places.extend([Place::named(tensor, number)]),
                None => {
                    return Err(CheckpointError::BadSetting {
                        path: index_path,
                        key: format!("weight_map.{tensor}"),
                        found: file.to_string(),
                        expected: "a file that holds this tensor".to_owned(),
                    });
                }
            };
        }
        Ok(FolderSource { folder, files, places })
    }

    /// Whether the head is a copy of the embedding, as some folders of tied models have it. Equal numbers in two types
    /// count as a copy.
    fn head_repeats_embedding(&self) -> bool {
        let [Some((head, in_head)), Some((embedding, in_embedding))] = [HEAD, EMBEDDING].map(|name| self.find(name))
        else {
            return false;
        };
        if head.shape(in_head) != embedding.shape(in_embedding) {
            return false;
        }
        if head.stored_as(in_head) == embedding.stored_as(in_embedding) {
            return head.stored_bytes(in_head) == embedding.stored_bytes(in_embedding);
        }
        head.read::<f32>(in_head) == embedding.read::<f32>(in_embedding)
    }

    /// Forgets all tensors but those of the text model, and names these as if it stood alone.
    fn keep_text_model(&mut self) {
        let places = std::mem::take(&mut self.places).into_iter().filter_map(|(name, place)| {
            let ours = TEXT_TENSORS.iter().find_map(|(theirs, ours)| Some((name.strip_prefix(theirs)?, ours)));
            match ours {
                Some((rest, ours)) => Some((format!("{ours}{rest}"), place)),
                None => (name == HEAD).then_some((name, place)),
            }
        });
        self.places = places.collect();
    }

    /// The file that a tensor is in, and its name there.
    fn find(&self, name: &str) -> Option<(&SafetensorsFile, &str)> {
        let Place { file, stored } = self.places.get(name)?;
        Some((self.files.get(*file)?, stored))
    }

    fn read<T: Element>(&self, name: &str) -> Result<Vec<T>, CheckpointError> {
        self.find(name)
            .and_then(|(file, stored)| file.read(stored))
            .ok_or_else(|| CheckpointError::NoSuchTensor { path: self.folder.clone(), tensor: name.to_owned() })
    }
}

/// Whether a name stays inside its folder.
fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!(components.next(), Some(std::path::Component::Normal(_))) && components.next().is_none()
}

impl TensorSource for FolderSource {
    fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let (file, stored) = self.find(name)?;
        file.shape(stored).map(<[usize]>::to_vec)
    }

    fn stored_as(&self, name: &str) -> Option<&'static str> {
        let (file, stored) = self.find(name)?;
        file.stored_as(stored)
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        self.read(name)
    }

    fn read_f16(&self, name: &str) -> Result<Vec<f16>, CheckpointError> {
        self.read(name)
    }
}
