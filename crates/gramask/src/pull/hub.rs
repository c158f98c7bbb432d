//! Models from the model hub, through the crate `hf-hub`.
//!
//! That crate knows the hub's addresses, its redirections and its cache layout, and goes on with a half-finished file. Around it,
//! this module takes all files from one commit, and tries a broken connection again, from where it broke. It checks every file's
//! size. It also checks the SHA-256 where the hub states one, as it does for every large file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gramask_model::checkpoint::gguf_parts;
use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Repo, RepoType};
use indicatif::ProgressBar;

use super::digest::sha256_file;
use super::{Cache, PullError};

/// The files of a checkpoint other than its weights; only the first two must be there.
pub const SMALL_FILES: [&str; 7] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
    "model.safetensors.index.json",
];

/// The file that says that all others of a revision are there and checked.
const COMPLETE: &str = "gramask-complete.txt";

/// A repository of the hub, at a revision, or one GGUF file of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubName {
    /// `ORGANISATION/NAME`.
    pub repository: String,
    /// A branch, tag or commit; `main` where none is given.
    pub revision: String,
    /// The GGUF file, for `ORGANISATION/NAME/FILE.gguf`.
    pub file: Option<String>,
}

impl HubName {
    /// Reads `ORG/NAME`, `ORG/NAME@REVISION`, `ORG/NAME/FILE.gguf` or `ORG/NAME@REVISION/FILE.gguf`.
    ///
    /// # Errors
    /// [`PullError::HubName`] for anything else.
    pub fn parse(name: &str) -> Result<HubName, PullError> {
        let wrong = || PullError::HubName { name: name.to_string() };
        let mut parts = name.splitn(3, '/');
        let organisation = parts.next().unwrap_or_default();
        let title = parts.next().ok_or_else(wrong)?;
        let (title, revision) = title.split_once('@').unwrap_or((title, "main"));
        let file = parts.next();
        let plain = |part: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && part.chars().all(allowed) && !part.contains("..")
        };
        let file_is_gguf = file.is_none_or(|file| file.ends_with(".gguf") && file.split('/').all(plain));
        if !plain(organisation) || !plain(title) || !plain(revision) || !file_is_gguf {
            return Err(wrong());
        }
        Ok(HubName {
            repository: format!("{organisation}/{title}"),
            revision: revision.to_string(),
            file: file.map(str::to_string),
        })
    }

    /// Where the model lies, if an earlier pull has brought it whole.
    pub fn complete(&self, cache: &Cache) -> Option<PathBuf> {
        let repo = Repo::with_revision(self.repository.clone(), RepoType::Model, self.revision.clone());
        let reference = cache.hub_folder().join(repo.folder_name()).join("refs").join(&self.revision);
        let commit = fs::read_to_string(reference).ok()?;
        let snapshot = hf_hub::Cache::new(cache.hub_folder()).repo(repo).pointer_path(commit.trim());
        let complete = fs::read_to_string(snapshot.join(COMPLETE)).ok()?;
        let path = self.file.as_ref().map_or(snapshot.clone(), |file| snapshot.join(file));
        let is_there = |part: String| complete.lines().any(|line| line == part);
        let listed = self.file.as_ref().is_none_or(|file| parts(file).into_iter().all(is_there));
        let whole = self.file.is_some() || complete.lines().any(|line| line == SMALL_FILES[0]);
        (listed && whole && path.exists()).then_some(path)
    }
}

/// The model hub, or a mirror of it.
#[derive(Clone, Debug)]
pub struct Hub {
    /// The address, such as `https://huggingface.co`.
    pub endpoint: String,
    /// The token for gated models.
    pub token: Option<String>,
    /// How often a file is tried again after a broken connection.
    pub retries: usize,
    /// How long to wait before the first retry; doubles with each.
    pub wait: Duration,
}

impl Hub {
    /// `$HF_ENDPOINT` or the public hub; `$HF_TOKEN`, else the token that the hub's own tools have saved.
    pub fn from_env() -> Hub {
        let set = |name| std::env::var(name).ok().filter(|value: &String| !value.trim().is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let token = set("HF_TOKEN").or_else(|| hf_hub::Cache::from_env().token());
        Hub { endpoint: endpoint.trim_end_matches('/').to_string(), token, retries: 5, wait: Duration::from_secs(1) }
    }

    /// Brings a repository's configuration, tokenizer and weights, or one GGUF file of it, to the cache.
    ///
    /// # Errors
    /// When the hub cannot be reached or does not have it, the repository holds no weights that can be read, or a file's
    /// digest differs.
    pub fn pull(&self, name: &HubName, cache: &Cache, bar: &ProgressBar) -> Result<PathBuf, PullError> {
        let fail = |what: &str, error: ApiError| self.error(name, what, error);
        let folder = hf_hub::Cache::new(cache.hub_folder());
        fs::create_dir_all(folder.path()).map_err(|source| PullError::io("create", folder.path(), source))?;
        let api = ApiBuilder::from_cache(folder.clone())
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_progress(false)
            .with_retries(0)
            .build()
            .map_err(|error| fail("anything", error))?;
        let at = |revision: &str| Repo::with_revision(name.repository.clone(), RepoType::Model, revision.to_string());
        bar.set_message(name.repository.clone());
        let info = api.repo(at(&name.revision)).info().map_err(|error| fail("the list of files", error))?;
        let listed: Vec<&str> = info.siblings.iter().map(|sibling| sibling.rfilename.as_str()).collect();
        let files = choose(name, &listed)?;

        // The commit, not the branch: the branch may move between two files.
        let repo = api.repo(at(&info.sha));
        for file in &files {
            self.fetch(name, &api, &repo, &folder, file, bar)?;
        }
        let snapshot = folder.repo(at(&info.sha)).pointer_path(&info.sha);
        let marker = snapshot.join(COMPLETE);
        let mut lines = fs::read_to_string(&marker).unwrap_or_default();
        for file in &files {
            if !lines.lines().any(|line| line == file) {
                lines += &format!("{file}\n");
            }
        }
        fs::write(&marker, lines).map_err(|source| PullError::io("write", &marker, source))?;
        folder
            .repo(at(&name.revision))
            .create_ref(&info.sha)
            .map_err(|source| PullError::io("write a reference in", folder.path(), source))?;
        Ok(name.file.as_ref().map_or(snapshot.clone(), |file| snapshot.join(file)))
    }

    /// Brings one file, unless it is there.
    fn fetch(
        &self,
        name: &HubName,
        api: &Api,
        repo: &ApiRepo,
        folder: &hf_hub::Cache,
        file: &str,
        bar: &ProgressBar,
    ) -> Result<(), PullError> {
        let url = repo.url(file);
        let mut attempt = 0;
        loop {
            let tried = api.metadata(&url).and_then(|metadata| {
                let commit = metadata.commit_hash();
                let place =
                    folder.repo(Repo::with_revision(name.repository.clone(), RepoType::Model, commit.to_string()));
                let blob = place.blob_path(metadata.etag());
                let pointer = place.pointer_path(commit).join(file);
                if !(has_size(&blob, metadata.size()) && pointer.exists()) {
                    make_resumable(&blob.with_extension("part"), metadata.size() as u64);
                    repo.download_with_progress(file, Shown(bar))?;
                }
                Ok((metadata, blob, pointer))
            });
            match tried {
                Ok((metadata, blob, pointer)) => match verify(&blob, metadata.etag(), metadata.size()) {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        let _ = fs::remove_file(&pointer);
                        let _ = fs::remove_file(&blob);
                        return Err(error);
                    }
                },
                Err(error) if attempt < self.retries && may_pass(&error) => {
                    bar.set_message(format!("{file}: {error}; trying again"));
                    std::thread::sleep(self.wait * (1 << attempt.min(5)));
                    attempt += 1;
                }
                Err(error) => return Err(self.error(name, file, error)),
            }
        }
    }

    fn error(&self, name: &HubName, what: &str, error: ApiError) -> PullError {
        let advice = match status(&error) {
            Some(401 | 403) => "the model may be gated: accept its terms on its page and set HF_TOKEN",
            Some(404) => "check the spelling of ORGANISATION/NAME and of the revision",
            Some(_) => "try again later",
            None => {
                "check the network, set HF_ENDPOINT to a mirror of the hub, or give a path to a folder or to a .gguf file"
            }
        };
        PullError::Hub {
            name: name.repository.clone(),
            what: what.to_string(),
            endpoint: self.endpoint.clone(),
            reason: error.to_string(),
            advice,
        }
    }
}

/// A GGUF file of a repository, or all parts of the model that it is a part of.
fn parts(file: &str) -> Vec<String> {
    gguf_parts(Path::new(file)).iter().map(|part| part.to_string_lossy().into_owned()).collect()
}

/// The files to take: the one that is named, with the other parts of its model, or the small ones and the weights.
fn choose(name: &HubName, listed: &[&str]) -> Result<Vec<String>, PullError> {
    let ggufs = || {
        let found: Vec<_> = listed.iter().filter(|file| file.ends_with(".gguf")).collect();
        match found.first() {
            None => String::new(),
            Some(first) => format!(
                "; it holds {} .gguf file(s): write {}/FILE.gguf for one of them, such as {}/{first}",
                found.len(),
                name.repository,
                name.repository
            ),
        }
    };
    let lacks = |missing| PullError::HubContents { name: name.repository.clone(), missing, instead: ggufs() };
    if let Some(file) = &name.file {
        let parts = parts(file);
        let missing = parts.iter().any(|part| !listed.contains(&part.as_str()));
        return match (missing, listed.contains(&file.as_str())) {
            (false, _) => Ok(parts),
            (true, true) => Err(lacks("other parts of this file")),
            (true, false) => Err(lacks("such file")),
        };
    }
    let mut files: Vec<String> =
        SMALL_FILES.iter().filter(|file| listed.contains(file)).map(|file| file.to_string()).collect();
    // Some repositories hold a whole file beside the shards, or the weights of other programs in sub-folders.
    let sharded = listed.contains(&"model.safetensors.index.json");
    let weights = listed.iter().filter(|file| match sharded {
        true => file.starts_with("model-") && file.ends_with(".safetensors"),
        false => **file == "model.safetensors",
    });
    let before = files.len();
    files.extend(weights.map(|file| file.to_string()));
    for needed in ["config.json", "tokenizer.json"] {
        if !listed.contains(&needed) {
            return Err(lacks(needed));
        }
    }
    if files.len() == before {
        return Err(lacks("model.safetensors"));
    }
    Ok(files)
}

fn has_size(path: &Path, size: usize) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() == size as u64)
}

/// `hf-hub` asks for the bytes after those it has; where it has all of them (it was stopped just before the last step),
/// the hub refuses an empty range, and where there are too many the file is of no use.
fn make_resumable(part: &Path, size: u64) {
    let Ok(found) = fs::metadata(part) else { return };
    if found.len() > size {
        let _ = fs::remove_file(part);
    } else if found.len() == size && size > 0 {
        let shorten = |file: fs::File| file.set_len(size - 1);
        let _ = fs::OpenOptions::new().write(true).open(part).and_then(shorten);
    }
}

/// The hub names large files by their SHA-256, small ones by a git hash.
fn verify(blob: &Path, etag: &str, size: usize) -> Result<(), PullError> {
    let advice = "the download was damaged and has been removed: pull again";
    let found = fs::metadata(blob).map_err(|source| PullError::io("read", blob, source))?.len();
    if found != size as u64 {
        let (expected, found) = (format!("that of {size} bytes"), format!("that of {found} bytes"));
        return Err(PullError::Digest { path: blob.into(), expected, found, advice });
    }
    if etag.len() == 64 && etag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let found = sha256_file(blob)?;
        if !found.eq_ignore_ascii_case(etag) {
            return Err(PullError::Digest { path: blob.into(), expected: etag.into(), found, advice });
        }
    }
    Ok(())
}

/// The HTTP status in an error, which `hf-hub` only gives in words.
fn status(error: &ApiError) -> Option<u16> {
    let words = error.to_string();
    words.rsplit("http status: ").next().filter(|rest| rest.len() < words.len())?.get(..3)?.parse().ok()
}

/// Whether trying again may help: not when the hub has answered no.
fn may_pass(error: &ApiError) -> bool {
    match (error, status(error)) {
        (ApiError::RequestError(_) | ApiError::IoError(_), status) => {
            !status.is_some_and(|status| (400..500).contains(&status) && status != 429)
        }
        _ => false,
    }
}

/// The bar as `hf-hub` wants it, in this program's own style.
struct Shown<'a>(&'a ProgressBar);

impl Progress for Shown<'_> {
    fn init(&mut self, size: usize, file: &str) {
        self.0.set_message(file.to_string());
        self.0.set_length(size as u64);
        self.0.set_position(0);
        // What is there from an earlier try is no work of this one.
        self.0.reset_eta();
    }

    fn update(&mut self, size: usize) {
        self.0.inc(size as u64);
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let name = HubName::parse("Qwen/Qwen3-0.6B").unwrap();
        assert_eq!((name.repository.as_str(), name.revision.as_str(), name.file), ("Qwen/Qwen3-0.6B", "main", None));
        let name = HubName::parse("a/b@v1.0/sub/c.Q4_1.gguf").unwrap();
        assert_eq!((name.repository.as_str(), name.revision.as_str()), ("a/b", "v1.0"));
        assert_eq!(name.file.as_deref(), Some("sub/c.Q4_1.gguf"));
        for wrong in ["a", "a/", "/b", "a/b/c.bin", "a/../b.gguf", "a/b/../c.gguf", "a/b@", "a b/c"] {
            assert!(HubName::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_files_of_a_checkpoint_are_chosen() {
        let name = HubName::parse("a/b").unwrap();
        let one = ["README.md", "config.json", "tokenizer.json", "model.safetensors", "onnx/model.safetensors"];
        assert_eq!(choose(&name, &one).unwrap(), ["config.json", "tokenizer.json", "model.safetensors"]);
        let index = "model.safetensors.index.json";
        let shards = [
            "config.json",
            "tokenizer.json",
            index,
            "model-1.safetensors",
            "model-2.safetensors",
            "consolidated.safetensors",
        ];
        let chosen = choose(&name, &shards).unwrap();
        assert_eq!(chosen, ["config.json", "tokenizer.json", index, "model-1.safetensors", "model-2.safetensors"]);
        let error = choose(&name, &["x.Q4_0.gguf"]).unwrap_err().to_string();
        assert!(error.contains("a/b/x.Q4_0.gguf"), "{error}");
        let file = HubName::parse("a/b/x.Q4_0.gguf").unwrap();
        assert_eq!(choose(&file, &["x.Q4_0.gguf"]).unwrap(), ["x.Q4_0.gguf"]);
        let [first, second] = ["q4/x-00001-of-00002.gguf", "q4/x-00002-of-00002.gguf"];
        let part = HubName::parse(&format!("a/b/{second}")).unwrap();
        assert_eq!(choose(&part, &["x.gguf", first, second]).unwrap(), [first, second]);
        let error = choose(&part, &["x.gguf", second]).unwrap_err().to_string();
        assert!(error.contains("other parts of this file"), "{error}");
    }
}
