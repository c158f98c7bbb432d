//! The curve of a training: a line for each step, a line for each validation, and both as a plot.

use std::path::Path;

use plotters::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::TuneError;

/// A step that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The step, from 1.
    pub step: usize,
    /// Examples seen so far.
    pub examples: usize,
    /// Output tokens learnt from so far.
    pub output_tokens: usize,
    /// Tokens computed so far, common beginnings once.
    pub tokens: usize,
    /// Nats per output token of this step, before it was made.
    pub loss: f64,
    /// The learning rate.
    pub rate: f64,
    /// The gradients' norm before clipping.
    pub norm: f64,
    /// Seconds of computing so far, validations not included.
    pub seconds: f64,
}

/// A cell of a validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// After how many steps.
    pub step: usize,
    /// The format.
    pub format: String,
    /// The level of the constraint.
    pub level: String,
    /// How many documents.
    pub documents: usize,
    /// The share of outputs that parse.
    pub parse_rate: f64,
    /// Strict precision.
    pub precision: f64,
    /// Strict recall.
    pub recall: f64,
    /// Strict F1.
    pub f1: f64,
}

/// Reads the rows of a table; a file that is not there has none.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, TuneError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let wrong = |error: csv::Error| TuneError::Table { path: path.into(), message: error.to_string() };
    let mut reader = csv::Reader::from_path(path).map_err(wrong)?;
    reader.deserialize().collect::<Result<_, _>>().map_err(wrong)
}

/// Writes all rows of a table at one stroke.
pub(super) fn write<T: Serialize>(path: &Path, rows: &[T]) -> Result<(), TuneError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let wrong = |message: String| TuneError::Table { path: path.into(), message };
    for row in rows {
        writer.serialize(row).map_err(|error| wrong(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| wrong(error.to_string()))?;
    let beside = path.with_extension("part");
    std::fs::write(&beside, bytes).map_err(|source| TuneError::io("write", &beside, source))?;
    std::fs::rename(&beside, path).map_err(|source| TuneError::io("write", path, source))
}

/// How many steps the smoothed loss looks back, about.
const WINDOW: f64 = 20.0;

/// Draws loss and F1 over the steps.
pub(super) fn draw(path: &Path, points: &[Point], scores: &[Score]) -> Result<(), TuneError> {
    let Some(last) = points.last() else { return Ok(()) };
    plot(path, points, scores, last.step).map_err(|message| TuneError::Plot { path: path.into(), message })
}

fn plot(path: &Path, points: &[Point], scores: &[Score], last: usize) -> Result<(), String> {
    let fail = |error: &dyn std::fmt::Display| error.to_string();
    let root = SVGBackend::new(path, (860, 620)).into_drawing_area();
    root.fill(&WHITE).map_err(|e| fail(&e))?;
    let (upper, lower) = root.split_vertically(320);
    let highest = points.iter().map(|p| p.loss).fold(0.1, f64::max) * 1.05;
    let lowest = points.iter().map(|p| p.loss).fold(f64::INFINITY, f64::min).max(1e-3) * 0.9;
    let mut loss = ChartBuilder::on(&upper)
        .caption("loss, nats per output token", ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(50)
        .build_cartesian_2d(0..last, (lowest..highest).log_scale())
        .map_err(|e| fail(&e))?;
    let mut mesh = loss.configure_mesh();
    mesh.light_line_style(WHITE).x_desc("step").draw().map_err(|e| fail(&e))?;
    let each = points.iter().map(|p| (p.step, p.loss.max(lowest)));
    loss.draw_series(LineSeries::new(each, RGBColor(190, 200, 210))).map_err(|e| fail(&e))?;
    let mut mean: Option<f64> = None;
    let smooth: Vec<_> = points
        .iter()
        .map(|p| {
            let next = mean.map_or(p.loss, |mean| mean + (p.loss - mean) * 2.0 / (WINDOW + 1.0));
            mean = Some(next);
            (p.step, next.max(lowest))
        })
        .collect();
    loss.draw_series(LineSeries::new(smooth, RGBColor(0, 90, 160).stroke_width(2))).map_err(|e| fail(&e))?;

    let mut f1 = ChartBuilder::on(&lower)
        .caption("strict F1 in validation", ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(50)
        .build_cartesian_2d(0..last, 0.0..1.0f64)
        .map_err(|e| fail(&e))?;
    let mut mesh = f1.configure_mesh();
    mesh.light_line_style(WHITE).x_desc("step").draw().map_err(|e| fail(&e))?;
    // Okabe and Ito's colours, told apart by all eyes; levels by the size of the marks.
    const COLOURS: [RGBColor; 8] = [
        RGBColor(0, 114, 178),
        RGBColor(213, 94, 0),
        RGBColor(0, 158, 115),
        RGBColor(204, 121, 167),
        RGBColor(230, 159, 0),
        RGBColor(86, 180, 233),
        RGBColor(90, 90, 90),
        RGBColor(180, 170, 30),
    ];
    let (mut formats, mut levels): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for score in scores {
        if !formats.contains(&score.format.as_str()) {
            formats.push(&score.format);
        }
        if !levels.contains(&score.level.as_str()) {
            levels.push(&score.level);
        }
    }
    for (f, format) in formats.iter().enumerate() {
        let colour = COLOURS[f % COLOURS.len()];
        for (l, level) in levels.iter().enumerate() {
            let cell = scores.iter().filter(|s| s.format == *format && s.level == *level);
            let line: Vec<(usize, f64)> = cell.map(|s| (s.step, s.f1)).collect();
            let size = 2 + 2 * l as i32;
            f1.draw_series(LineSeries::new(line, colour.stroke_width(1 + l as u32)).point_size(size as u32))
                .map_err(|e| fail(&e))?
                .label(format!("{format}, {level}"))
                .legend(move |(x, y)| Circle::new((x + 8, y), size, colour.filled()));
        }
    }
    if !scores.is_empty() {
        f1.configure_series_labels()
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(200, 200, 200))
            .position(SeriesLabelPosition::UpperLeft)
            .draw()
            .map_err(|e| fail(&e))?;
    }
    root.present().map_err(|e| fail(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_back_exactly_and_the_plot_is_an_svg() {
        let folder = tempfile::tempdir().unwrap();
        let points: Vec<Point> = (1..40)
            .map(|step| Point {
                step,
                examples: 16 * step,
                output_tokens: 300 * step,
                tokens: 1000 * step,
                loss: 2.0 / step as f64 + 0.1 / 3.0,
                rate: 1e-4,
                norm: 0.5,
                seconds: 1.5 * step as f64,
            })
            .collect();
        let path = folder.path().join("curve.csv");
        assert_eq!(read::<Point>(&path).unwrap(), []);
        write(&path, &points).unwrap();
        assert_eq!(read::<Point>(&path).unwrap(), points);
        let scores = [Score {
            step: 20,
            format: "json-list".into(),
            level: "grounded".into(),
            documents: 8,
            parse_rate: 1.0,
            precision: 0.5,
            recall: 0.4,
            f1: 0.44,
        }];
        let svg = folder.path().join("curve.svg");
        draw(&svg, &points, &scores).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        assert!(text.contains("<svg") && text.contains("json-list, grounded"));
        std::fs::write(&path, "step,loss\n1,x\n").unwrap();
        assert!(read::<Point>(&path).unwrap_err().to_string().contains("curve.csv"));
    }
}
