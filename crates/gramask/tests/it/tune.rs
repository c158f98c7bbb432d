//! `gramask train` end to end, on a tiny random model and a few sentences.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use gramask::model::checkpoint::Checkpoint;
use gramask::pull::{Cache, Model, sha256_hex};
use gramask::store::Journal;
use gramask::tune::{Point, Prepared, Score, TuneError, Tuning, Watch};

const PUBTATOR: &str = "1|t|Naloxone stops clonidine.\n1|a|Nothing is here.\n\
    1\t0\t8\tNaloxone\tChemical\tD1\n1\t15\t24\tclonidine\tChemical\tD2\n\n\
    2|t|Aspirin may cause a headache.\n2|a|It did not.\n2\t0\t7\tAspirin\tChemical\tD1\n\
    2\t20\t28\theadache\tDisease\tD2\n\n";

/// The tiny model with room for prompts of some hundred bytes: each byte is a token.
fn tiny(folder: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gramask-model/tests/golden/tiny-llama");
    let to = folder.join("tiny");
    std::fs::create_dir_all(&to).unwrap();
    for file in ["model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let config = std::fs::read_to_string(from.join("config.json")).unwrap();
    let config = config.replace("\"max_position_embeddings\": 512", "\"max_position_embeddings\": 2048");
    std::fs::write(to.join("config.json"), config).unwrap();
    to
}

/// A tuning of the tiny model on the sentences, which are written to `folder`.
fn tuning(folder: &Path, formats: &str, more: &str) -> Tuning {
    for split in ["train", "dev"] {
        std::fs::write(folder.join(format!("own-{split}.pubtator")), PUBTATOR).unwrap();
    }
    let source = format!(
        "model = '{}'\nformats = [{formats}]\n[[corpora]]\nname = 'own'\npath = '{}'\n{more}",
        tiny(folder).display(),
        folder.join("own-{split}.pubtator").display()
    );
    Tuning::parse("tiny.toml".as_ref(), &source).unwrap()
}

fn prepare(tuning: Tuning) -> Result<Prepared, TuneError> {
    prepare_on(tuning, "2026-11-22T13:00:00Z")
}

/// Prepares a training that began on this date.
fn prepare_on(tuning: Tuning, date: &str) -> Result<Prepared, TuneError> {
    let model = Model::find(&tuning.model, &Cache::new("nowhere")).unwrap().unwrap();
    Prepared::new(tuning, model, date.into())
}

#[test]
fn prompts_tell_the_day_of_the_start_and_have_the_variables_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let tuning = tuning(folder.path(), "'lines'", "[training]\nlongest = 2000\n");
    let template = "{{ strftime_now('%d %b %Y') }}{{ style }}{% for m in messages %}{{ m['content'] }}{% endfor %}";
    std::fs::write(folder.path().join("tiny/chat_template.jinja"), template).unwrap();
    let styled = |style: &str| Tuning { template: [("style".into(), style.into())].into(), ..tuning.clone() };
    let examples = |style: &str, date: &str| prepare_on(styled(style), date).unwrap().data.examples;
    let first = examples("brief", "2026-11-22T13:00:00Z");
    assert_eq!(first, examples("brief", "2026-11-22T23:59:59Z"));
    assert_ne!(first, examples("brief", "2026-11-23T00:00:00Z"), "another day");
    assert_ne!(first, examples("long", "2026-11-22T13:00:00Z"), "another variable");

    let settings = prepare(styled("brief")).unwrap().run_file("").unwrap().settings;
    assert_eq!(
        (&settings["prompt_date"], &settings["tuning"]["template"]["style"]),
        (&"2026-11-22".into(), &"brief".into())
    );
    let unknown = Tuning { template: [("styl".into(), "brief".into())].into(), ..tuning.clone() };
    let message = prepare(unknown).unwrap_err().to_string();
    assert!(message.contains("`styl`") && message.contains("`style`"), "{message}");
    assert!(prepare_on(styled("brief"), "yesterday").unwrap_err().to_string().contains("\"yesterday\""));
}

/// Sets `stop` after so many steps, and keeps what it is told.
#[derive(Default)]
struct Observer {
    steps: usize,
    left: usize,
    stop: AtomicBool,
    points: Vec<Point>,
    scores: Vec<Score>,
}

fn session(prepared: &Prepared, folder: &Path, steps: usize) -> (bool, Observer) {
    struct Stopping<'a>(&'a mut Observer, &'a AtomicBool);
    impl Watch for Stopping<'_> {
        fn begin(&mut self, made: usize, steps: usize) {
            self.0.steps = steps;
            assert!(made <= steps);
        }
        fn step(&mut self, point: &Point) {
            self.0.points.push(point.clone());
            self.0.left -= 1;
            self.1.store(self.0.left == 0, Ordering::Relaxed);
        }
        fn validating(&mut self, _: usize) {}
        fn validated(&mut self, scores: &[Score]) {
            self.0.scores.extend_from_slice(scores);
        }
    }
    let stop = AtomicBool::new(false);
    let mut observer = Observer { left: steps, ..Observer::default() };
    std::fs::create_dir_all(folder).unwrap();
    let done = prepared.train(folder, &mut Stopping(&mut observer, &stop), &stop).unwrap();
    observer.stop = stop;
    (done, observer)
}

#[test]
fn a_stopped_training_goes_on_to_the_same_end() {
    let data = tempfile::tempdir().unwrap();
    let more = "[lora]\nrank = 2\ndropout = 0.1\n[training]\nepochs = 4\nbatch = 2\ngroup = 1\nlongest = 900\nrate = 1e-2\n\
                warm_up = 2\nsave = 3\n";
    let prepared = prepare(tuning(data.path(), "'json-list', 'lines'", more)).unwrap();
    let (whole, pieces) = (data.path().join("whole"), data.path().join("pieces"));
    let (done, observer) = session(&prepared, &whole, usize::MAX);
    assert!(done && observer.steps == 8, "4 sentences, 2 to a step, 4 times: {}", observer.steps);
    assert_eq!(observer.points.len(), 8);
    for steps in [1, 3, usize::MAX] {
        session(&prepared, &pieces, steps);
    }
    let curve = |folder: &Path| -> Vec<String> {
        let table = std::fs::read_to_string(folder.join("curve.csv")).unwrap();
        // All but the seconds.
        table.lines().map(|line| line.rsplit_once(',').unwrap().0.to_string()).collect()
    };
    assert_eq!(curve(&whole), curve(&pieces));
    assert_eq!(curve(&whole).len(), 9);
    for file in ["last/adapter_model.safetensors", "best/adapter_model.safetensors", "state.safetensors"] {
        let bytes = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        assert_eq!(bytes(&whole), bytes(&pieces), "{file}");
    }
}

#[test]
fn a_training_learns_and_is_asked_as_it_was_taught() {
    let data = tempfile::tempdir().unwrap();
    let more = "[lora]\nrank = 8\n[training]\nepochs = 20\nbatch = 4\ngroup = 4\nlongest = 900\nrate = 2e-2\nwarm_up = 3\n\
                [validation]\nlimit = 4\nevery = 15\nlevels = ['none', 'grounded']\nbudget = 40\n";
    let prepared = prepare(tuning(data.path(), "'lines'", more)).unwrap();
    let folder = data.path().join("run");
    let (done, observer) = session(&prepared, &folder, usize::MAX);
    assert!(done);
    let (first, last) = (observer.points[0].loss, observer.points[19].loss);
    assert!(first > 4.0 && last < 2.0, "{first} to {last}");
    // After step 15 and at the end, at both levels.
    let steps: Vec<usize> = observer.scores.iter().map(|score| score.step).collect();
    assert_eq!(steps, [15, 15, 20, 20]);
    let masked = observer.scores.iter().filter(|score| score.level == "grounded");
    assert!(masked.clone().all(|score| score.parse_rate == 1.0), "{:?}", observer.scores);
    assert_eq!(masked.map(|score| score.documents).collect::<Vec<_>>(), [4, 4]);
    let journal = Journal::open(&folder.join("validation/000020/records.jsonl")).unwrap();
    assert_eq!(journal.records().len(), 8);
    let taught: Vec<String> = prepared.data.examples[0]
        .iter()
        .flatten()
        .map(|example| sha256_hex(example.prompt.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<_>>()))
        .collect();
    for record in journal.records() {
        assert!(taught.contains(&record.prompt), "{} was asked otherwise", record.document);
    }
    assert!(folder.join("best/adapter_config.json").exists() && folder.join("curve.svg").exists());
    // A second call finds all done.
    let (done, observer) = session(&prepared, &folder, usize::MAX);
    assert!(done && observer.points.is_empty() && observer.scores.is_empty());
}

#[test]
fn a_whole_model_is_written_as_a_checkpoint() {
    let data = tempfile::tempdir().unwrap();
    let whole = |more: &str| {
        let training = "[training]\nepochs = 2\nbatch = 4\ngroup = 4\nlongest = 900\nrate = 3e-3\n[validation]\nlimit = 1\n\
                        budget = 8\n";
        let mut tuning = tuning(data.path(), "'lines'", training);
        let source = format!(
            "weights = 'all'\nmodel = '{}'\nformats = ['lines']\ncorpora = [{{ name = 'mini' }}]\n{more}",
            tuning.model
        );
        let all = Tuning::parse("all.toml".as_ref(), &source).unwrap();
        (tuning.lora, tuning.scratch) = (all.lora, all.scratch);
        tuning
    };
    let shapes = ["", "scratch = { layers = 1, width = 16, heads = 2, kv_heads = 1, hidden = 24 }"];
    for (number, more) in shapes.into_iter().enumerate() {
        let prepared = prepare(whole(more)).unwrap();
        let folder = data.path().join(number.to_string());
        let (done, observer) = session(&prepared, &folder, usize::MAX);
        assert!(done && observer.points[1].loss < observer.points[0].loss);
        let model = Checkpoint::open(&folder.join("best")).unwrap();
        assert_eq!(model.config.layers, if more.is_empty() { 2 } else { 1 });
    }
}

#[test]
fn what_cannot_be_learnt_is_said_before_anything_is_computed() {
    let data = tempfile::tempdir().unwrap();
    let error = |formats: &str, more: &str| prepare(tuning(data.path(), formats, more)).unwrap_err().to_string();
    let passes = error("'label-list'", "");
    assert!(passes.contains("label-list") && passes.contains("each label"), "{passes}");
    assert!(error("'lines'", "[training]\nlongest = 5\n").contains("`longest`"));
    let whole = tuning(data.path(), "'lines'", "").model;
    let mut both = Tuning::parse(
        "x.toml".as_ref(),
        &format!("weights = 'all'\nmodel = '{whole}'\nformats = ['lines']\ncorpora = [{{ name = 'mini' }}]"),
    )
    .unwrap();
    both.adapter = Some("somewhere".into());
    assert!(prepare(both).unwrap_err().to_string().contains("do not go together"));
}
