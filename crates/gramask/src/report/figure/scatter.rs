//! Points: one number against another, a point for each cell; with the Pareto front where both are to be great.

use super::axis::Axis;
use super::canvas::{AXIS, COLOURS, Canvas, Letters, Mark, width_of};
use super::frame::{Frame, Needs, series_names, titles};
use super::grid::Grid;
use super::{Drawing, Text};
use crate::report::error::ReportError;

/// The labels of a figure's axes.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// Below.
    pub x: &'a str,
    /// At the left.
    pub y: &'a str,
    /// Whether the numbers along the bottom are shares.
    pub x_percent: bool,
}

/// Draws points at `(x, y)`, where `y` is a share; `front` draws a line through those that no other excels in both.
pub fn scatter(
    grid: &Grid,
    text: Text<'_>,
    labels: Labels<'_>,
    front: bool,
    at: impl Fn(usize) -> Option<(f64, f64)>,
) -> Result<Drawing, ReportError> {
    let names = series_names(grid);
    let needs = Needs {
        names: &names,
        left: 46.0,
        between: 50.0,
        height: if grid.panels.len() > 1 { 260.0 } else { 340.0 },
        columns: 2,
    };
    let titles = titles(grid);
    let frame = Frame::new(&titles, needs);
    let all = || grid.panels.iter().flat_map(|panel| panel.cells.iter().flatten().flatten());
    let most = |pick: fn((f64, f64)) -> f64| all().filter_map(|&cell| at(cell)).map(pick).fold(0.0, f64::max);
    let (most_x, most_y) = (most(|point| point.0), most(|point| point.1));

    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, frame.size);
    frame.draw(&canvas, text.title, &names, false, &titles)?;
    for (number, (panel, &[left, right, top, bottom])) in grid.panels.iter().zip(&frame.panels).enumerate() {
        let x = match labels.x_percent {
            true => Axis::percent(most_x, (left, right), 6),
            false => Axis::new(0.0..most_x, (left, right), 6),
        };
        let y = Axis::percent(most_y, (bottom, top), 6);
        x.along(&canvas, (top, bottom), true)?;
        y.upright(&canvas, (left, right), true)?;
        frame.below(&canvas, number, labels.x)?;
        canvas.text(labels.y, (left - 38.0, (top + bottom) / 2.0), Letters::of(12.0).middle().upwards())?;

        let mut points: Vec<Point> = Vec::new();
        for (format, cells) in grid.formats.iter().zip(&panel.cells) {
            for (series, cell) in cells.iter().enumerate() {
                if let Some(values) = cell.and_then(&at) {
                    let place = (x.at(values.0), y.at(values.1));
                    points.push(Point { values, place, series, format });
                }
            }
        }
        let best: Vec<bool> = points.iter().map(|point| front && on_front(point, &points)).collect();
        let mut taken: Vec<[f64; 4]> = points.iter().map(|point| around(point.place, 4.5)).collect();
        if front {
            let mut line: Vec<&Point> = points.iter().zip(&best).filter(|(_, best)| **best).map(|(p, _)| p).collect();
            line.sort_by(|a, b| a.values.0.total_cmp(&b.values.0));
            let steps = staircase(&line, (left, bottom));
            canvas.path(&steps, AXIS, 1.4)?;
            taken.extend(steps.windows(2).map(|ends| between(ends[0], ends[1])));
        }
        for point in &points {
            canvas.mark(Mark::of(point.series), point.place, 4.5, COLOURS[point.series % COLOURS.len()])?;
        }
        // Those on the front first: where there is no room for all names, theirs are there.
        let order = (0..points.len()).filter(|&i| best[i]).chain((0..points.len()).filter(|&i| !best[i]));
        for i in order {
            let size = if best[i] { 11.0 } else { 10.0 };
            let letters = if best[i] { Letters::of(size).bold() } else { Letters::of(size).faint() };
            let width = width_of(points[i].format, size) + 2.0;
            if let Some(corner) = free_place(points[i].place, width, &taken, [left, top, right, bottom]) {
                taken.push([corner.0, corner.1 - 6.0, corner.0 + width, corner.1 + 6.0]);
                canvas.text(points[i].format, corner, letters)?;
            }
        }
    }
    canvas.finish()?;
    Ok(Drawing { svg, size: frame.size })
}

struct Point<'a> {
    values: (f64, f64),
    place: (f64, f64),
    series: usize,
    format: &'a str,
}

/// Whether no other point is at least as great in both and greater in one.
fn on_front(point: &Point<'_>, points: &[Point<'_>]) -> bool {
    let (x, y) = point.values;
    y > 0.0 && !points.iter().any(|other| dominates(other.values, (x, y)))
}

/// Whether the first is at least as great in both and greater in one.
pub(super) fn dominates((x, y): (f64, f64), (other_x, other_y): (f64, f64)) -> bool {
    x >= other_x && y >= other_y && (x > other_x || y > other_y)
}

/// The edge of what is reached: across from the left, and down to the axis after the last.
fn staircase(line: &[&Point<'_>], (left, bottom): (f64, f64)) -> Vec<(f64, f64)> {
    let mut steps = Vec::new();
    let mut from = left;
    for point in line {
        steps.push((from, point.place.1));
        steps.push(point.place);
        from = point.place.0;
    }
    if let Some(last) = line.last() {
        steps.push((last.place.0, bottom));
    }
    steps
}

fn around((x, y): (f64, f64), r: f64) -> [f64; 4] {
    [x - r, y - r, x + r, y + r]
}

/// The box of a line along an axis.
fn between(a: (f64, f64), b: (f64, f64)) -> [f64; 4] {
    [a.0.min(b.0) - 1.0, a.1.min(b.1) - 1.0, a.0.max(b.0) + 1.0, a.1.max(b.1) + 1.0]
}

/// Where a name can stand beside its point without covering another: the left end of its middle line.
fn free_place(
    (x, y): (f64, f64),
    width: f64,
    taken: &[[f64; 4]],
    [left, top, right, bottom]: [f64; 4],
) -> Option<(f64, f64)> {
    let tries = [
        (x + 8.0, y),
        (x - 8.0 - width, y),
        (x - width / 2.0, y - 12.0),
        (x - width / 2.0, y + 12.0),
        (x + 6.0, y - 10.0),
        (x + 6.0, y + 10.0),
        (x - 6.0 - width, y - 10.0),
        (x - 6.0 - width, y + 10.0),
    ];
    tries.into_iter().find(|&(x, y)| {
        let own = [x, y - 6.0, x + width, y + 6.0];
        let inside = own[0] >= left && own[2] <= right + 10.0 && own[1] >= top - 4.0 && own[3] <= bottom - 1.0;
        let free = |other: &[f64; 4]| own[2] < other[0] || other[2] < own[0] || own[3] < other[1] || other[3] < own[1];
        inside && taken.iter().all(free)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_what_nothing_excels() {
        let point = |x, y| Point { values: (x, y), place: (x, -y), series: 0, format: "f" };
        let points = [point(1.0, 0.9), point(2.0, 0.5), point(1.5, 0.5), point(3.0, 0.0), point(2.0, 0.5)];
        let front: Vec<bool> = points.iter().map(|p| on_front(p, &points)).collect();
        // Equals stand together; what finds nothing is on no front, however fast.
        assert_eq!(front, [true, true, false, false, true]);
        let line = staircase(&[&points[0], &points[1]], (0.0, 0.0));
        assert_eq!(line, [(0.0, -0.9), (1.0, -0.9), (1.0, -0.5), (2.0, -0.5), (2.0, 0.0)]);
    }

    #[test]
    fn names_cover_no_point() {
        let sheet = [0.0, 0.0, 200.0, 100.0];
        let at = (100.0, 50.0);
        assert_eq!(free_place(at, 30.0, &[], sheet), Some((108.0, 50.0)));
        let beside = free_place(at, 30.0, &[around((115.0, 50.0), 4.5)], sheet).unwrap();
        assert_eq!(beside, (62.0, 50.0));
        assert_eq!(free_place(at, 30.0, &[[0.0, 0.0, 200.0, 100.0]], sheet), None);
    }
}
