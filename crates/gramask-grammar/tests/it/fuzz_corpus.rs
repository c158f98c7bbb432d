//! Replays the fuzz targets' corpora, and every input that once broke one, as ordinary tests.
//!
//! The targets' bodies are in `fuzz/`, a package of its own that needs a nightly compiler; here they are included as they
//! are. A new finding goes to `fuzz/regressions/TARGET/`, under a name that says what it broke.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

#[path = "../../../../fuzz/src/lib.rs"]
mod fuzz;

/// The body of a target.
type Body = fn(&[u8]);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of a folder by name; none where the folder is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs the body on every input of the target; names all that break it.
fn replay(target: &str, least: usize, body: Body) {
    let folders = ["seeds", "corpus", "regressions"].map(|kind| root().join("fuzz").join(kind).join(target));
    let inputs: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder)).collect();
    assert!(inputs.len() >= least, "{} inputs of {target}", inputs.len());
    let breaks = |path: &PathBuf| {
        let data = fs::read(path).unwrap();
        catch_unwind(AssertUnwindSafe(|| body(&data))).is_err()
    };
    let broken: Vec<PathBuf> = inputs.into_iter().filter(breaks).collect();
    assert!(broken.is_empty(), "{target} breaks on {broken:?}");
}

#[test]
fn notation() {
    replay("notation", 50, fuzz::notation);
    for path in files(&root().join("grammars")) {
        fuzz::notation(&fs::read(path).unwrap());
    }
}

#[test]
fn grammars() {
    replay("lark", 10, fuzz::lark);
    replay("gbnf", 8, fuzz::gbnf);
    replay("plain", 10, fuzz::plain);
    replay("json_schema", 8, fuzz::json_schema);
}

#[test]
fn roundtrip() {
    replay("roundtrip", 50, fuzz::roundtrip);
}

#[test]
fn masks() {
    replay("masks", 50, fuzz::masks);
}

/// The bodies answer the simplest inputs too; and a byte changed anywhere in a seed breaks nothing.
#[test]
fn changed_inputs() {
    let targets: [(&str, Body); 6] = [
        ("notation", fuzz::notation),
        ("lark", fuzz::lark),
        ("gbnf", fuzz::gbnf),
        ("plain", fuzz::plain),
        ("roundtrip", fuzz::roundtrip),
        ("masks", fuzz::masks),
    ];
    for (target, body) in targets {
        body(b"");
        body(b"\xff\xff");
        for path in files(&root().join("fuzz/seeds").join(target)) {
            let seed = fs::read(&path).unwrap();
            for at in 0..seed.len() {
                let mut data = seed.clone();
                data[at] = data[at].wrapping_mul(167).wrapping_add(at as u8);
                body(&data);
            }
        }
    }
}
