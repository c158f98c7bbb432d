//! How a figure's marks are laid out. There is a panel for each corpus and model, a row for each format, and a mark for each
//! series, which is a level with its strategy.

use super::canvas::{COLOURS, Canvas, Drawn, Letters, Mark, width_of};
use crate::report::tally::Tally;

/// A panel.
#[derive(Debug)]
pub struct Panel {
    /// What its cells share; empty where that is all there is.
    pub title: String,
    /// The cells by format and series: `cells[format][series]`.
    pub cells: Vec<Vec<Option<usize>>>,
}

/// The cells of a run, laid out.
#[derive(Debug)]
pub struct Grid {
    /// The formats.
    pub formats: Vec<String>,
    /// The series.
    pub series: Vec<String>,
    /// The panels.
    pub panels: Vec<Panel>,
}

impl Grid {
    /// Lays out those cells that `shown` says.
    pub fn of(tallies: &[Tally], shown: impl Fn(&Tally) -> bool) -> Grid {
        let name = Names::of(tallies);
        let (mut formats, mut series, mut titles) = (Vec::new(), Vec::new(), Vec::new());
        // The order, and with it colour and shape, is that of the whole run in every figure.
        for tally in tallies {
            note(&mut series, name.series(tally));
        }
        for tally in tallies.iter().filter(|tally| shown(tally)) {
            note(&mut formats, tally.cell.format.clone());
            note(&mut titles, name.panel(tally));
        }
        let place = |list: &[String], item: &str| list.iter().position(|other| other == item).unwrap_or(0);
        let mut panels: Vec<Panel> = titles
            .iter()
            .map(|title| Panel { title: title.clone(), cells: vec![vec![None; series.len()]; formats.len()] })
            .collect();
        for (number, tally) in tallies.iter().enumerate().filter(|(_, tally)| shown(tally)) {
            let panel = &mut panels[place(&titles, &name.panel(tally))];
            let row = &mut panel.cells[place(&formats, &tally.cell.format)];
            row[place(&series, &name.series(tally))] = Some(number);
        }
        Grid { formats, series, panels }
    }

    /// The series that have a mark somewhere.
    pub fn used(&self) -> Vec<usize> {
        let has = |series: &usize| {
            let mut rows = self.panels.iter().flat_map(|panel| &panel.cells);
            rows.any(|row| row[*series].is_some())
        };
        (0..self.series.len()).filter(has).collect()
    }

    /// The room that the names of the formats take.
    pub fn label_width(&self) -> f64 {
        let widths = self.formats.iter().map(|format| width_of(format, 12.0));
        widths.fold(40.0, f64::max)
    }
}

/// What a run's cells are called where what they all share need not be said.
pub struct Names {
    corpora: bool,
    models: bool,
    strategies: bool,
}

impl Names {
    /// For these cells.
    pub fn of(tallies: &[Tally]) -> Names {
        let several = |name: fn(&Tally) -> &String| tallies.iter().any(|tally| name(tally) != name(&tallies[0]));
        let plain = |tally: &Tally| matches!(tally.row.strategy.as_str(), "unconstrained" | "masked");
        Names {
            corpora: several(|tally| &tally.cell.corpus),
            models: several(|tally| &tally.cell.model),
            // The level tells those two apart.
            strategies: !tallies.iter().all(plain),
        }
    }

    /// The level, and the strategy where that says more.
    pub fn series(&self, tally: &Tally) -> String {
        match self.strategies {
            true => format!("{} {}", tally.row.level, tally.row.strategy),
            false => tally.row.level.clone(),
        }
    }

    /// Corpus and model, as far as there are several.
    pub fn panel(&self, tally: &Tally) -> String {
        let parts =
            [self.corpora.then_some(tally.cell.corpus.as_str()), self.models.then_some(tally.cell.model.as_str())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    /// All that tells a cell from the others.
    pub fn cell(&self, tally: &Tally) -> String {
        let panel = self.panel(tally);
        let gap = if panel.is_empty() { "" } else { " · " };
        format!("{panel}{gap}{} · {}", tally.cell.format, self.series(tally))
    }
}

/// Adds an item unless it is there.
fn note(list: &mut Vec<String>, item: String) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// The legend of series with marks, from `at` on in lines of `width`: returns its height.
pub fn legend(
    canvas: &Canvas<'_>,
    names: &[(usize, &str)],
    at: (f64, f64),
    width: f64,
    swatch: bool,
) -> Result<f64, plotters::drawing::DrawingAreaErrorKind<std::io::Error>> {
    let (mut x, mut y) = at;
    for &(number, name) in names {
        let room = 16.0 + width_of(name, 12.0) + 18.0;
        if x > at.0 && x + room > at.0 + width {
            (x, y) = (at.0, y + 18.0);
        }
        entry(canvas, number, name, (x, y), swatch)?;
        x += room;
    }
    Ok(y - at.1 + 18.0)
}

fn entry(canvas: &Canvas<'_>, number: usize, name: &str, (x, y): (f64, f64), swatch: bool) -> Drawn {
    let colour = COLOURS[number % COLOURS.len()];
    match swatch {
        true => canvas.bar((x, y - 5.0), (x + 11.0, y + 5.0), colour)?,
        false => canvas.mark(Mark::of(number), (x + 5.0, y), 4.2, colour)?,
    }
    canvas.text(name, (x + 16.0, y), Letters::of(12.0))
}

/// How high a legend of these names will be.
pub fn legend_height(names: &[(usize, &str)], width: f64) -> f64 {
    let (mut x, mut lines) = (0.0, 1.0);
    for (_, name) in names {
        let room = 16.0 + width_of(name, 12.0) + 18.0;
        if x > 0.0 && x + room > width {
            (x, lines) = (0.0, lines + 1.0);
        }
        x += room;
    }
    18.0 * lines
}
