//! The trace of an output, as a table for people.

use comfy_table::{Cell, CellAlignment, LineStyle, Table, presets};
use gramask_decode::Chosen;
use gramask_grammar::Vocabulary;

use crate::runner::{Pass, trace};
use crate::store::TraceToken;

/// Prints what is known of each token.
pub(super) fn show(passes: &[Pass], vocabulary: &Vocabulary) {
    for Pass { label, output } in passes {
        let of = label.as_ref().map_or(String::new(), |label| format!(" of {label}"));
        anstream::println!("\ntokens{of}\n{}", drawn(&trace(std::slice::from_ref(output), vocabulary)));
    }
}

fn drawn(tokens: &[TraceToken]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table.set_header([
        "token",
        "text",
        "chosen",
        "log p",
        "rank",
        "removed %",
        "by budget %",
        "entropy",
        "after the mask",
        "arg-max",
    ]);
    for token in tokens {
        let chosen = match token.chosen {
            Chosen::Sampled => "sampled",
            Chosen::Forced => "forced",
            Chosen::Drafted => "drafted",
        };
        let number =
            |value: Option<f64>, factor: f64| value.map_or("-".into(), |value| format!("{:.3}", factor * value));
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            right(token.token.to_string()),
            // Line breaks and blanks at the ends would not be seen.
            Cell::new(format!("{:?}", token.text)),
            Cell::new(chosen),
            right(number(token.log_probability, 1.0)),
            right(token.rank.map_or("-".into(), |rank| rank.to_string())),
            right(number(token.removed, 100.0)),
            right(number(token.removed.map(|_| token.removed_by_budget.unwrap_or(0.0)), 100.0)),
            right(number(token.entropy, 1.0)),
            right(number(token.entropy_after, 1.0)),
            Cell::new(match (&token.wanted, token.changed_best) {
                (Some(wanted), _) if wanted.by_budget => "changed by the budget",
                (_, Some(true)) => "changed",
                _ => "",
            }),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_a_dash() {
        let token = TraceToken {
            pass: 0,
            token: 42,
            text: "\n[".into(),
            chosen: Chosen::Forced,
            log_probability: None,
            removed: Some(0.25),
            removed_by_budget: Some(0.125),
            entropy: Some(1.5),
            entropy_after: None,
            rank: Some(3),
            changed_best: Some(true),
            wanted: None,
            allowed: None,
            forced_text: None,
        };
        let text = drawn(&[token]);
        let line = text.lines().find(|line| line.contains("42")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["42", r#""\n[""#, "forced", "-", "3", "25.000", "12.500", "1.500", "-", "changed"]);
    }
}
