//! A text with its entities highlighted, for the terminal.
//!
//! An entity is shown as `[breast cancer|Disease]`, in colour where the terminal has colours. Entities nest as brackets do. The
//! fragments of a discontinuous entity share a number: `[breast|Disease#1] and ovarian [cancer|Disease#1]`.

use std::cmp::Reverse;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use gramask_ner::{Entity, Fragment, Schema, Text};

/// Colours for dark and light backgrounds. A schema with more labels uses them again.
const COLOURS: [AnsiColor; 6] =
    [AnsiColor::Green, AnsiColor::Magenta, AnsiColor::Cyan, AnsiColor::Yellow, AnsiColor::Blue, AnsiColor::Red];

/// The style of a label.
pub fn label_style(schema: &Schema, label: &str) -> Style {
    let index = schema.index(label).unwrap_or(schema.len());
    Style::new().bold().fg_color(Some(COLOURS[index % COLOURS.len()].into()))
}

/// The text with its entities highlighted, with escape codes for colours. Print it through `anstream`, which removes them if the
/// terminal has no colours.
pub fn highlighted(text: &Text, entities: &[Entity], schema: &Schema) -> String {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut numbered = 0;
    for entity in entities {
        let number = (entity.fragments.len() > 1).then(|| {
            numbered += 1;
            numbered
        });
        pieces.extend(entity.fragments.iter().map(|&fragment| Piece { fragment, label: &entity.label, number }));
    }
    // Outer ones open first and close last; fragments that cross without nesting close in the order of their ends.
    pieces.sort_by_key(|piece| (piece.fragment.start, Reverse(piece.fragment.end)));
    let mut places: Vec<usize> = pieces.iter().flat_map(|piece| [piece.fragment.start, piece.fragment.end]).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.dedup();

    let mut out = String::new();
    let mut open: Vec<&Piece> = Vec::new();
    for (i, &place) in places.iter().enumerate() {
        while let Some(at) = open.iter().rposition(|piece| piece.fragment.end <= place) {
            let piece = open.remove(at);
            let style = label_style(schema, piece.label);
            let number = piece.number.map(|number| format!("#{number}")).unwrap_or_default();
            let faint = style.dimmed();
            let _ = write!(out, "{faint}|{}{number}{faint:#}{style}]{style:#}", piece.label);
        }
        for piece in pieces.iter().filter(|piece| piece.fragment.start == place) {
            let style = label_style(schema, piece.label);
            let _ = write!(out, "{style}[{style:#}");
            open.push(piece);
        }
        let Some(&next) = places.get(i + 1) else { break };
        let plain = text.slice(Fragment::new(place, next)).unwrap_or_default();
        match open.last() {
            None => out.push_str(plain),
            // In nested entities, the innermost gives the colour, and the text is underlined.
            Some(piece) => {
                let style = label_style(schema, piece.label);
                let style = if open.len() > 1 { style.underline() } else { style };
                let _ = write!(out, "{style}{plain}{style:#}");
            }
        }
    }
    out
}

struct Piece<'a> {
    fragment: Fragment,
    label: &'a str,
    /// Which discontinuous entity it belongs to.
    number: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str, entities: &[Entity]) -> String {
        let schema = Schema::new(["Gene", "Disease"]);
        let marked = highlighted(&Text::new(text), entities, &schema);
        anstream::adapter::strip_str(&marked).to_string()
    }

    #[test]
    fn flat_nested_crossing_and_discontinuous_entities() {
        assert_eq!(plain("no entity", &[]), "no entity");
        assert_eq!(plain("", &[]), "");
        let text = "BRCA1 β breast and ovarian cancer";
        let (gene, cancer) = (Entity::new("Gene", 0, 5), Entity::new("Disease", 19, 33));
        assert_eq!(plain(text, &[gene, cancer.clone()]), "[BRCA1|Gene] β breast and [ovarian cancer|Disease]");
        let nested = Entity::new("Gene", 19, 26);
        assert_eq!(plain(text, &[nested, cancer.clone()]), "BRCA1 β breast and [[ovarian|Gene] cancer|Disease]");
        let broken = Entity::discontinuous("Disease", vec![Fragment::new(8, 14), Fragment::new(27, 33)]);
        assert_eq!(
            plain(text, &[broken, cancer]),
            "BRCA1 β [breast|Disease#1] and [ovarian [cancer|Disease#1]|Disease]"
        );
        let crossing = [Entity::new("Gene", 0, 2), Entity::new("Disease", 1, 3)];
        assert_eq!(plain("abc", &crossing), "[a[b|Gene]c|Disease]");
    }

    #[test]
    fn colours_are_there_for_a_terminal() {
        let schema = Schema::new(["Gene"]);
        let marked = highlighted(&Text::new("BRCA1"), &[Entity::new("Gene", 0, 5)], &schema);
        assert!(marked.contains("\u{1b}[32m") || marked.contains("32m"), "{marked:?}");
    }
}
