//! The page: the templates of the folder `page`, filled in.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value as Filling;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;
use serde_json::Value;

use super::error::ReportError;
use super::figure::Figure;
use super::headline::Table;

/// What a page shows.
#[derive(Debug, Serialize)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// One sentence below it.
    pub about: String,
    /// What was found, in a few sentences.
    pub lead: Vec<String>,
    /// What a reader must know of the data.
    pub notes: Vec<String>,
    /// Where the figures come from: names and values.
    pub facts: Vec<(String, String)>,
    /// The experiment files, with the names of their runs.
    pub experiments: Vec<(String, String)>,
    /// What the first table is called.
    pub table_title: String,
    /// What is said of it.
    pub table_caption: String,
    /// The table.
    pub table: Table,
    /// The file that has the table and more.
    pub table_file: String,
    /// The figures.
    pub figures: Vec<Figure>,
    /// The documents, as the inside of a script element; none where they are left out.
    pub documents: Option<String>,
    /// What is said of the documents.
    pub documents_note: String,
    /// Whether two runs are compared.
    pub compared: bool,
    /// Who made it.
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

/// A value as templates have it.
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
