//! Sets of numbers, as regular languages of their decimal notation.
//!
//! A set under a constraint is a language of decimals without an exponent: `-?(0|[1-9][0-9]*)(\.[0-9]+)?`. It is closed under
//! equal values: with `1` it has `1.0` and `1.00`. So complements and intersections of languages are those of sets of numbers.
//! Only [`Numbers::written`] chooses which of the equal notations an output may have:
//!
//! | set | notations |
//! |---|---|
//! | all numbers | JSON's, with an exponent of at most 299 |
//! | integers alone | digits without a point or an exponent, and no `-0` |
//! | finitely many values | each in its shortest notation without an exponent |
//! | all others | decimals without an exponent |

use std::cmp::Ordering;
use std::sync::LazyLock;

use super::decimal::Decimal;
use crate::regex::{Language, RegexError, Steps};

/// A set of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Numbers {
    All,
    /// Decimals without an exponent.
    Some(Language),
}

struct Known {
    decimals: Language,
    integers: Language,
    all_written: Language,
    integers_written: Language,
    shortest_written: Language,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let language = |pattern: &str| Language::pattern(pattern, &mut Steps::new()).expect("small patterns");
    Known {
        decimals: language(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?"),
        integers: language(r"-?(0|[1-9][0-9]*)(\.0+)?"),
        all_written: language(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?([0-9]{1,2}|[12][0-9]{2}))?"),
        integers_written: language(r"-?[1-9][0-9]*|0"),
        shortest_written: language(r"-?(0|[1-9][0-9]*)\.[0-9]*[1-9]|-?[1-9][0-9]*|0"),
    }
});

/// A bound and whether it belongs to the set.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub at: Decimal,
    pub included: bool,
}

impl Numbers {
    pub fn none() -> Numbers {
        Numbers::Some(Language::none())
    }

    pub fn integers() -> Numbers {
        Numbers::Some(KNOWN.integers.clone())
    }

    /// Exactly these values.
    pub fn values<'v>(values: impl Iterator<Item = &'v Decimal>, steps: &mut Steps) -> Result<Numbers, RegexError> {
        let each = values.map(|value| {
            let (sign, text) = if value.is_zero() { ("-?", "0".into()) } else { ("", value.to_string()) };
            match text.split_once('.') {
                Some((whole, fraction)) => format!(r"{whole}\.{fraction}0*"),
                None => format!(r"{sign}{text}(?:\.0+)?"),
            }
        });
        let each: Vec<String> = each.collect();
        if each.is_empty() { Ok(Numbers::none()) } else { Language::pattern(&each.join("|"), steps).map(Numbers::Some) }
    }

    pub fn is_none(&self) -> bool {
        matches!(self, Numbers::Some(language) if language.is_empty())
    }

    fn language(&self) -> &Language {
        match self {
            Numbers::All => &KNOWN.decimals,
            Numbers::Some(language) => language,
        }
    }

    pub fn and(&self, other: &Numbers, steps: &mut Steps) -> Result<Numbers, RegexError> {
        Ok(match (self, other) {
            (Numbers::All, same) | (same, Numbers::All) => same.clone(),
            (Numbers::Some(a), Numbers::Some(b)) => Numbers::Some(a.and(b, steps)?),
        })
    }

    pub fn or(&self, other: &Numbers, steps: &mut Steps) -> Result<Numbers, RegexError> {
        Ok(match (self, other) {
            (Numbers::All, _) | (_, Numbers::All) => Numbers::All,
            (Numbers::Some(a), Numbers::Some(b)) => Numbers::Some(a.or(b, steps)?),
        })
    }

    pub fn minus(&self, other: &Numbers, steps: &mut Steps) -> Result<Numbers, RegexError> {
        Ok(match (self, other) {
            (_, Numbers::All) => Numbers::none(),
            (_, Numbers::Some(b)) if b.is_empty() => self.clone(),
            (_, Numbers::Some(b)) => Numbers::Some(self.language().minus(b, steps)?),
        })
    }

    /// The numbers between two bounds.
    pub fn between(low: Option<&Bound>, high: Option<&Bound>, steps: &mut Steps) -> Result<Numbers, RegexError> {
        let mut numbers = Numbers::All;
        if let Some(low) = low {
            let above = |order| order == Ordering::Greater || order == Ordering::Equal && low.included;
            numbers = Numbers::Some(compared(&low.at, above, steps)?);
        }
        if let Some(high) = high {
            let below = |order| order == Ordering::Less || order == Ordering::Equal && high.included;
            numbers = numbers.and(&Numbers::Some(compared(&high.at, below, steps)?), steps)?;
        }
        Ok(numbers)
    }

    /// The whole multiples of a number above zero.
    ///
    /// The digits of `x` up to the last place of the divisor are read as an integer, of which the automaton keeps the remainder.
    pub fn multiples(of: &Decimal, steps: &mut Steps) -> Result<Numbers, RegexError> {
        #[derive(Clone, PartialEq, Eq, Hash)]
        enum At {
            Start,
            Sign,
            /// After a zero, which no digit may follow.
            Zero,
            Whole(u64),
            /// After the point and so many digits.
            Fraction(u64, usize),
        }
        let (whole, fraction) = of.magnitude();
        let places = fraction.len();
        let digits = whole.iter().chain(&fraction);
        let divisor = digits.fold(0u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(*digit)));
        // There are as many states as remainders.
        if divisor > Steps::LIMIT as u64 {
            return Err(RegexError::TooLarge);
        }
        let pushed = |remainder: u64, digit: u8| (remainder * 10 + u64::from(digit)) % divisor;
        let padded = |remainder: u64, missing: usize| (0..missing).fold(remainder, |rest, _| pushed(rest, 0));
        let next = |at: &At, byte: u8| {
            let digit = byte.is_ascii_digit().then(|| byte - b'0');
            Some(match (at, byte, digit) {
                (At::Start, b'-', _) => At::Sign,
                (At::Start | At::Sign, _, Some(0)) => At::Zero,
                (At::Start | At::Sign, _, Some(digit)) => At::Whole(u64::from(digit) % divisor),
                (At::Zero, b'.', _) => At::Fraction(0, 0),
                (At::Whole(remainder), b'.', _) => At::Fraction(*remainder, 0),
                (At::Whole(remainder), _, Some(digit)) => At::Whole(pushed(*remainder, digit)),
                (At::Fraction(remainder, read), _, Some(digit)) if *read < places => {
                    At::Fraction(pushed(*remainder, digit), read + 1)
                }
                // One more state tells that a digit stands after the point.
                (At::Fraction(remainder, read), _, Some(0)) => At::Fraction(*remainder, (*read + 1).min(places + 1)),
                _ => return None,
            })
        };
        let accepts = |at: &At| match at {
            At::Start | At::Sign => false,
            At::Zero => true,
            At::Whole(remainder) => padded(*remainder, places) == 0,
            At::Fraction(_, 0) => false,
            At::Fraction(remainder, read) => padded(*remainder, places.saturating_sub(*read)) == 0,
        };
        Ok(Numbers::Some(Language::explore(classes(), At::Start, steps, next, accepts)?))
    }

    /// The texts that an output may write for these numbers.
    pub fn written(&self, steps: &mut Steps) -> Result<Language, RegexError> {
        let language = match self {
            Numbers::All => return Ok(KNOWN.all_written.clone()),
            Numbers::Some(language) if *language == KNOWN.integers => return Ok(KNOWN.integers_written.clone()),
            Numbers::Some(language) => language,
        };
        if language.is_within(&KNOWN.integers, steps)? {
            return language.and(&KNOWN.integers_written, steps);
        }
        let shortest = language.and(&KNOWN.shortest_written, steps)?;
        Ok(if shortest.lengths().1.is_some() { shortest } else { language.clone() })
    }
}

/// Digits each alone, the sign, the point, and all other bytes.
fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    (b'0'..=b'9').for_each(|digit| classes[usize::from(digit)] = digit - b'0' + 1);
    classes[usize::from(b'-')] = 11;
    classes[usize::from(b'.')] = 12;
    classes
}

/// The decimals whose order to `bound` is kept.
fn compared(bound: &Decimal, keep: impl Fn(Ordering) -> bool, steps: &mut Steps) -> Result<Language, RegexError> {
    /// What is known of the magnitude so far, compared with the bound's.
    #[derive(Clone, PartialEq, Eq, Hash)]
    enum At {
        Start,
        Sign,
        /// So many digits before the point, and how they compare with as many of the bound's.
        Whole {
            negative: bool,
            read: usize,
            order: Ordering,
        },
        /// After the point and so many digits; `order` once it is settled.
        Fraction {
            negative: bool,
            read: usize,
            order: Ordering,
        },
    }
    let (whole, fraction) = bound.magnitude();
    let whole_order = |read: usize, order: Ordering| read.cmp(&whole.len()).then(order);
    let next = |at: &At, byte: u8| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0');
        Some(match *at {
            At::Start if byte == b'-' => At::Sign,
            At::Start | At::Sign => At::Whole { negative: *at == At::Sign, read: 1, order: digit?.cmp(&whole[0]) },
            At::Whole { negative, read, order } if byte == b'.' => {
                At::Fraction { negative, read: 0, order: whole_order(read, order) }
            }
            At::Whole { negative, read, order } => {
                let order = order.then(digit?.cmp(whole.get(read).unwrap_or(&0)));
                At::Whole { negative, read: (read + 1).min(whole.len() + 1), order }
            }
            At::Fraction { negative, read, order } => {
                let order = order.then(digit?.cmp(fraction.get(read).unwrap_or(&0)));
                let settled = if order == Ordering::Equal { fraction.len() + 1 } else { 1 };
                At::Fraction { negative, read: (read + 1).min(settled), order }
            }
        })
    };
    let accepts = |at: &At| {
        let (negative, order) = match *at {
            At::Start | At::Sign | At::Fraction { read: 0, .. } => return false,
            At::Whole { negative, read, order } => {
                let order = whole_order(read, order);
                (negative, if fraction.is_empty() { order } else { order.then(Ordering::Less) })
            }
            At::Fraction { negative, read, order } => {
                (negative, if read < fraction.len() { order.then(Ordering::Less) } else { order })
            }
        };
        // The magnitude is compared with the bound's. A sign apart settles the rest, but for zero.
        keep(match (negative, bound.negative) {
            (false, false) => order,
            (true, true) => order.reverse(),
            (false, true) => Ordering::Greater,
            (true, false) if bound.is_zero() => order.reverse(),
            (true, false) => Ordering::Less,
        })
    };
    let language = Language::explore(classes(), At::Start, steps, next, accepts)?;
    // Zeros before other digits are left out here.
    language.and(&KNOWN.decimals, steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    /// All decimals with up to three digits before the point and two after it, and their hundredfold.
    fn decimals() -> Vec<(String, i64)> {
        let mut all = Vec::new();
        for hundredths in 0..=12_345i64 {
            let (whole, fraction) = (hundredths / 100, hundredths % 100);
            let mut texts = vec![format!("{whole}.{fraction:02}")];
            if fraction % 10 == 0 {
                texts.push(format!("{whole}.{}", fraction / 10));
            }
            if fraction == 0 {
                texts.push(whole.to_string());
            }
            for text in texts {
                all.push((format!("-{text}"), -hundredths));
                all.push((text, hundredths));
            }
        }
        all
    }

    fn check(numbers: &Numbers, what: &str, expected: impl Fn(i64) -> bool) {
        for (text, hundredths) in decimals() {
            let found = numbers.language().contains(text.as_bytes());
            assert_eq!(found, expected(hundredths), "{what}: {text}");
        }
        let strange = ["", "-", "01", "-01.5", "1.", ".5", "1e1", "00", "+1", "0.", "-.1", "1.2.3"];
        assert!(strange.iter().all(|text| !numbers.language().contains(text.as_bytes())), "{what}");
    }

    #[test]
    fn ranges_are_those_of_the_values() {
        for bound in ["0", "1", "-1", "9.5", "-0.05", "100", "99.99", "-123", "10.1", "0.1", "12.30", "0.005", "-7.125"]
        {
            let thousandths = (bound.parse::<f64>().unwrap() * 1000.0).round() as i64;
            for included in [true, false] {
                let bound = Bound { at: decimal(bound), included };
                let steps = &mut Steps::new();
                let low = Numbers::between(Some(&bound), None, steps).unwrap();
                let high = Numbers::between(None, Some(&bound), steps).unwrap();
                let least = thousandths + i64::from(!included);
                check(&low, "at least", |hundredths| hundredths * 10 >= least);
                check(&high, "at most", |hundredths| hundredths * 10 <= thousandths - i64::from(!included));
            }
        }
        let (low, high) = (Bound { at: decimal("5"), included: true }, Bound { at: decimal("5"), included: false });
        assert!(Numbers::between(Some(&low), Some(&high), &mut Steps::new()).unwrap().is_none());
    }

    #[test]
    fn multiples_are_those_of_the_values() {
        for (of, hundredths) in
            [("1", 100), ("3", 300), ("0.25", 25), ("0.01", 1), ("1.5", 150), ("7", 700), ("10", 1000)]
        {
            let numbers = Numbers::multiples(&decimal(of), &mut Steps::new()).unwrap();
            check(&numbers, of, |value| value % hundredths == 0);
        }
        let thirds = Numbers::multiples(&decimal("0.003"), &mut Steps::new()).unwrap();
        assert!(thirds.language().contains(b"0.009") && thirds.language().contains(b"0.0030"));
        assert!(!thirds.language().contains(b"0.008") && thirds.language().contains(b"3"));
        assert!(matches!(Numbers::multiples(&decimal("123456789"), &mut Steps::new()), Err(RegexError::TooLarge)));
    }

    #[test]
    fn values_have_all_their_notations_until_they_are_written() {
        let steps = &mut Steps::new();
        let values = [decimal("0"), decimal("1"), decimal("-2.5")];
        let numbers = Numbers::values(values.iter(), steps).unwrap();
        check(&numbers, "values", |hundredths| [0, 100, -250].contains(&hundredths));
        let written = numbers.written(steps).unwrap().all_words(9).unwrap();
        assert_eq!(written, [&b"0"[..], b"1", b"-2.5"]);
    }

    #[test]
    fn integers_are_written_without_a_point() {
        let steps = &mut Steps::new();
        let written = Numbers::integers().written(steps).unwrap();
        let teens = Bound { at: decimal("12.5"), included: true };
        let large = Numbers::between(Some(&teens), None, steps).unwrap().and(&Numbers::integers(), steps).unwrap();
        assert!(large.language().contains(b"13.0") && !large.language().contains(b"12.9"));
        let large = large.written(steps).unwrap();
        for (text, integer, is_large) in
            [("0", true, false), ("-0", false, false), ("13", true, true), ("13.0", false, false), ("-7", true, false)]
        {
            assert_eq!(written.contains(text.as_bytes()), integer, "{text}");
            assert_eq!(large.contains(text.as_bytes()), is_large, "{text}");
        }
        let halves = Numbers::multiples(&decimal("0.5"), steps).unwrap().written(steps).unwrap();
        assert!(halves.contains(b"1.0") && halves.contains(b"1") && halves.contains(b"0.5"));
    }
}
