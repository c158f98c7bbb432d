//! A device that fails in the middle of a run: the run ends with its records kept, and goes on where it was.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gramask::decode::mock::MockModel;
use gramask::decode::{LanguageModel, LanguageModelError, Logits, Row, Select};
use gramask::experiment::Experiment;
use gramask::model::device::{DeviceFault, DeviceName, guard};
use gramask::plan::Plan;
use gramask::runner::{Backbone, RunError, run_plan};
use gramask::store::Journal;

use crate::mock_engine::{Nobody, engine_of, sayings};

const EXPERIMENT: &str = r#"
models  = ["mock"]
formats = ["json-list", "inline-bracket"]
levels  = ["grounded"]
budget  = 40
batch   = 2
examples = { n = 0 }
sampling = { temperature = 1.0, seed = 7 }
strategies = { masked = {} }
[[corpora]]
name  = "mini"
limit = 6
"#;

/// What the device does when it fails.
#[derive(Clone, Copy)]
enum Failing {
    /// Burn panics, as it does when the device's thread is gone.
    Panics(&'static str),
    /// The driver answers with an error.
    Answers(&'static str),
}

/// A model on a device that computes so many passes and then fails, for good.
struct Device {
    inner: MockModel,
    left: Arc<AtomicUsize>,
    failing: Failing,
}

impl Device {
    /// What [`gramask::decode::TransformerModel`] does around everything that it asks of Burn.
    fn computes(&self) -> Result<(), LanguageModelError> {
        let device = DeviceName::Flex.open().unwrap();
        let left = self.left.load(Ordering::Relaxed);
        if left > 0 {
            self.left.store(left - 1, Ordering::Relaxed);
            return Ok(());
        }
        match self.failing {
            Failing::Panics(message) => Ok(guard(&device, || panic!("{message}"))?),
            Failing::Answers(message) => Err(DeviceFault::of(&device, message).into()),
        }
    }
}

impl LanguageModel for Device {
    fn vocabulary(&self) -> usize {
        self.inner.vocabulary()
    }

    fn context(&self) -> usize {
        self.inner.context()
    }

    fn open(&mut self, slots: usize, length: usize) -> Result<(), LanguageModelError> {
        self.inner.open(slots, length)
    }

    fn append(&mut self, rows: &[Row<'_>], select: Select) -> Result<Logits, LanguageModelError> {
        self.computes()?;
        self.inner.append(rows, select)
    }

    fn truncate(&mut self, slot: usize, length: usize) -> Result<(), LanguageModelError> {
        self.inner.truncate(slot, length)
    }

    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), LanguageModelError> {
        self.inner.copy(from, to, length)
    }

    fn fork(&mut self, from: usize, to: usize, shared: usize, length: usize) -> Result<(), LanguageModelError> {
        self.inner.fork(from, to, shared, length)
    }
}

struct Devices(Arc<AtomicUsize>, Failing);

impl Backbone for Devices {
    fn language_model(&mut self) -> Box<dyn LanguageModel + '_> {
        Box::new(Device { inner: MockModel::uniform(4096), left: self.0.clone(), failing: self.1 })
    }
}

/// A session on a device that computes so many passes.
fn session(plan: &Plan, folder: &Path, passes: usize, failing: Failing) -> (Result<bool, RunError>, Journal) {
    let mut journal = Journal::open(&folder.join("records.jsonl")).unwrap();
    let left = Arc::new(AtomicUsize::new(passes));
    let mut open = |name: &str| engine_of(name, Devices(left.clone(), failing));
    let done = run_plan(plan, &mut journal, &mut open, &mut Nobody, &AtomicBool::new(false));
    (done, journal)
}

#[test]
fn a_run_goes_on_after_a_lost_device() {
    let plan = Plan::new(Experiment::parse("mock.toml".as_ref(), EXPERIMENT).unwrap()).unwrap();
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let never = Failing::Answers("never");
    let (done, journal) = session(&plan, whole.path(), usize::MAX, never);
    assert!(done.unwrap());
    let expected = sayings(&journal);
    assert_eq!(expected.len(), 12);

    let lost = [
        Failing::Panics("called `Result::unwrap()` on an `Err` value: RecvError"),
        Failing::Answers("The device is poisoned\nCaused by:\n  Unknown: the GPU went away"),
    ];
    let mut kept = 0;
    for failing in lost {
        // Enough for some documents, in batches of two, and not for all.
        let (done, journal) = session(&plan, parts.path(), 250, failing);
        let error = done.unwrap_err();
        assert!(error.device_fault().is_some_and(DeviceFault::is_lost), "{error}");
        let message = error.to_string();
        assert!(message.contains("decoding ") && message.contains("device flex was lost"), "{message}");
        let now = journal.records().len();
        assert!(now > kept && now < 12, "{now} records are kept, {kept} were");
        kept = now;
    }
    let (done, journal) = session(&plan, parts.path(), usize::MAX, never);
    assert!(done.unwrap());
    assert_eq!(sayings(&journal), expected);
}

#[test]
fn too_little_memory_is_said_with_what_the_driver_says() {
    let plan = Plan::new(Experiment::parse("mock.toml".as_ref(), EXPERIMENT).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let failing = Failing::Answers("out of device memory allocating 4294967296 bytes\nBacktrace:\n 0: a");
    let (done, _) = session(&plan, folder.path(), 3, failing);
    let error = done.unwrap_err();
    assert!(matches!(error.device_fault(), Some(DeviceFault::OutOfMemory { .. })), "{error}");
    assert!(error.to_string().contains("allocating 4294967296 bytes"), "{error}");
}
