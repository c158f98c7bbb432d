//! Lines: how a number goes along the outputs, a small panel for each format.

use super::axis::Axis;
use super::canvas::{COLOURS, Canvas, Letters, Mark};
use super::frame::{Frame, Needs};
use super::{Drawing, Text};
use crate::report::error::ReportError;

/// A line: its series, and its points.
#[derive(Debug)]
pub struct Line {
    /// The series.
    pub series: usize,
    /// Where it goes: a number of tokens, and a share.
    pub points: Vec<(f64, f64)>,
}

/// Draws a panel for each title, with these lines.
pub fn lines(
    text: Text<'_>,
    names: &[(usize, &str)],
    [x_label, y_label]: [&str; 2],
    panels: &[(String, Vec<Line>)],
) -> Result<Drawing, ReportError> {
    let titles: Vec<String> = panels.iter().map(|(title, _)| title.clone()).collect();
    let needs = Needs { names, left: 46.0, between: 18.0, height: 92.0, columns: 4 };
    let frame = Frame::new(&titles, needs);
    let points = || panels.iter().flat_map(|(_, lines)| lines).flat_map(|line| &line.points);
    let longest = points().map(|point| point.0).fold(1.0, f64::max);
    let highest = points().map(|point| point.1).fold(0.01, f64::max);

    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, frame.size);
    frame.draw(&canvas, text.title, names, false, &titles)?;
    let first_left = frame.panels.first().map_or(0.0, |panel| panel[0]);
    for (number, ((_, lines), &[left, right, top, bottom])) in panels.iter().zip(&frame.panels).enumerate() {
        let x = Axis::new(0.0..longest, (left, right), 3);
        let y = Axis::percent(highest, (bottom, top), 4);
        x.along(&canvas, (top, bottom), true)?;
        y.upright(&canvas, (left, right), left == first_left)?;
        frame.below(&canvas, number, x_label)?;
        if left == first_left {
            let at = (left - 40.0, (top + bottom) / 2.0);
            canvas.text(y_label, at, Letters::of(12.0).middle().upwards())?;
        }
        for line in lines {
            let colour = COLOURS[line.series % COLOURS.len()];
            let places: Vec<(f64, f64)> = line.points.iter().map(|&(a, b)| (x.at(a), y.at(b))).collect();
            if places.len() > 1 {
                canvas.path(&places, colour, 1.7)?;
            }
            if let Some(&last) = places.last() {
                canvas.mark(Mark::of(line.series), last, 3.2, colour)?;
            }
        }
    }
    canvas.finish()?;
    Ok(Drawing { svg, size: frame.size })
}
