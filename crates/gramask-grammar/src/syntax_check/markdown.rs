//! GitHub Flavored Markdown, read by `pulldown-cmark`.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, TagEnd};
use serde_json::{Value, json};

/// The blocks of the document. Few texts are not Markdown: those with HTML, and tables that lose or lack a cell.
pub fn document(output: &str) -> Result<Value, String> {
    // Per open element its content so far, the document's first.
    let mut open: Vec<Vec<Value>> = vec![Vec::new()];
    let mut cells: Vec<Range<usize>> = Vec::new();
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for (event, range) in Parser::new_ext(output, options).into_offset_iter() {
        match event {
            Event::Start(_) => open.push(Vec::new()),
            Event::End(tag) => {
                let content = open.pop().unwrap_or_default();
                let name = match tag {
                    TagEnd::Table => "table",
                    TagEnd::TableCell => {
                        cells.push(range);
                        "cell"
                    }
                    TagEnd::TableHead | TagEnd::TableRow => {
                        check_row(output, &range, &std::mem::take(&mut cells))?;
                        "row"
                    }
                    _ => "markup",
                };
                push(&mut open, json!({ name: content }));
            }
            Event::Text(text) => push_text(&mut open, &text),
            Event::SoftBreak | Event::HardBreak => push_text(&mut open, "\n"),
            Event::Html(html) | Event::InlineHtml(html) => return Err(format!("`{html}` is HTML")),
            Event::Code(code) => push(&mut open, json!({ "markup": [&*code] })),
            _ => push(&mut open, json!({ "markup": [] })),
        }
    }
    Ok(open.swap_remove(0).into())
}

/// Markdown drops the cells of a row that are more than the head has, and adds empty ones where it has fewer.
fn check_row(output: &str, row: &Range<usize>, cells: &[Range<usize>]) -> Result<(), String> {
    let mut at = row.start;
    let ends = cells.iter().map(|cell| (cell.start, cell.end)).chain([(row.end, row.end)]);
    for (start, end) in ends {
        let between = output.get(at..start).unwrap_or_default();
        if between.chars().any(|c| !matches!(c, '|' | ' ' | '\t' | '\r' | '\n')) {
            return Err(format!("a row has more cells than the head of its table: `{}`", between.trim()));
        }
        at = end.max(at);
    }
    match cells.iter().any(|cell| cell.start >= row.end) {
        true => Err(format!("a row has fewer cells than the head of its table: `{}`", output[row.clone()].trim())),
        false => Ok(()),
    }
}

fn push(open: &mut [Vec<Value>], value: Value) {
    if let Some(content) = open.last_mut() {
        content.push(value);
    }
}

/// Adds text, to the text before it if there is one.
fn push_text(open: &mut [Vec<Value>], text: &str) {
    match open.last_mut().and_then(|content| content.last_mut()) {
        Some(Value::String(before)) => before.push_str(text),
        _ => push(open, text.into()),
    }
}
