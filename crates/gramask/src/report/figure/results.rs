//! Figures of what came out: F1, how outputs ended up, what became of the entities.

use gramask_ner::metrics::ErrorCounts;

use super::bars::{Part, bars};
use super::{Dot, Figure, FigureTable, Grid, Text, dots, number};
use crate::report::error::ReportError;
use crate::report::tally::{Outcome, Tally};

/// Strict F1 with its interval.
pub(super) fn f1(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "f1",
        title: "F1 by format and level",
        caption: "Strict F1 (label and both boundaries), micro-averaged, with its 95 % interval by a bootstrap over the documents. \
                  Intervals that overlap do not show that two cells are alike: they are of the same documents, and the paired test \
                  of a comparison is sharper.",
    };
    let grid = Grid::of(tallies, |_| true);
    let drawing = dots(&grid, text, "strict F1, %", |cell| {
        let row = &tallies[cell].row;
        (row.documents > 0).then_some(Dot { value: row.f1, interval: Some((row.f1_low, row.f1_high)) })
    })?;
    let mut table = FigureTable::of_cells(&["documents", "f1", "f1_low", "f1_high", "precision", "recall"]);
    for tally in tallies {
        let row = &tally.row;
        let figures = [row.f1, row.f1_low, row.f1_high, row.precision, row.recall].map(number);
        table.add(tally, [row.documents.to_string()].into_iter().chain(figures));
    }
    Ok(Some(Figure::new(text, drawing, table)))
}

/// The share of valid answers with its interval, of tasks.
pub(super) fn valid(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "valid",
        title: "Valid answers of tasks",
        caption: "The share of answers that a validator accepts which shares no code with the masks, with its 95 % interval (Wilson's). \
                  Intervals that overlap do not show that two cells are alike: they are of the same tasks, and the paired test of a \
                  comparison is sharper.",
    };
    let known = |tally: &Tally| {
        let row = &tally.row;
        Some([row.valid_rate?, row.valid_low?, row.valid_high?])
    };
    if tallies.iter().all(|tally| known(tally).is_none()) {
        return Ok(None);
    }
    let grid = Grid::of(tallies, |tally| known(tally).is_some());
    let drawing = dots(&grid, text, "valid answers, %", |cell| {
        known(&tallies[cell]).map(|[value, low, high]| Dot { value, interval: Some((low, high)) })
    })?;
    let mut table = FigureTable::of_cells(&["tasks", "valid", "valid_low", "valid_high", "exact", "equal"]);
    for tally in tallies {
        let Some(valid) = known(tally) else { continue };
        let expected = [tally.row.exact_rate, tally.row.equal_rate];
        let figures = valid.into_iter().map(Some).chain(expected).map(|value| value.map_or(String::new(), number));
        table.add(tally, [tally.row.documents.to_string()].into_iter().chain(figures));
    }
    Ok(Some(Figure::new(text, drawing, table)))
}

/// The colours of the outcomes: blue is fine, grey was not tried.
const OUTCOMES: [usize; 6] = [0, 5, 1, 4, 3, 6];

/// How the outputs ended up.
pub(super) fn outcomes(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let caption = match tallies.iter().all(|tally| tally.row.is_of_tasks()) {
        true => "Each answer counts once, for the worst that can be said of it: it was cut off, or it does not parse.",
        false => {
            "Each output counts once, for the worst that can be said of it. An output that is cut off or does not parse gives no \
             entity; one whose copy is wrong parses, but no entity of it can be placed; a refused entity is one that the document \
             does not hold, whose label is unknown, whose parts disagree, or that stands there twice."
        }
    };
    let text = Text { id: "outcomes", title: "How the outputs ended up: failures by kind", caption };
    let grid = Grid::of(tallies, |_| true);
    let seen: Vec<Outcome> = Outcome::ALL
        .into_iter()
        .filter(|outcome| tallies.iter().any(|tally| tally.outcomes[*outcome as usize] > 0))
        .collect();
    let parts: Vec<Part> = seen.iter().map(|outcome| (OUTCOMES[*outcome as usize], outcome.name())).collect();
    let drawing = bars(&grid, text, "outputs, %", &parts, |cell| {
        let tally = &tallies[cell];
        let whole = tally.outputs as f64;
        (whole > 0.0).then(|| seen.iter().map(|outcome| tally.outcomes[*outcome as usize] as f64 / whole).collect())
    })?;
    let names: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
    let mut table = FigureTable::of_cells(&[&["outputs"], &names[..]].concat());
    for tally in tallies {
        let counts = tally.outcomes.iter().map(|count| count.to_string());
        table.add(tally, [tally.outputs.to_string()].into_iter().chain(counts));
    }
    Ok(Some(Figure::new(text, drawing, table)))
}

/// What became of the gold entities.
pub(super) fn entities(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "entities",
        title: "What became of the gold entities",
        caption: "A gold entity is found (label and both boundaries), or a prediction overlaps it with a wrong boundary, a wrong label or \
                  both, or nothing does: then it is missed. Gold entities of outputs that give none are missed, too. Predictions beside \
                  all gold entities (spurious) are in the table.",
    };
    let known = |tally: &Tally| tally.errors.filter(|_| tally.row.gold > 0);
    if tallies.iter().all(|tally| known(tally).is_none()) {
        return Ok(None);
    }
    let grid = Grid::of(tallies, |tally| known(tally).is_some());
    let parts: [Part; 5] = [(0, "found"), (5, "wrong boundary"), (1, "wrong label"), (3, "both wrong"), (6, "missed")];
    let counts = |(errors, found): (ErrorCounts, usize)| {
        [found, errors.wrong_boundary, errors.wrong_type, errors.wrong_both, errors.missing]
    };
    let drawing = bars(&grid, text, "gold entities, %", &parts, |cell| {
        let counts = counts(known(&tallies[cell])?);
        let whole: usize = counts.iter().sum();
        Some(counts.iter().map(|&count| count as f64 / whole as f64).collect())
    })?;
    let columns = [
        "gold",
        "found",
        "wrong boundary",
        "wrong label",
        "both wrong",
        "missed",
        "spurious",
        "not in document",
        "unknown label",
        "disagreeing",
    ];
    let mut table = FigureTable::of_cells(&columns);
    for tally in tallies {
        let Some((errors, found)) = known(tally) else { continue };
        let beside = [errors.spurious, errors.not_in_document, errors.unknown_label, errors.disagreeing];
        let all = [tally.row.gold].into_iter().chain(counts((errors, found))).chain(beside);
        table.add(tally, all.map(|count| count.to_string()));
    }
    Ok(Some(Figure::new(text, drawing, table)))
}

/// Where the F1 goes: what each cell loses by parsing, copying, counting and recognition.
pub(super) fn losses(tallies: &[Tally]) -> Result<Option<Figure>, ReportError> {
    let text = Text {
        id: "losses",
        title: "Where the F1 goes",
        caption: "What strict F1 lacks of 100, by scoring the same outputs at increasing leniency: parsing is what is won where faults of \
                  syntax and of labels are forgiven, copying where faults of copied text are, too, counting where positions and numbers \
                  are; recognition is the rest. A part that is below 0, since lenient reading adds wrong predictions, is drawn as nothing; \
                  the table has all numbers.",
    };
    let at = |tally: &Tally| Some([tally.row.f1, tally.row.f1_parse?, tally.row.f1_copy?, tally.row.f1_count?]);
    if tallies.iter().all(|tally| at(tally).is_none()) {
        return Ok(None);
    }
    let grid = Grid::of(tallies, |tally| at(tally).is_some());
    let parts: [Part; 5] = [(0, "strict F1"), (4, "parsing"), (1, "copying"), (5, "counting"), (6, "recognition")];
    let drawing = bars(&grid, text, "F1, %", &parts, |cell| {
        let mut reached = 0.0;
        let mut shares = Vec::with_capacity(5);
        for f1 in at(&tallies[cell])?.into_iter().chain([1.0]) {
            shares.push((f1 - reached).max(0.0));
            reached = f1.max(reached);
        }
        Some(shares)
    })?;
    let columns = ["f1", "f1_parse", "f1_copy", "f1_count", "parse", "copy", "count", "recognition"];
    let mut table = FigureTable::of_cells(&columns);
    for tally in tallies {
        let Some([strict, parse, copy, count]) = at(tally) else {
            continue;
        };
        let losses = [parse - strict, copy - parse, count - copy, 1.0 - count];
        table.add(tally, [strict, parse, copy, count].into_iter().chain(losses).map(number));
    }
    Ok(Some(Figure::new(text, drawing, table)))
}
