//! Dots on rows: a number for each format and level, with its interval where it has one (W. S. Cleveland, "The Elements of
//! Graphing Data", 1985: places on a common scale are read best).

use super::axis::Axis;
use super::canvas::{COLOURS, Canvas, Letters, Mark, RULE};
use super::frame::{Frame, Needs, WIDTH, series_names, titles};
use super::grid::Grid;
use super::{Drawing, Text};
use crate::report::error::ReportError;

/// A number, and the interval that holds it.
#[derive(Clone, Copy, Debug)]
pub struct Dot {
    /// The number.
    pub value: f64,
    /// From where to where it may be.
    pub interval: Option<(f64, f64)>,
}

/// Draws shares, in percent, or differences of them.
pub fn dots(
    grid: &Grid,
    text: Text<'_>,
    label: &str,
    dot: impl Fn(usize) -> Option<Dot>,
) -> Result<Drawing, ReportError> {
    let names = series_names(grid);
    let all = || grid.panels.iter().flat_map(|panel| panel.cells.iter().flatten().flatten());
    let ends = |dot: Dot| dot.interval.unwrap_or((dot.value, dot.value));
    let most = all().filter_map(|&cell| dot(cell)).map(|dot| ends(dot).1).fold(0.0, f64::max);
    let least = all().filter_map(|&cell| dot(cell)).map(|dot| ends(dot).0).fold(0.0, f64::min);

    let step = 9.0;
    let row = (names.len() as f64 * step + 9.0).max(20.0);
    let needs = Needs {
        names: &names,
        left: grid.label_width() + 12.0,
        between: 26.0,
        height: row * grid.formats.len() as f64,
        columns: 2,
    };
    let titles = titles(grid);
    let frame = Frame::new(&titles, needs);
    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, frame.size);
    frame.draw(&canvas, text.title, &names, false, &titles)?;
    for (number, (panel, &[left, right, top, bottom])) in grid.panels.iter().zip(&frame.panels).enumerate() {
        let axis = match least < 0.0 {
            false => Axis::percent(most, (left, right), 6),
            true => Axis::around(least, most, (left, right), 6),
        };
        axis.along(&canvas, (top, bottom), true)?;
        frame.below(&canvas, number, label)?;
        for (place, (format, cells)) in grid.formats.iter().zip(&panel.cells).enumerate() {
            let upper = top + place as f64 * row;
            let middle = upper + row / 2.0;
            canvas.line((left, upper + row), (right, upper + row), RULE, 0.8)?;
            if frame.panels[0][0] == left {
                canvas.text(format, (left - 10.0, middle), Letters::of(12.0).right())?;
            }
            let first = middle - (names.len() as f64 - 1.0) / 2.0 * step;
            for (line, &(series, _)) in names.iter().enumerate() {
                let Some(found) = cells[series].and_then(&dot) else {
                    continue;
                };
                let (y, colour) = (first + line as f64 * step, COLOURS[series % COLOURS.len()]);
                if let Some((low, high)) = found.interval {
                    canvas.line((axis.at(low), y), (axis.at(high), y), colour, 1.6)?;
                    for end in [low, high] {
                        canvas.line((axis.at(end), y - 2.5), (axis.at(end), y + 2.5), colour, 1.2)?;
                    }
                }
                canvas.mark(Mark::of(series), (axis.at(found.value), y), 3.7, colour)?;
            }
        }
    }
    canvas.finish()?;
    debug_assert!(frame.size.0 <= WIDTH);
    Ok(Drawing { svg, size: frame.size })
}
