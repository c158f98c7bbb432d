//! What formats can't express of a corpus.

use std::collections::BTreeMap;
use std::sync::Arc;

use gramask_grammar::{Format, Program};
use gramask_ner::{Document, Schema};
use rayon::prelude::*;
use serde::Serialize;

/// What a format can't express of a corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FormatReport {
    /// The format.
    pub format: String,
    /// Entities that the format can't express, those of documents that it can't write at all among them.
    pub inexpressible: usize,
    /// How many for each reason, in words.
    pub reasons: BTreeMap<String, usize>,
    /// Documents that the format can't write at all. A run can't decode them in this format.
    pub unwritable: usize,
    /// Why the first of them can't be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwritable_first: Option<String>,
    /// Why the format can't be compiled for the labels; all of the rest is unknown then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl FormatReport {
    /// Writes all documents in each of these formats, and counts what the outputs leave unsaid.
    pub fn of(formats: &[Format], schema: &Schema, documents: &[&Document]) -> Vec<FormatReport> {
        formats.par_iter().map(|format| of_one(format, schema, documents)).collect()
    }
}

fn of_one(format: &Format, schema: &Schema, documents: &[&Document]) -> FormatReport {
    let mut report = FormatReport { format: format.name.clone(), ..FormatReport::default() };
    let programs: Vec<Arc<Program>> = match Program::passes(format, schema) {
        Ok(programs) => programs,
        Err(error) => return FormatReport { refused: Some(error.to_string()), ..report },
    };
    for document in documents {
        match Program::unexpressed(&programs, &document.text, &document.entities) {
            Ok(unexpressed) => {
                report.inexpressible += unexpressed.len();
                for (_, reason) in unexpressed {
                    *report.reasons.entry(reason.to_string()).or_default() += 1;
                }
            }
            Err(error) => {
                report.inexpressible += document.entities.len();
                report.unwritable += 1;
                report.unwritable_first.get_or_insert_with(|| format!("document {}: {error}", document.id));
            }
        }
    }
    report
}
