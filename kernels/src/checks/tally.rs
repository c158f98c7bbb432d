//! Comparisons, counted.

/// Comparisons, counted.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How many things were compared.
    pub cases: usize,
    /// The largest error.
    pub worst: f64,
    /// The largest error that passes; 0 where things must be the same.
    pub tolerance: f64,
    /// Tokens that differ, and may: the reference has both within the tolerance.
    pub near_ties: usize,
    /// The first thing that is wrong, in words.
    pub wrong: Option<String>,
    /// Why nothing is compared.
    pub skipped: Option<&'static str>,
}

impl Tally {
    /// For numbers that may be so far apart.
    pub fn within(tolerance: f64) -> Tally {
        Tally { cases: 0, worst: 0.0, tolerance, near_ties: 0, wrong: None, skipped: None }
    }

    /// For things that must be the same.
    pub fn exact() -> Tally {
        Tally::within(0.0)
    }

    /// For what the device does not have.
    pub fn skipped(why: &'static str) -> Tally {
        Tally { skipped: Some(why), ..Tally::exact() }
    }

    /// Compares two numbers; equal infinities are no error.
    pub fn compare(&mut self, what: impl Fn() -> String, got: f64, expected: f64) {
        self.compare_scaled(what, got, expected, 1.0);
    }

    /// Compares two numbers whose error is measured in units of `scale`.
    pub fn compare_scaled(&mut self, what: impl Fn() -> String, got: f64, expected: f64, scale: f64) {
        self.cases += 1;
        if got == expected {
            return;
        }
        let error = ((got - expected) / scale).abs();
        let error = if error.is_nan() { f64::INFINITY } else { error };
        self.worst = self.worst.max(error);
        if error > self.tolerance {
            self.tell(|| format!("{} is {got} for {expected}", what()));
        }
    }

    /// Compares two lists, place by place.
    pub fn compare_all(&mut self, what: &str, got: &[f32], expected: &[f32]) {
        if got.len() != expected.len() {
            self.cases += 1;
            self.worst = f64::INFINITY;
            return self.tell(|| format!("{what} has {} numbers for {}", got.len(), expected.len()));
        }
        for (place, (got, expected)) in got.iter().zip(expected).enumerate() {
            self.compare(|| format!("{what}[{place}]"), f64::from(*got), f64::from(*expected));
        }
    }

    /// Compares two things that must be the same.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: impl Fn() -> String, got: &T, expected: &T) {
        self.cases += 1;
        if got != expected {
            self.tell(|| format!("{} is {got:?} for {expected:?}", what()));
        }
    }

    /// Compares two lists, place by place, in units of the largest expected number.
    pub fn compare_to_largest(&mut self, what: &str, got: &[f32], expected: &[f32]) {
        let largest = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
        if got.len() != expected.len() {
            return self.compare_all(what, got, expected);
        }
        for (place, (got, expected)) in got.iter().zip(expected).enumerate() {
            self.compare_scaled(|| format!("{what}[{place}]"), (*got).into(), (*expected).into(), largest.into());
        }
    }

    /// Notes what is wrong, if it is the first.
    pub fn tell(&mut self, wrong: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.wrong = Some(wrong());
        }
    }
}
