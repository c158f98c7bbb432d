//! A sheet to draw on: plotters' SVG back end in units of a pixel's part, with the marks, colours and texts of all figures.
//!
//! Colours are written as they are on light ground. [`STYLE`] names each of them again for dark ground, by attribute. So the same
//! file is right in a page of either kind, beside a text on GitHub, and in a program that knows no style sheets.

use std::io;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle};

/// plotters draws at whole units, so a pixel is cut into so many.
const PARTS: f64 = 8.0;

/// What drawing can fail of.
pub type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// Text.
pub const INK: RGBColor = RGBColor(0x1B, 0x1C, 0x1E);
/// Text that may stand back.
pub const FAINT: RGBColor = RGBColor(0x5C, 0x60, 0x66);
/// Lines of the grid.
pub const RULE: RGBColor = RGBColor(0xDF, 0xDE, 0xD9);
/// Axes, and what joins marks.
pub const AXIS: RGBColor = RGBColor(0x9A, 0x9A, 0x96);
/// Text on the darker of the colours.
pub const ON_DARK: RGBColor = RGBColor(0xFF, 0xFF, 0xFE);
/// Text on the lighter of the colours.
pub const ON_LIGHT: RGBColor = RGBColor(0x11, 0x11, 0x12);

/// Colours that are told apart with any kind of colour blindness (M. Okabe and K. Ito, "Color Universal Design", 2008), the
/// yellow darkened and the black made grey for the two grounds. Besides colour, marks differ in shape and lines in dashes.
pub const COLOURS: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xB2), // blue
    RGBColor(0xE6, 0x9F, 0x00), // orange
    RGBColor(0x00, 0x9E, 0x73), // green
    RGBColor(0xCC, 0x79, 0xA7), // pink
    RGBColor(0xC8, 0x52, 0x00), // vermilion
    RGBColor(0x56, 0xB4, 0xE9), // sky
    RGBColor(0x6E, 0x71, 0x77), // grey
    RGBColor(0xA8, 0x99, 0x1C), // olive
];

/// Of each colour, whether text on it is light.
const DEEP: [bool; 8] = [true, false, false, false, true, false, true, false];

/// Text on one of the [`COLOURS`].
pub fn on(colour: usize) -> RGBColor {
    if DEEP[colour % 8] { ON_DARK } else { ON_LIGHT }
}

/// Goes into every figure.
pub const STYLE: &str = include_str!("figure.css");

/// The shapes of marks; a series has the shape of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Disc,
    Square,
    Triangle,
    Diamond,
    Ring,
    Plus,
    Nabla,
    Cross,
}

impl Mark {
    /// Of a series. Where colours start over, marks go on from another place: up to 64 series differ in one of them.
    pub fn of(series: usize) -> Mark {
        use Mark::*;
        [Disc, Square, Triangle, Diamond, Ring, Plus, Nabla, Cross][(series + series / COLOURS.len() * 3) % 8]
    }
}

/// How a text is set.
#[derive(Clone, Copy)]
pub struct Letters {
    size: f64,
    colour: RGBColor,
    hold: HPos,
    bold: bool,
    upwards: bool,
}

impl Letters {
    /// Dark ones of this size in pixels, held at their left end.
    pub fn of(size: f64) -> Letters {
        Letters { size, colour: INK, hold: HPos::Left, bold: false, upwards: false }
    }

    /// In a colour.
    pub fn in_colour(self, colour: RGBColor) -> Letters {
        Letters { colour, ..self }
    }

    /// In the colour of what may stand back.
    pub fn faint(self) -> Letters {
        self.in_colour(FAINT)
    }

    /// Held at the right end.
    pub fn right(self) -> Letters {
        Letters { hold: HPos::Right, ..self }
    }

    /// Held in the middle.
    pub fn middle(self) -> Letters {
        Letters { hold: HPos::Center, ..self }
    }

    /// Bold.
    pub fn bold(self) -> Letters {
        Letters { bold: true, ..self }
    }

    /// Running upwards.
    pub fn upwards(self) -> Letters {
        Letters { upwards: true, ..self }
    }
}

/// A sheet, in pixels from the upper left.
pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

impl<'a> Canvas<'a> {
    /// An empty sheet that is drawn into `svg`.
    pub fn new(svg: &'a mut String, (width, height): (f64, f64)) -> Canvas<'a> {
        let size = (units(width) as u32, units(height) as u32);
        Canvas { area: SVGBackend::with_string(svg, size).into_drawing_area() }
    }

    /// A line through points.
    pub fn path(&self, points: &[(f64, f64)], colour: RGBColor, width: f64) -> Drawn {
        let points: Vec<(i32, i32)> = points.iter().map(|&point| place(point)).collect();
        self.area.draw(&PathElement::new(points, stroke(colour, width)))
    }

    /// A line from one point to another. It is drawn as an area: dashes are for the paths of series.
    pub fn line(&self, from: (f64, f64), to: (f64, f64), colour: RGBColor, width: f64) -> Drawn {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let half = width / 2.0 / dx.hypot(dy).max(f64::MIN_POSITIVE);
        let (nx, ny) = (-dy * half, dx * half);
        let corners =
            [(from.0 + nx, from.1 + ny), (to.0 + nx, to.1 + ny), (to.0 - nx, to.1 - ny), (from.0 - nx, from.1 - ny)];
        self.area.draw(&Polygon::new(corners.map(place).to_vec(), filled(colour)))
    }

    /// A filled rectangle.
    pub fn bar(&self, from: (f64, f64), to: (f64, f64), colour: RGBColor) -> Drawn {
        self.area.draw(&Rectangle::new([place(from), place(to)], filled(colour)))
    }

    /// A mark of about `radius`.
    pub fn mark(&self, mark: Mark, (x, y): (f64, f64), radius: f64, colour: RGBColor) -> Drawn {
        let r = radius;
        let polygon = |points: &[(f64, f64)]| {
            let points: Vec<(i32, i32)> = points.iter().map(|(dx, dy)| place((x + dx * r, y + dy * r))).collect();
            self.area.draw(&Polygon::new(points, filled(colour)))
        };
        let strokes = |lines: [[(f64, f64); 2]; 2]| {
            lines.into_iter().try_for_each(|[from, to]| {
                let at = |(dx, dy): (f64, f64)| (x + dx * r, y + dy * r);
                self.line(at(from), at(to), colour, 1.8)
            })
        };
        match mark {
            Mark::Disc => self.area.draw(&Circle::new(place((x, y)), units(r), filled(colour))),
            Mark::Ring => self.area.draw(&Circle::new(place((x, y)), units(r * 0.9), stroke(colour, 1.7))),
            Mark::Square => self.bar((x - 0.88 * r, y - 0.88 * r), (x + 0.88 * r, y + 0.88 * r), colour),
            Mark::Diamond => polygon(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]),
            Mark::Triangle => polygon(&[(0.0, -1.15), (1.15, 0.9), (-1.15, 0.9)]),
            Mark::Nabla => polygon(&[(0.0, 1.15), (1.15, -0.9), (-1.15, -0.9)]),
            Mark::Plus => strokes([[(-1.1, 0.0), (1.1, 0.0)], [(0.0, -1.1), (0.0, 1.1)]]),
            Mark::Cross => strokes([[(-0.9, -0.9), (0.9, 0.9)], [(-0.9, 0.9), (0.9, -0.9)]]),
        }
    }

    /// A text, its middle at the height of `at`.
    pub fn text(&self, text: &str, at: (f64, f64), letters: Letters) -> Drawn {
        // The back end divides by the last factor.
        let font = ("sans-serif", letters.size * PARTS * 1.24).into_font();
        let font = font.style(if letters.bold { FontStyle::Bold } else { FontStyle::Normal });
        let font = font.transform(if letters.upwards { FontTransform::Rotate270 } else { FontTransform::None });
        let style = TextStyle::from(font).color(&letters.colour).pos(Pos::new(letters.hold, VPos::Center));
        self.area.draw_text(text, &style, place(at))
    }

    /// Done.
    pub fn finish(self) -> Drawn {
        self.area.present()
    }
}

/// About how wide a text will be, in pixels; no font is at hand to measure it with.
pub fn width_of(text: &str, size: f64) -> f64 {
    let narrow =
        |c: char| matches!(c, 'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | ' ' | '-' | '(' | ')' | '|');
    let em: f64 = text
        .chars()
        .map(|c| match c {
            c if narrow(c) => 0.34,
            'm' | 'w' | 'M' | 'W' | '%' => 0.88,
            c if c.is_uppercase() => 0.68,
            _ => 0.57,
        })
        .sum();
    em * size
}

fn units(pixels: f64) -> i32 {
    (pixels * PARTS).round() as i32
}

fn place((x, y): (f64, f64)) -> (i32, i32) {
    (units(x), units(y))
}

fn filled(colour: RGBColor) -> ShapeStyle {
    ShapeStyle { filled: true, ..stroke(colour, 0.0) }
}

fn stroke(colour: RGBColor, width: f64) -> ShapeStyle {
    ShapeStyle { color: colour.into(), filled: false, stroke_width: units(width) as u32 }
}

/// Makes a file of what was drawn: its size in pixels, what it shows for those who do not see it, and the colours of both grounds.
pub fn dress(svg: &str, (width, height): (f64, f64), id: &str, title: &str, description: &str) -> String {
    let after = svg.find('>').map_or(0, |end| end + 1);
    let (w, h) = (units(width), units(height));
    let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {w} {h}\" \
         role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n<title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>\n\
         <style>{STYLE}</style>{}",
        escape(title),
        escape(description),
        // The back end breaks the line after a text, which would be drawn as a blank.
        svg[after..].replace("\n</text>", "</text>"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_differ_in_colour_or_mark() {
        let look = |series: usize| (series % COLOURS.len(), Mark::of(series));
        for series in 0..64 {
            assert!((0..series).all(|other| look(other) != look(series)), "{series}: {:?}", look(series));
        }
    }
}
