//! Bars of shares: what a whole is made of, for each cell.

use super::axis::Axis;
use super::canvas::{COLOURS, Canvas, Letters, on, width_of};
use super::frame::{Frame, Needs, titles};
use super::grid::Grid;
use super::{Drawing, Text};
use crate::report::error::ReportError;

/// A part of a bar: its name, and the number of its colour.
pub type Part = (usize, &'static str);

/// Draws bars of `parts`; `shares` gives those of a cell in the same order, as shares of a whole. The axis ends at 100 % where
/// all bars do, else after the longest.
pub fn bars(
    grid: &Grid,
    text: Text<'_>,
    label: &str,
    parts: &[Part],
    shares: impl Fn(usize) -> Option<Vec<f64>>,
) -> Result<Drawing, ReportError> {
    let (thick, gap) = (12.0, 3.0);
    let used = grid.used();
    let lines = |place: usize| {
        let of = |series: &&usize| grid.panels.iter().any(|panel| panel.cells[place][**series].is_some());
        used.iter().filter(of).copied().collect::<Vec<usize>>()
    };
    let height: f64 = (0..grid.formats.len()).map(|place| lines(place).len() as f64 * (thick + gap) + 8.0).sum();
    let series_width = match used.len() {
        0 | 1 => 0.0,
        _ => used.iter().map(|&series| width_of(&grid.series[series], 10.5)).fold(0.0, f64::max) + 8.0,
    };
    let names: Vec<(usize, &str)> = parts.to_vec();
    let needs =
        Needs { names: &names, left: grid.label_width() + series_width + 14.0, between: 26.0, height, columns: 2 };
    let titles = titles(grid);
    let frame = Frame::new(&titles, needs);
    let all = || grid.panels.iter().flat_map(|panel| panel.cells.iter().flatten().flatten());
    let sums = all().filter_map(|&cell| shares(cell)).map(|shares| shares.iter().sum::<f64>());
    let most = sums.fold(0.0, f64::max);

    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, frame.size);
    frame.draw(&canvas, text.title, &names, true, &titles)?;
    for (number, (panel, &[left, right, top, bottom])) in grid.panels.iter().zip(&frame.panels).enumerate() {
        let axis = Axis::percent(if most > 0.99 { 1.0 } else { most }, (left, right), 6);
        axis.along(&canvas, (top, bottom), true)?;
        frame.below(&canvas, number, label)?;
        let mut y = top + 4.0;
        for (place, format) in grid.formats.iter().enumerate() {
            let series = lines(place);
            if frame.panels[0][0] == left {
                let at = (left - series_width - 12.0, y + thick / 2.0);
                canvas.text(format, at, Letters::of(12.0).right())?;
            }
            for series in series {
                if frame.panels[0][0] == left && used.len() > 1 {
                    let letters = Letters::of(10.5).faint().right();
                    canvas.text(&grid.series[series], (left - 8.0, y + thick / 2.0), letters)?;
                }
                if let Some(shares) = panel.cells[place][series].and_then(&shares) {
                    bar(&canvas, &axis, parts, &shares, (y, y + thick))?;
                }
                y += thick + gap;
            }
            y += 8.0;
        }
    }
    canvas.finish()?;
    Ok(Drawing { svg, size: frame.size })
}

fn bar(
    canvas: &Canvas<'_>,
    axis: &Axis,
    parts: &[Part],
    shares: &[f64],
    (top, bottom): (f64, f64),
) -> Result<(), ReportError> {
    let mut reached = 0.0;
    for (&(colour, _), &share) in parts.iter().zip(shares) {
        let (from, to) = (axis.at(reached), axis.at(reached + share));
        reached += share;
        if share <= 0.0 {
            continue;
        }
        // A hair of ground between the parts tells neighbours apart without their colours.
        let end = if to - from > 2.0 { to - 0.8 } else { to };
        canvas.bar((from, top), (end, bottom), COLOURS[colour % COLOURS.len()])?;
        let number = format!("{:.0}", 100.0 * share);
        if to - from > width_of(&number, 10.0) + 7.0 {
            let at = ((from + to) / 2.0, (top + bottom) / 2.0);
            canvas.text(&number, at, Letters::of(9.5).middle().in_colour(on(colour)))?;
        }
    }
    Ok(())
}
