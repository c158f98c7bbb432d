//! The page, made from the templates in the folder `page`.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value as Filling;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;
use serde_json::Value;

use super::error::ReportError;
use super::figure::Figure;
use super::headline::Table;

/// The content of a page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// One sentence below it.
    pub about: String,
    /// The main results, in a few sentences.
    pub lead: Vec<String>,
    /// Limits of the data.
    pub notes: Vec<String>,
    /// The origin of the figures: names and values.
    pub facts: Vec<(String, String)>,
    /// The experiment files, with the names of their runs.
    pub experiments: Vec<(String, String)>,
    /// The title of the first table.
    pub table_title: String,
    /// Its caption.
    pub table_caption: String,
    /// The table.
    pub table: Table,
    /// The file that has the table and more.
    pub table_file: String,
    /// The figures.
    pub figures: Vec<Figure>,
    /// The documents, as the content of a script element. None if they are left out.
    pub documents: Option<String>,
    /// A note about the documents.
    pub documents_note: String,
    /// Whether two runs are compared.
    pub compared: bool,
    /// The program that made the page, with its version.
    pub program: String,
}

impl Page {
    /// As HTML.
    ///
    /// # Errors
    /// When the template cannot be filled in.
    pub fn to_html(&self) -> Result<String, ReportError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.add_template("page.html", include_str!("page/page.html"))?;
        let filled = context! {
            page => filling(serde_json::to_value(self)?),
            style => include_str!("page/page.css"),
            script => include_str!("page/page.js"),
        };
        Ok(environment.get_template("page.html")?.render(filled)?)
    }
}

/// A JSON value as a value of the template engine.
fn filling(value: Value) -> Filling {
    match value {
        Value::Null => Filling::from(()),
        Value::Bool(is) => Filling::from(is),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Filling::from(whole),
            None => Filling::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Filling::from(text),
        Value::Array(items) => Filling::from(items.into_iter().map(filling).collect::<Vec<Filling>>()),
        Value::Object(fields) => Filling::from_pairs(fields.into_iter().map(|(name, value)| (name, filling(value)))),
    }
}
