//! Exact decimal numbers, as they stand in a JSON text.

/// A number `± 0.digits × 10^point`, with no zero at either end of the digits. So equal numbers have equal fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Decimal {
    pub negative: bool,
    digits: Vec<u8>,
    point: i64,
}

/// A number with more digits when it is written without an exponent is refused.
const MOST_DIGITS: usize = 1000;

impl Decimal {
    /// Reads a number in JSON's notation.
    pub fn parse(text: &str) -> Result<Decimal, String> {
        let bad = || format!("`{text}` is no number of JSON");
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                    return Err(bad());
                }
                let exponent = exponent.parse::<i64>().ok().filter(|exponent| exponent.abs() < 1 << 40);
                (mantissa, exponent.ok_or_else(|| format!("the exponent of `{text}` is too large"))?)
            }
            None => (text, 0),
        };
        let (negative, magnitude) = match mantissa.strip_prefix('-') {
            Some(magnitude) => (true, magnitude),
            None => (false, mantissa),
        };
        let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, "0"));
        let all_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || whole.len() > 1 && whole.starts_with('0') {
            return Err(bad());
        }
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
        let decimal = Decimal::new(negative, &digits, whole.len() as i64 + exponent);
        let (whole, fraction) = (decimal.point.max(1), (decimal.digits.len() as i64 - decimal.point).max(0));
        if whole + fraction > MOST_DIGITS as i64 {
            return Err(format!("`{text}` has more than {MOST_DIGITS} digits when it is written without an exponent"));
        }
        Ok(decimal)
    }

    fn new(negative: bool, digits: &[u8], point: i64) -> Decimal {
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        let last = digits.iter().rposition(|digit| *digit != 0);
        match last {
            None => Decimal { negative: false, digits: Vec::new(), point: 0 },
            Some(last) => Decimal { negative, digits: digits[zeros..=last].to_vec(), point: point - zeros as i64 },
        }
    }

    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub fn is_integer(&self) -> bool {
        self.digits.len() as i64 <= self.point || self.is_zero()
    }

    /// The digits before the point, `0` at least, and those after it, without zeros at the end.
    pub fn magnitude(&self) -> (Vec<u8>, Vec<u8>) {
        let digit = |place: i64| usize::try_from(place).ok().and_then(|place| self.digits.get(place)).copied();
        let whole: Vec<u8> = (0..self.point.max(0)).map(|place| digit(place).unwrap_or(0)).collect();
        let fraction = (self.point..self.digits.len() as i64).map(|place| digit(place).unwrap_or(0)).collect();
        (if whole.is_empty() { vec![0] } else { whole }, fraction)
    }

    /// The number as an unsigned integer, if it is one and small enough.
    pub fn to_u32(&self) -> Option<u32> {
        let (whole, fraction) = self.magnitude();
        if !fraction.is_empty() || self.negative {
            return None;
        }
        whole.iter().try_fold(0u32, |number, digit| number.checked_mul(10)?.checked_add(u32::from(*digit)))
    }
}

/// Without an exponent, as short as can be: `10`, `-0.5`.
impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, fraction) = self.magnitude();
        let written = |digits: &[u8]| digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>();
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", written(&whole))?;
        if fraction.is_empty() { Ok(()) } else { write!(f, ".{}", written(&fraction)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Decimal::parse(text).unwrap().to_string()
    }

    #[test]
    fn numbers_are_written_without_exponent() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.50", "1.5"),
            ("100", "100"),
            ("1e2", "100"),
            ("12.5e-3", "0.0125"),
            ("-1E+3", "-1000"),
            ("18446744073709551616", "18446744073709551616"),
            ("0.00e5", "0"),
            ("0.001", "0.001"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        assert_eq!(Decimal::parse("1.0"), Decimal::parse("1"));
        assert!(Decimal::parse("1e400").is_ok() && Decimal::parse("1e4000").is_err());
        assert!(Decimal::parse("1e-4000").is_err() && Decimal::parse("1e99999999999999999999").is_err());
    }

    #[test]
    fn integers_are_known() {
        assert!(["0", "10", "1.0", "12e3", "-5"].iter().all(|text| Decimal::parse(text).unwrap().is_integer()));
        assert!(["0.5", "10.01", "12e-1"].iter().all(|text| !Decimal::parse(text).unwrap().is_integer()));
        assert_eq!(Decimal::parse("3.0").unwrap().to_u32(), Some(3));
        assert_eq!(Decimal::parse("4294967296").unwrap().to_u32(), None);
    }
}
