//! Times and what is said of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What asking the time twice takes: the least of many, to be taken off each measurement.
pub fn overhead() -> f64 {
    let pair = || {
        let begin = Instant::now();
        micros(begin.elapsed())
    };
    (0..10_000).map(|_| pair()).fold(f64::INFINITY, f64::min)
}

/// Microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

/// Some times in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Times {
    all: Vec<f64>,
    overhead: f64,
}

impl Times {
    pub fn new(overhead: f64) -> Times {
        Times { all: Vec::new(), overhead }
    }

    /// Times some work.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = std::hint::black_box(work());
        let took = begin.elapsed();
        self.push((micros(took) - self.overhead).max(0.0));
        result
    }

    pub fn push(&mut self, micros: f64) {
        self.all.push(micros);
    }

    /// The last one.
    pub fn last(&self) -> f64 {
        self.all.last().copied().unwrap_or(0.0)
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn sum(&self) -> f64 {
        self.all.iter().sum()
    }

    /// Mean, percentiles and maximum; all `null` where nothing was timed.
    pub fn summary(&self) -> Value {
        let mut sorted = self.all.clone();
        sorted.sort_by(f64::total_cmp);
        // The smallest time that so large a part of all times does not exceed.
        let at = |part: f64| sorted.get(((part * sorted.len() as f64).ceil() as usize).max(1) - 1).copied();
        let mean = (!sorted.is_empty()).then(|| self.sum() / sorted.len() as f64);
        json!({
            "mean": mean, "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": sorted.last(),
        })
    }
}
