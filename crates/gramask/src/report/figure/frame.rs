//! What all figures have around their marks: title, legend, panels in one or two columns, an axis below each column.

use super::canvas::{Canvas, Letters};
use super::grid::{Grid, legend, legend_height};
use crate::report::error::ReportError;

/// The width of every figure.
pub const WIDTH: f64 = 760.0;

/// Between the edge and what is drawn.
const MARGIN: f64 = 14.0;

/// Where the panels of a figure are.
#[derive(Debug)]
pub struct Frame {
    /// The size of the sheet.
    pub size: (f64, f64),
    /// The boxes of the panels: left, right, top, bottom.
    pub panels: Vec<[f64; 4]>,
    /// Below the title and the legend.
    top: f64,
    titled: bool,
}

/// What a frame is made for.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// The names of the legend with the numbers of their colours.
    pub names: &'a [(usize, &'a str)],
    /// What stands at the left of the first column, names of formats as a rule.
    pub left: f64,
    /// What stands at the left of the other columns.
    pub between: f64,
    /// How high a panel is.
    pub height: f64,
    /// The most columns.
    pub columns: usize,
}

impl Frame {
    /// For panels of these titles.
    pub fn new(titles: &[String], needs: Needs<'_>) -> Frame {
        let columns = titles.len().clamp(1, needs.columns.max(1));
        let titled = titles.iter().any(|title| !title.is_empty());
        let names = match needs.names.len() {
            0 | 1 => 0.0,
            _ => legend_height(needs.names, WIDTH - 2.0 * MARGIN) + 6.0,
        };
        let top = MARGIN + 26.0 + names;
        let head = if titled { 20.0 } else { 4.0 };
        let foot = 42.0;
        let gaps = needs.between * (columns - 1) as f64;
        let width = (WIDTH - 2.0 * MARGIN - 12.0 - needs.left - gaps) / columns as f64;
        let mut panels = Vec::new();
        for number in 0..titles.len() {
            let (column, line) = ((number % columns) as f64, (number / columns) as f64);
            let left = MARGIN + needs.left + column * (width + needs.between);
            let upper = top + head + line * (head + needs.height + foot);
            panels.push([left, left + width, upper, upper + needs.height]);
        }
        let lines = titles.len().div_ceil(columns).max(1) as f64;
        Frame { size: (WIDTH, top + lines * (head + needs.height + foot)), panels, top, titled }
    }

    /// Draws title, legend and the panels' titles.
    pub fn draw(
        &self,
        canvas: &Canvas<'_>,
        title: &str,
        names: &[(usize, &str)],
        swatch: bool,
        titles: &[String],
    ) -> Result<(), ReportError> {
        canvas.text(title, (MARGIN, MARGIN + 7.0), Letters::of(15.0).bold())?;
        if names.len() > 1 {
            legend(canvas, names, (MARGIN, MARGIN + 33.0), WIDTH - 2.0 * MARGIN, swatch)?;
        }
        if self.titled {
            for ([left, _, top, _], title) in self.panels.iter().zip(titles) {
                canvas.text(title, (*left, top - 11.0), Letters::of(12.0).bold().faint())?;
            }
        }
        debug_assert!(self.panels.iter().all(|panel| panel[2] >= self.top));
        Ok(())
    }

    /// What an axis along the bottom of a panel is called.
    pub fn below(&self, canvas: &Canvas<'_>, panel: usize, label: &str) -> Result<(), ReportError> {
        let [left, right, _, bottom] = self.panels[panel];
        canvas.text(label, ((left + right) / 2.0, bottom + 28.0), Letters::of(12.0).middle())?;
        Ok(())
    }
}

/// The legend of a grid's series.
pub fn series_names(grid: &Grid) -> Vec<(usize, &str)> {
    grid.used().into_iter().map(|series| (series, grid.series[series].as_str())).collect()
}

/// The titles of a grid's panels.
pub fn titles(grid: &Grid) -> Vec<String> {
    grid.panels.iter().map(|panel| panel.title.clone()).collect()
}
