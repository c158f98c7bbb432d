//! The figures of a report: each is drawn once, stands in the page and in a file of its own, and brings its numbers as a table.

mod axis;
mod bars;
mod canvas;
mod dots;
mod frame;
mod grid;
mod lines;
mod removed;
mod results;
mod scatter;
mod work;

use serde::Serialize;

use super::error::ReportError;
use super::tally::Tally;

pub(super) use canvas::dress;
pub(super) use dots::{Dot, dots};
pub(super) use grid::{Grid, Names};

/// A figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What its files are called.
    pub id: String,
    /// Its title.
    pub title: String,
    /// What it shows, and how to read it.
    pub caption: String,
    /// It, as SVG.
    pub svg: String,
    /// Its numbers.
    pub table: FigureTable,
}

/// The numbers of a figure.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FigureTable {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The lines.
    pub rows: Vec<Vec<String>>,
}

/// What a figure says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    /// What its files are called.
    pub id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// What it shows.
    pub caption: &'a str,
}

/// What was drawn.
pub(super) struct Drawing {
    svg: String,
    size: (f64, f64),
}

impl Figure {
    pub(super) fn new(text: Text<'_>, drawing: Drawing, table: FigureTable) -> Figure {
        Figure {
            id: text.id.into(),
            title: text.title.into(),
            caption: text.caption.into(),
            svg: dress(&drawing.svg, drawing.size, text.id, text.title, text.caption),
            table,
        }
    }
}

impl FigureTable {
    /// A table of these columns, after those that name a cell.
    pub(super) fn of_cells(columns: &[&str]) -> FigureTable {
        let names = ["model", "corpus", "format", "level", "strategy"];
        FigureTable { columns: names.iter().chain(columns).map(|name| name.to_string()).collect(), rows: Vec::new() }
    }

    /// Adds a line of a cell.
    pub(super) fn add(&mut self, tally: &Tally, values: impl IntoIterator<Item = String>) {
        let cell = &tally.cell;
        let names = [&cell.model, &cell.corpus, &cell.format, &tally.row.level, &tally.row.strategy];
        self.rows.push(names.into_iter().cloned().chain(values).collect());
    }

    /// As CSV.
    ///
    /// # Errors
    /// When a line cannot be written.
    pub fn to_csv(&self) -> Result<String, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.columns)?;
        for row in &self.rows {
            writer.write_record(row)?;
        }
        let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A number in a table: at most six digits after the point.
pub(super) fn number(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    // Adding 0 keeps nothing from being written as -0.
    format!("{}", rounded + 0.0)
}

/// All figures that these cells have something to show in.
pub(super) fn figures(all: &[Tally]) -> Result<Vec<Figure>, ReportError> {
    // A cell that decoded nothing has no figure. How its outputs ended up is said all the same.
    let tallies: Vec<Tally> = all.iter().filter(|tally| !tally.row.decoded_nothing()).cloned().collect();
    if tallies.is_empty() {
        return Ok(results::outcomes(all)?.into_iter().collect());
    }
    let tallies = tallies.as_slice();
    // Tasks have no entities, and no F1.
    let of_entities: Vec<Tally> = tallies.iter().filter(|tally| !tally.row.is_of_tasks()).cloned().collect();
    let of_entities = |draw: fn(&[Tally]) -> Result<Option<Figure>, ReportError>| match of_entities.is_empty() {
        true => Ok(None),
        false => draw(&of_entities),
    };
    let drawn = [
        of_entities(results::f1)?,
        of_entities(results::losses)?,
        results::valid(tallies)?,
        results::outcomes(all)?,
        of_entities(results::entities)?,
        of_entities(work::pareto)?,
        removed::by_format(tallies)?,
        removed::by_position(tallies)?,
        of_entities(removed::against_f1)?,
        work::shares(tallies)?,
        work::effort(tallies)?,
    ];
    Ok(drawn.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_has_one_for_dark_ground() {
        use canvas::*;
        for colour in COLOURS.iter().chain(&[INK, FAINT, RULE, AXIS, ON_DARK]) {
            let attribute = format!("[fill=\"#{:02X}{:02X}{:02X}\"]", colour.0, colour.1, colour.2);
            assert!(STYLE.contains(&attribute), "{attribute}");
        }
    }

    #[test]
    fn tables_come_back_as_they_were() {
        let table = FigureTable {
            columns: vec!["format".into(), "f1".into()],
            rows: vec![vec!["a,\"b\"\n".into(), number(0.1234567)], vec!["c".into(), number(-0.0)]],
        };
        let csv = table.to_csv().unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<Vec<String>> =
            reader.records().map(|row| row.unwrap().iter().map(String::from).collect()).collect();
        assert_eq!(rows, table.rows);
        assert_eq!((rows[0][1].as_str(), rows[1][1].as_str()), ("0.123457", "0"));
    }
}
