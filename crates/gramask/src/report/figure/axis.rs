//! Axes: a stretch of numbers on a stretch of the sheet, with ticks at round numbers (plotters' choice of them).

use std::ops::Range;

use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;

use super::canvas::{AXIS, Canvas, Drawn, Letters, RULE};

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    numbers: Range<f64>,
    pixels: (f64, f64),
    ticks: Vec<f64>,
    /// What a tick's number is multiplied by, and what is written after it.
    pub unit: (f64, &'static str),
}

impl Axis {
    /// An axis of these numbers from one pixel to another, with about `ticks` ticks; it ends at one of them.
    pub fn new(numbers: Range<f64>, pixels: (f64, f64), ticks: usize) -> Axis {
        let Range { start, end } = numbers;
        let end = if end > start { end } else { start + 1.0 };
        let points = |end: f64| RangedCoordf64::from(start..end).key_points(ticks);
        let found = points(end);
        let step = match found[..] {
            [first, second, ..] => second - first,
            _ => end - start,
        };
        // The next round number holds all marks.
        let end = start + ((end - start) / step - 1e-9).ceil() * step;
        let count = ((end - start) / step).round() as usize;
        Axis {
            numbers: start..end,
            pixels,
            ticks: (0..=count).map(|tick| start + tick as f64 * step).collect(),
            unit: (1.0, ""),
        }
    }

    /// An axis of shares, in percent.
    pub fn percent(end: f64, pixels: (f64, f64), ticks: usize) -> Axis {
        Axis { unit: (100.0, " %"), ..Axis::new(0.0..end, pixels, ticks) }
    }

    /// An axis of differences of shares, in points: it has a tick at 0.
    pub fn around(low: f64, high: f64, pixels: (f64, f64), ticks: usize) -> Axis {
        let points = RangedCoordf64::from(low.min(0.0)..high.max(0.0)).key_points(ticks);
        let step = match points[..] {
            [first, second, ..] => second - first,
            _ => (high - low).max(0.01),
        };
        let (first, last) = ((low.min(0.0) / step).floor(), (high.max(0.0) / step).ceil());
        Axis {
            numbers: first * step..last * step,
            pixels,
            ticks: (first as i64..=last as i64).map(|tick| tick as f64 * step).collect(),
            unit: (100.0, ""),
        }
    }

    /// The tick whose line is the axis.
    fn origin(&self) -> f64 {
        if self.numbers.start < 0.0 { 0.0 } else { self.numbers.start }
    }

    /// The pixel of a number.
    pub fn at(&self, number: f64) -> f64 {
        let share = (number - self.numbers.start) / (self.numbers.end - self.numbers.start);
        self.pixels.0 + share.clamp(0.0, 1.0) * (self.pixels.1 - self.pixels.0)
    }

    fn label(&self, tick: f64) -> String {
        let number = tick * self.unit.0;
        let step = self.ticks.get(1).map_or(1.0, |second| (second - self.ticks[0]) * self.unit.0);
        let digits = if step >= 0.999 {
            0
        } else if step >= 0.0999 {
            1
        } else if step >= 0.00999 {
            2
        } else {
            3
        };
        format!("{number:.digits$}")
    }

    /// Draws it along the bottom of `top..bottom`, its lines across.
    pub fn along(&self, canvas: &Canvas<'_>, (top, bottom): (f64, f64), labels: bool) -> Drawn {
        for &tick in &self.ticks {
            let x = self.at(tick);
            let first = tick == self.origin();
            canvas.line((x, top), (x, bottom), if first { AXIS } else { RULE }, if first { 1.0 } else { 0.8 })?;
            if labels {
                canvas.text(&self.label(tick), (x, bottom + 11.0), Letters::of(11.0).faint().middle())?;
            }
        }
        Ok(())
    }

    /// Draws it along the left of `left..right`, its lines across.
    pub fn upright(&self, canvas: &Canvas<'_>, (left, right): (f64, f64), labels: bool) -> Drawn {
        for &tick in &self.ticks {
            let y = self.at(tick);
            let first = tick == self.origin();
            canvas.line((left, y), (right, y), if first { AXIS } else { RULE }, if first { 1.0 } else { 0.8 })?;
            if labels {
                canvas.text(&self.label(tick), (left - 6.0, y), Letters::of(11.0).faint().right())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_behind_the_last_mark() {
        let axis = Axis::percent(0.437, (100.0, 300.0), 6);
        assert_eq!((axis.at(0.0), axis.ticks[0]), (100.0, 0.0));
        let last = *axis.ticks.last().unwrap();
        assert!((0.437..=0.6).contains(&last), "{last}");
        assert!((axis.at(last) - 300.0).abs() < 1e-9);
        assert_eq!(axis.label(axis.ticks[1]), format!("{:.0}", 100.0 * axis.ticks[1]));
        // Nothing to show is shown as such.
        let empty = Axis::new(0.0..0.0, (0.0, 10.0), 4);
        assert!(empty.at(0.0) == 0.0 && empty.ticks.len() > 1);
    }
}
