//! The measurements as CSV and as the tables of `docs/mask-engine.md`.

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::Value;

use crate::jobs::ENGINES;

/// The workspace.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Writes `target/masks.csv`: one line for each engine, format, level and vocabulary.
pub fn write_csv(rows: &[Value]) -> std::io::Result<PathBuf> {
    let mut text = String::from("vocabulary,format,level,engine,documents,states,different");
    let times = ["compile", "cold", "sparse", "dense", "warm", "copied", "advance"];
    let parts = ["mean", "p50", "p99", "p999", "max"];
    for time in times {
        for part in parts {
            let _ = write!(text, ",{time}_{part}_us");
        }
    }
    text += ",notes\n";
    for row in rows {
        let names =
            ["vocabulary", "format", "level", "engine"].map(|name| field(row[name].as_str().unwrap_or_default()));
        let counts = ["documents", "states", "different"].map(|name| row[name].to_string());
        let mut fields: Vec<String> = names.into_iter().chain(counts).collect();
        for time in times {
            fields.extend(
                parts.map(|part| row[time][part].as_f64().map_or(String::new(), |value| format!("{value:.4}"))),
            );
        }
        fields.push(field(&notes(row).join("; ")));
        text += &fields.join(",");
        text.push('\n');
    }
    let path = root().join("target/masks.csv");
    std::fs::create_dir_all(root().join("target"))?;
    std::fs::write(&path, text)?;
    Ok(path)
}

fn field(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

fn notes(row: &Value) -> Vec<&str> {
    row["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Three digits that count, as people read microseconds.
fn short(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

fn number(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".into(), short)
}

/// The tables of all engines: masks when a walk is repeated, masks at first visits, compilation; then the notes.
pub fn engines(rows: &[Value]) -> String {
    let mut out = String::new();
    let mut names: Vec<&str> = rows.iter().filter_map(|row| row["vocabulary"].as_str()).collect();
    names.dedup();
    for vocabulary in names {
        let rows: Vec<&Value> = rows.iter().filter(|row| row["vocabulary"] == vocabulary).collect();
        let mut feet: Vec<String> = Vec::new();
        for (title, time, unit, scale) in [
            ("Mask, second walk", "warm", "microseconds", 1.0),
            ("Mask, first walk", "cold", "microseconds", 1.0),
            ("Compilation of a sentence's language", "compile", "milliseconds", 1e-3),
        ] {
            let _ = writeln!(out, "**{title}, {vocabulary}** (mean, {unit})\n");
            let copied = if time == "warm" { " copied |" } else { "" };
            let shown: Vec<&str> =
                ENGINES.into_iter().filter(|engine| rows.iter().any(|row| row["engine"] == *engine)).collect();
            let rest: String = shown[1..].iter().map(|engine| format!(" {engine} |")).collect();
            let _ = writeln!(out, "| format | level | gramask |{copied}{rest}");
            let columns = 2 + shown.len() + usize::from(time == "warm");
            let _ = writeln!(out, "|{}", "---|".repeat(columns));
            for first in rows.iter().filter(|row| row["engine"] == ENGINES[0]) {
                let (format, level) = (&first["format"], &first["level"]);
                let _ = write!(out, "| {} | {} |", text(format), text(level));
                for &engine in &shown {
                    let same =
                        |row: &&&Value| row["engine"] == engine && row["format"] == *format && row["level"] == *level;
                    let Some(row) = rows.iter().find(same) else {
                        out += " |";
                        continue;
                    };
                    let value = row[time]["mean"].as_f64().map(|mean| short(mean * scale));
                    let foot = (engine != ENGINES[0]).then(|| foot(row, &mut feet)).flatten();
                    let value = value.unwrap_or_else(|| if foot.is_some() { String::new() } else { "-".into() });
                    let mark = foot.map_or(String::new(), |foot| format!(" ({foot})"));
                    let _ = write!(out, " {value}{mark} |");
                    if engine == ENGINES[0] && time == "warm" {
                        let _ = write!(out, " {} |", number(&row["copied"]["mean"]));
                    }
                }
                out.push('\n');
            }
            out.push('\n');
        }
        for (at, foot) in feet.iter().enumerate() {
            let _ = writeln!(out, "({}) {foot}  ", at + 1);
        }
        out.push('\n');
        detail(&rows, vocabulary, &mut out);
    }
    out
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The number of a row's note; equal ones share it. How many masks differ and how is left to the CSV file.
fn foot(row: &Value, feet: &mut Vec<String>) -> Option<usize> {
    let mut parts: Vec<String> = Vec::new();
    if row["different"].as_u64().unwrap_or(0) > 0 {
        parts.push("another language: some of its masks on the walk differ from ours".into());
    }
    let told = notes(row).into_iter().filter(|note| !note.starts_with("first difference"));
    parts.extend(told.map(|note| note.replace('|', "\\|")));
    if parts.is_empty() {
        return None;
    }
    let note = parts.join("; ");
    let at = feet.iter().position(|foot| *foot == note);
    Some(
        1 + at.unwrap_or_else(|| {
            feet.push(note);
            feet.len() - 1
        }),
    )
}

/// Our own engine in detail.
fn detail(rows: &[&Value], vocabulary: &str, out: &mut String) {
    let _ = writeln!(out, "**Gramask in detail, {vocabulary}** (microseconds)\n");
    *out += "| format | level | first visits: mean | p99 | of lists | of bit rows | max | borrowed: mean | p99 | max | copied: mean | p99 | max | advance: mean |\n";
    let _ = writeln!(out, "|{}", "---|".repeat(14));
    for row in rows.iter().filter(|row| row["engine"] == ENGINES[0]) {
        let _ = write!(out, "| {} | {} |", text(&row["format"]), text(&row["level"]));
        for (time, part) in [
            ("cold", "mean"),
            ("cold", "p99"),
            ("sparse", "mean"),
            ("dense", "mean"),
            ("cold", "max"),
            ("warm", "mean"),
            ("warm", "p99"),
            ("warm", "max"),
            ("copied", "mean"),
            ("copied", "p99"),
            ("copied", "max"),
            ("advance", "mean"),
        ] {
            let _ = write!(out, " {} |", number(&row[time][part]));
        }
        out.push('\n');
    }
    out.push('\n');
}

/// How long formats and documents take to compile.
pub fn compilation(rows: &[Value]) -> String {
    let mut out = String::from(
        "**Compilation** (milliseconds; a document's at level `syntax` and `grounded`)\n\n\
         | format | format | sentence | abstract | 1 KB | 10 KB |\n|---|---|---|---|---|---|\n",
    );
    let ms = |value: &Value| value.as_f64().map_or_else(|| "-".into(), |micros| short(micros / 1e3));
    for row in rows {
        let _ = write!(out, "| {} | {} |", text(&row["format"]), ms(&row["compile"]));
        for length in ["sentence", "abstract", "1 KB", "10 KB"] {
            let levels = &row["documents"][length];
            let _ = write!(out, " {} / {} |", ms(&levels["syntax"]), ms(&levels["grounded"]));
        }
        out.push('\n');
    }
    out
}

/// The whole corpus.
pub fn corpus(rows: &[Value]) -> String {
    let mut out = String::new();
    if let Some(row) = rows.first() {
        let (corpus, of) = (text(&row["corpus"]), &row["of"]);
        let _ = writeln!(
            out,
            "**Every token of the gold outputs of {corpus} ({of} sentences), {}, one thread** (microseconds per token: mask and \
             step, first visits included)\n",
            text(&row["vocabulary"])
        );
    }
    out += "| format | level | sentences | tokens | mean | p50 | p99 | p99.9 | max | new constraint | mean with it | KB per live document | MB per 1,000 |\n";
    let _ = writeln!(out, "|{}", "---|".repeat(13));
    for row in rows {
        let token = &row["token"];
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            text(&row["format"]),
            text(&row["level"]),
            row["documents"],
            row["tokens"],
            number(&token["mean"]),
            number(&token["p50"]),
            number(&token["p99"]),
            number(&token["p999"]),
            number(&token["max"]),
            number(&row["new"]["mean"]),
            number(&row["with_new"]),
            number(&row["live_kb"]),
            number(&row["thousand_mb"]),
        );
    }
    out
}

/// Puts a text between `<!-- NAME -->` and `<!-- /NAME -->` of the page; says so where the marks are missing.
pub fn into_docs(name: &str, text: &str) -> std::io::Result<()> {
    let path = root().join("docs/mask-engine.md");
    let page = std::fs::read_to_string(&path)?;
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let marks = page.find(&open).map(|at| at + open.len()).zip(page.find(&close));
    let Some((from, to)) = marks.filter(|(from, to)| from <= to) else {
        eprintln!("{}: no `{open}` with `{close}` after it; nothing is written", path.display());
        return Ok(());
    };
    let page = format!("{}\n{}\n{}", &page[..from], text.trim_end(), &page[to..]);
    std::fs::write(&path, page)
}
