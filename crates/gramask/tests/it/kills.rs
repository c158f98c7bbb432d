//! Runs that are killed at any moment, split into shards, or taken elsewhere: no record is lost, doubled or another one.
//!
//! The program itself runs, with a checkpoint of a few thousand random weights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use gramask::evaluate::ScoreRow;
use gramask::store::{Record, read_records, read_scores};
use gramask_random::Rng;

const EXPERIMENT: &str = r#"
name    = "killed"
models  = ["MODEL"]
formats = ["json-list", "inline-bracket", "label-list"]
levels  = ["none", "grounded"]
budget  = 12
batch   = 3
examples = { n = 0 }
sampling = { temperature = 1.0, seeds = [7, 8] }
strategies = { unconstrained = {}, masked = {} }
[[corpora]]
name  = "mini"
limit = 9
"#;

/// Cells, with their seeds.
const CELLS: usize = 3 * 2 * 2;

/// Cells times documents.
const RECORDS: usize = CELLS * 9;

/// All kills of the first test.
const KILLS: usize = 50;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder };
        // Its context of 512 tokens would not take a prompt; positions are rotations, of which there are as many as wanted.
        std::fs::create_dir(place.at("model")).unwrap();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gramask-model/tests/golden/tiny-llama");
        for name in ["model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
            std::fs::copy(golden.join(name), place.at("model").join(name)).unwrap();
        }
        let config = std::fs::read_to_string(golden.join("config.json")).unwrap();
        let longer = config.replace("\"max_position_embeddings\": 512", "\"max_position_embeddings\": 2048");
        assert_ne!(config, longer);
        std::fs::write(place.at("model/config.json"), longer).unwrap();
        place.write(EXPERIMENT);
        place
    }

    fn write(&self, experiment: &str) {
        let model = self.at("model");
        let text = experiment.replace("MODEL", model.to_str().unwrap());
        std::fs::write(self.at("killed.toml"), text).unwrap();
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with these arguments.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gramask"));
        command
            .args(args)
            .env("GRAMASK_CACHE", self.at("cache"))
            .env("NO_COLOR", "1")
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    /// A run into a folder.
    fn run(&self, name: &str, more: &[&str]) -> Command {
        let (file, out) = (self.at("killed.toml"), self.at(name));
        let mut args = vec!["run", file.to_str().unwrap(), "--out", out.to_str().unwrap()];
        args.extend(more);
        self.command(&args)
    }

    /// The run to its end.
    fn finish(&self, name: &str, more: &[&str]) -> String {
        succeeds(self.run(name, more).output().unwrap())
    }

    fn merge(&self, out: &str, parts: &[&str]) -> Output {
        let parts: Vec<PathBuf> = [out].iter().chain(parts).map(|part| self.at(part)).collect();
        let mut args = vec!["merge"];
        args.extend(parts.iter().map(|part| part.to_str().unwrap()));
        self.command(&args).output().unwrap()
    }

    /// Starts the run and kills it; whether it was still running then.
    fn kill(&self, name: &str, more: &[&str], when: &mut Rng) -> bool {
        let records = self.at(name).join("records.jsonl");
        let size = || std::fs::metadata(&records).map_or(0, |found| found.len());
        let before = size();
        let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut child = quiet(&mut self.run(name, more));
        let pause = |micros: usize| std::thread::sleep(Duration::from_micros(micros as u64));
        // One in three soon after the start, where files are opened and claimed; else once so much more has been written.
        if when.below(3) == 0 {
            pause(when.below(60_000));
        } else {
            let wanted = before + 1 + when.below(4_000) as u64;
            let patience = Instant::now();
            while size() < wanted && alive(&mut child) && patience.elapsed() < Duration::from_secs(20) {
                pause(200);
            }
            pause(when.below(3_000));
        }
        let running = alive(&mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        running
    }
}

fn alive(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_none()
}

fn succeeds(output: Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Each record by cell and document, without its times, and without probabilities, whose last digits depend on the documents
/// that are decoded beside it. Reading fails where a document is there twice.
fn records(folder: &Path) -> BTreeMap<String, Record> {
    let records = read_records(&folder.join("records.jsonl")).unwrap();
    let timeless = records.into_iter().map(|record| Record {
        times: Default::default(),
        removed: 0.0,
        distortion: Default::default(),
        ..record
    });
    timeless.map(|record| (format!("{} {}", record.cell, record.document), record)).collect()
}

/// The scores by cell and document, without the same.
fn scores(folder: &Path) -> BTreeMap<String, ScoreRow> {
    let scored = read_scores(&folder.join("scores.csv")).unwrap();
    let timeless = scored.into_iter().map(|scored| ScoreRow {
        wall_s: 0.0,
        mask_us: 0.0,
        compile_us: 0.0,
        removed: 0.0,
        removed_mass: 0.0,
        log_weight: None,
        changed_best: 0,
        ..scored
    });
    timeless.map(|scored| (format!("{} {}", scored.cell(), scored.document), scored)).collect()
}

/// The columns of a summary that depend on neither.
fn summary(folder: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join("summary.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let varies = |name: &str| {
        let of = ["_per_second", "wall_s", "_us_per_", "removed_", "changed_best"];
        of.iter().any(|part| name.contains(part)) || name == "log_weight"
    };
    let kept: Vec<usize> = (0..head.len()).filter(|&at| !varies(head[at])).collect();
    lines.map(|line| kept.iter().map(|&at| line[at].to_string()).collect()).collect()
}

fn same(folder: &Path, reference: &Path) {
    assert_eq!(records(folder), records(reference));
    assert_eq!(scores(folder), scores(reference));
    assert_eq!(summary(folder), summary(reference));
}

#[test]
fn kills_lose_and_double_nothing() {
    let place = Place::new();
    let output = place.run("whole", &[]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    succeeds(output);
    // No terminal shows a bar here: each cell has a line when it ends.
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("cell ")).collect();
    assert_eq!(lines.len(), CELLS, "{told}");
    assert!(
        lines[CELLS - 1].starts_with("cell 12 of 12, ") && lines[CELLS - 1].contains(": 9 of 9 documents, "),
        "{told}"
    );
    let whole = place.at("whole");
    assert_eq!(records(&whole).len(), RECORDS);
    assert!(records(&whole).values().all(|record| record.finish.is_some() && record.tokens.output > 1));
    assert_eq!(scores(&whole).len(), RECORDS);
    assert_eq!(summary(&whole).len(), 3 * 2, "seeds are one row");

    let mut when = Rng::new(1);
    let (mut kills, mut rounds) = (0, 0);
    while kills < KILLS {
        rounds += 1;
        assert!(rounds < 20, "{kills} kills in {rounds} runs");
        let name = format!("killed-{rounds}");
        let mut before = 0;
        while kills < KILLS && place.kill(&name, &[], &mut when) {
            kills += 1;
            let path = place.at(&name).join("records.jsonl");
            let now = if path.exists() { records(&place.at(&name)).len() } else { 0 };
            assert!(now >= before, "{before} records became {now}");
            before = now;
        }
        place.finish(&name, &[]);
        same(&place.at(&name), &whole);
    }

    // Shards, killed, and one of them cut in the middle of a line.
    let shards = ["1/3", "2/3", "3/3"];
    for (number, shard) in shards.iter().enumerate() {
        let name = format!("shard-{number}");
        for _ in 0..4 {
            place.kill(&name, &["--shard", shard], &mut when);
        }
        place.finish(&name, &["--shard", shard]);
        assert_eq!(records(&place.at(&name)).len(), RECORDS / 3);
    }
    let other = place.run("shard-0", &["--shard", "2/3"]).output().unwrap();
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(!other.status.success() && told.contains("shard is 1/3 there and 2/3 here"), "{told}");
    succeeds(place.merge("merged", &["shard-0", "shard-2"]));
    assert_eq!(records(&place.at("merged")).len(), RECORDS / 3 * 2);
    let told = place.merge("merged", &["shard-1", "shard-0"]);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("36 of them new") && !told.contains("missing"), "{told}");
    same(&place.at("merged"), &whole);
    // The whole takes nothing from its parts, and goes on as any run.
    succeeds(place.merge("merged", &["whole"]));
    place.finish("merged", &[]);
    same(&place.at("merged"), &whole);

    // Another output of a document is of another run.
    let path = place.at("shard-1").join("records.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"prompt\":\"", "\"prompt\":\"0", 1)).unwrap();
    let refused = place.merge("merged", &["shard-1"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("another output of document"), "{told}");
}

#[test]
fn a_run_goes_on_from_scores_alone() {
    let place = Place::new();
    place.finish("whole", &[]);
    let whole = place.at("whole");
    place.finish("first", &["--shard", "1/3"]);

    // The scores of a shard in place of its records, and then the folder of these with no record at all.
    place.finish("second", &["--done", place.at("first").join("scores.csv").to_str().unwrap()]);
    assert_eq!(records(&place.at("second")).len(), RECORDS / 3 * 2);
    assert_eq!(scores(&place.at("second")), scores(&whole));
    assert_eq!(summary(&place.at("second")), summary(&whole));
    let third = place.at("third");
    std::fs::create_dir(&third).unwrap();
    for name in ["run.json", "scores.csv"] {
        std::fs::copy(place.at("second").join(name), third.join(name)).unwrap();
    }
    let table = place.finish("third", &[]);
    assert!(table.contains("label-list"), "{table}");
    assert_eq!((records(&third).len(), summary(&third)), (0, summary(&whole)));

    let dry = place.run("third", &["--dry-run"]).output().unwrap();
    let told = String::from_utf8_lossy(&dry.stderr).into_owned();
    assert!(succeeds(dry).contains("seed 8") && told.contains("nothing to do"), "{told}");
    let dry = place.run("fourth", &["--dry-run"]).output().unwrap();
    let told = String::from_utf8_lossy(&dry.stderr).into_owned();
    assert!(told.contains("108 outputs left: about") && told.contains("whole"), "{told}");
    assert!(!place.at("fourth").exists(), "a dry run writes nothing");

    // Scores of other settings are refused.
    let other = EXPERIMENT.replace("budget  = 12", "budget  = 13");
    place.write(&other);
    let refused = place.run("fifth", &["--done", place.at("first").to_str().unwrap()]).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("budget is 12 there and 13 here"), "{told}");

    // Comparisons need nothing but scores.
    let compare = |more: &[&str]| {
        let mut args = vec!["compare", third.to_str().unwrap()];
        args.extend(more);
        place.command(&args).output().unwrap()
    };
    let table = succeeds(compare(&[]));
    assert_eq!(table.matches("none unconstrained").count(), 3, "{table}");
    let csv = succeeds(compare(&["--against", "json-list", "--csv"]));
    assert_eq!(csv.lines().count(), 1 + 2 * 2, "{csv}");
    let refused = compare(&["--against", "jsonlist"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("`jsonlist`") && told.contains("json-list"), "{told}");
}
