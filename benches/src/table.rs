//! A table of measurements: lines for people, and CSV, as they come.

use std::error::Error;
use std::fs;
use std::path::Path;

/// Rows under named columns.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns.
    pub fn new(columns: &[&'static str]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, and gives it as a line for people. Fields beyond the columns are dropped, missing ones empty.
    pub fn add(&mut self, fields: &[String]) -> String {
        let mut row = fields.to_vec();
        row.resize(self.columns.len(), String::new());
        let shown = self.columns.iter().zip(&row).filter(|(_, value)| !value.is_empty());
        let line: Vec<String> = shown.map(|(column, value)| format!("{column} {value}")).collect();
        self.rows.push(row);
        line.join(", ")
    }

    /// As CSV, with the columns' names first.
    pub fn to_csv(&self) -> String {
        let quoted = |field: &str| match field.contains([',', '"', '\n']) {
            true => format!("\"{}\"", field.replace('"', "\"\"")),
            false => field.to_owned(),
        };
        let mut text = self.columns.join(",") + "\n";
        for row in &self.rows {
            let fields: Vec<String> = row.iter().map(|field| quoted(field)).collect();
            text += &(fields.join(",") + "\n");
        }
        text
    }

    /// Writes the CSV with all rows so far, so that a bench that is cut off has given what it measured; nothing where no path is
    /// given.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn write(&self, path: &str) -> Result<(), Box<dyn Error>> {
        if path.is_empty() {
            return Ok(());
        }
        if let Some(folder) = Path::new(path).parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, self.to_csv()).map_err(|error| format!("{path}: {error}").into())
    }
}

/// Four digits of a number, whatever its size.
pub fn digits(number: f64) -> String {
    match number.abs() {
        size if size >= 1000.0 => format!("{number:.0}"),
        size if size >= 100.0 => format!("{number:.1}"),
        size if size >= 10.0 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut table = Table::new(&["adapter", "us", "note"]);
        let line = table.add(&["llvmpipe (LLVM 15, 256 bits)".into(), digits(1234.56)]);
        assert_eq!(line, "adapter llvmpipe (LLVM 15, 256 bits), us 1235");
        assert_eq!(table.to_csv(), "adapter,us,note\n\"llvmpipe (LLVM 15, 256 bits)\",1235,\n");
        assert_eq!(digits(0.123_456), "0.1235");
    }
}
