//! What templates take from Python: methods of strings and dictionaries, JSON values, `strftime`.

use super::text::to_text;
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

/// Calls a method that Jinja's Python host would have. The templates of published models use these and no others.
pub(super) fn method(_: &mut State, value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    match (value.as_str(), value.kind()) {
        (Some(text), _) => string_method(text, name, arguments),
        (None, ValueKind::Map) => map_method(value, name, arguments),
        _ => Err(unknown(value, name)),
    }
}

fn unknown(value: &Value, name: &str) -> Error {
    Error::new(ErrorKind::UnknownMethod, format!("{} has no method `{name}`", value.kind()))
}

fn string_method(text: &str, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let text_at = |index: usize| arguments.get(index).and_then(Value::as_str);
    let wanted = |index: usize| {
        text_at(index).ok_or_else(|| {
            Error::new(ErrorKind::MissingArgument, format!("`{name}` wants a string as argument {}", index + 1))
        })
    };
    // `strip("ab")` removes any of these characters, `strip()` white space.
    let dropped = |c: char| text_at(0).map_or(c.is_whitespace(), |set| set.contains(c));
    let characters = |byte: usize| text[..byte].chars().count() as i64;
    let found = |place: Option<usize>| Value::from(place.map_or(-1, characters));
    let needed = |place: Option<usize>| {
        let missing = || Error::new(ErrorKind::InvalidOperation, format!("`{name}` does not find the text"));
        place.map(characters).map(Value::from).ok_or_else(missing)
    };
    Ok(match name {
        "strip" => Value::from(text.trim_matches(dropped)),
        "lstrip" => Value::from(text.trim_start_matches(dropped)),
        "rstrip" => Value::from(text.trim_end_matches(dropped)),
        "upper" => Value::from(text.to_uppercase()),
        "lower" | "casefold" => Value::from(text.to_lowercase()),
        "capitalize" => {
            let mut chars = text.chars();
            let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
            Value::from(first + &chars.as_str().to_lowercase())
        }
        "title" => Value::from(title(text)),
        "startswith" => Value::from(any_of(arguments, name, |prefix| text.starts_with(prefix))?),
        "endswith" => Value::from(any_of(arguments, name, |suffix| text.ends_with(suffix))?),
        "find" => found(text.find(wanted(0)?)),
        "rfind" => found(text.rfind(wanted(0)?)),
        "index" => needed(text.find(wanted(0)?))?,
        "rindex" => needed(text.rfind(wanted(0)?))?,
        "count" => Value::from(text.matches(wanted(0)?).count()),
        "replace" => match limit(arguments, 2, "count") {
            None => Value::from(text.replace(wanted(0)?, wanted(1)?)),
            Some(count) => Value::from(text.replacen(wanted(0)?, wanted(1)?, count)),
        },
        "removeprefix" => Value::from(text.strip_prefix(wanted(0)?).unwrap_or(text)),
        "removesuffix" => Value::from(text.strip_suffix(wanted(0)?).unwrap_or(text)),
        "splitlines" => text.lines().map(Value::from).collect(),
        "split" => split(text, text_at(0), limit(arguments, 1, "maxsplit"), false),
        "rsplit" => split(text, text_at(0), limit(arguments, 1, "maxsplit"), true),
        "partition" | "rpartition" => partition(text, wanted(0)?, name == "rpartition"),
        "join" => {
            let items =
                arguments.first().ok_or_else(|| Error::new(ErrorKind::MissingArgument, "`join` wants a list"))?;
            let items: Vec<String> = items.try_iter()?.map(|item| to_text(&item)).collect();
            Value::from(items.join(text))
        }
        "format" => Value::from(format(text, arguments)?),
        "isdigit" | "isdecimal" | "isnumeric" => Value::from(every(text, char::is_numeric)),
        "isalpha" => Value::from(every(text, char::is_alphabetic)),
        "isalnum" => Value::from(every(text, char::is_alphanumeric)),
        "isspace" => Value::from(every(text, char::is_whitespace)),
        "isupper" => Value::from(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)),
        "islower" => Value::from(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)),
        _ => return Err(unknown(&Value::from(text), name)),
    })
}

/// Whether a text is not empty and all of its characters are so.
fn every(text: &str, is_so: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(is_so)
}

/// A count that may be given by place or by name; none where it is negative, which stands for no limit.
fn limit(arguments: &[Value], place: usize, name: &str) -> Option<usize> {
    let named = arguments.last().filter(|value| value.kind() == ValueKind::Map);
    let given = match arguments.get(place).and_then(Value::as_i64) {
        Some(count) => Some(count),
        None => named.and_then(|named| named.get_attr(name).ok()).and_then(|count| count.as_i64()),
    };
    given.and_then(|count| usize::try_from(count).ok())
}

/// `split` and `rsplit`: at a separator or at white space, at most `limit` times, from the left or from the right.
fn split(text: &str, separator: Option<&str>, limit: Option<usize>, from_right: bool) -> Value {
    let Some(separator) = separator else {
        return at_white_space(text, limit, from_right).into_iter().map(Value::from).collect();
    };
    match (limit, from_right) {
        (None, _) => text.split(separator).map(Value::from).collect(),
        (Some(limit), false) => text.splitn(limit + 1, separator).map(Value::from).collect(),
        (Some(limit), true) => {
            let mut parts: Vec<&str> = text.rsplitn(limit + 1, separator).collect();
            parts.reverse();
            parts.into_iter().map(Value::from).collect()
        }
    }
}

/// The words of a text; beyond the limit, the rest stays as it is.
fn at_white_space(text: &str, limit: Option<usize>, from_right: bool) -> Vec<&str> {
    let Some(limit) = limit else { return text.split_whitespace().collect() };
    let mut rest = if from_right { text.trim_end() } else { text.trim_start() };
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let cut = match from_right {
            false => rest.find(char::is_whitespace).map(|at| (&rest[..at], rest[at..].trim_start())),
            true => rest.rfind(char::is_whitespace).map(|at| {
                let width = rest[at..].chars().next().map_or(0, char::len_utf8);
                (&rest[at + width..], rest[..at].trim_end())
            }),
        };
        let (part, left) = cut.filter(|_| parts.len() < limit).unwrap_or((rest, ""));
        parts.push(part);
        rest = left;
    }
    if from_right {
        parts.reverse();
    }
    parts
}

/// What is before a separator, the separator, what is after it.
fn partition(text: &str, separator: &str, from_right: bool) -> Value {
    let found = if from_right { text.rsplit_once(separator) } else { text.split_once(separator) };
    let parts = match (found, from_right) {
        (Some((before, after)), _) => [before, separator, after],
        (None, false) => [text, "", ""],
        (None, true) => ["", "", text],
    };
    parts.into_iter().map(Value::from).collect()
}

fn title(text: &str) -> String {
    let mut in_word = false;
    let mut title = String::with_capacity(text.len());
    for c in text.chars() {
        if in_word {
            title.extend(c.to_lowercase());
        } else {
            title.extend(c.to_uppercase());
        }
        in_word = c.is_alphabetic();
    }
    title
}

/// `str.format` with `{}`, `{0}` and `{name}`; conversions and widths are refused.
fn format(text: &str, arguments: &[Value]) -> Result<String, Error> {
    let wrong = |message: String| Error::new(ErrorKind::InvalidOperation, message);
    let named = arguments.last().filter(|value| value.kind() == ValueKind::Map);
    let (mut written, mut rest, mut next) = (String::with_capacity(text.len()), text, 0_usize);
    while let Some(at) = rest.find(['{', '}']) {
        written.push_str(&rest[..at]);
        let (brace, after) = (&rest[at..=at], &rest[at + 1..]);
        if after.starts_with(brace) {
            written.push_str(brace);
            rest = &after[1..];
            continue;
        }
        let (field, after) = match (brace, after.split_once('}')) {
            ("{", Some(parts)) => parts,
            _ => return Err(wrong(format!("`format`: a `{brace}` without its partner in `{text}`"))),
        };
        if field.contains([':', '!', '.', '[']) {
            return Err(wrong(format!("`format` knows {{}}, {{0}} and {{name}} only, not {{{field}}}")));
        }
        let value = match (field.is_empty(), field.parse::<usize>()) {
            (true, _) => {
                next += 1;
                arguments.get(next - 1).cloned()
            }
            (false, Ok(index)) => arguments.get(index).cloned(),
            (false, Err(_)) => named.and_then(|named| named.get_attr(field).ok()).filter(|value| !value.is_undefined()),
        };
        let value = value.ok_or_else(|| wrong(format!("`format`: nothing is given for {{{field}}}")))?;
        written.push_str(&to_text(&value));
        rest = after;
    }
    Ok(written + rest)
}

/// `startswith` and `endswith` take one string or a tuple of them.
fn any_of(arguments: &[Value], name: &str, test: impl Fn(&str) -> bool) -> Result<bool, Error> {
    let wrong = || Error::new(ErrorKind::MissingArgument, format!("`{name}` wants a string or a list of strings"));
    let argument = arguments.first().ok_or_else(wrong)?;
    match argument.as_str() {
        Some(text) => Ok(test(text)),
        None => {
            for item in argument.try_iter()? {
                if test(item.as_str().ok_or_else(wrong)?) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

fn map_method(value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let item = |key: &Value| value.get_item(key);
    Ok(match name {
        "keys" => value.try_iter()?.collect(),
        "values" => Value::from(value.try_iter()?.map(|key| item(&key)).collect::<Result<Vec<_>, _>>()?),
        "items" => {
            let pair = |key: Value| Ok(Value::from(vec![key.clone(), item(&key)?]));
            Value::from(value.try_iter()?.map(pair).collect::<Result<Vec<_>, Error>>()?)
        }
        "get" => {
            let key = arguments
                .first()
                .ok_or_else(|| Error::new(ErrorKind::MissingArgument, "`get` wants a key as its first argument"))?;
            let found = item(key)?;
            if found.is_undefined() { arguments.get(1).cloned().unwrap_or(Value::from(())) } else { found }
        }
        _ => return Err(unknown(value, name)),
    })
}

/// A JSON value as a template sees it.
pub(super) fn from_json(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => Value::from(number),
            (_, Some(number), _) => Value::from(number),
            (_, _, number) => Value::from(number.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(items) => Value::from_pairs(items.iter().map(|(key, value)| (key.as_str(), from_json(value)))),
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// A moment, in seconds since 1970 (UTC), as the C function `strftime` writes it in the English locale.
pub(super) fn strftime(format: &str, seconds: u64) -> Result<String, Error> {
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let month_name = MONTHS[month - 1];
    let day_name = DAYS[(days % 7) as usize];
    let day_of_year = days - days_before(year) + 1;
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let code = chars.next();
        // `%-d` is `%d` without leading zeros or spaces.
        let (unpadded, code) = match code {
            Some('-') => (true, chars.next()),
            code => (false, code),
        };
        let start = text.len();
        match code {
            Some('d') => text.push_str(&format!("{day:02}")),
            Some('e') => text.push_str(&format!("{day:2}")),
            Some('m') => text.push_str(&format!("{month:02}")),
            Some('b' | 'h') => text.push_str(&month_name[..3]),
            Some('B') => text.push_str(month_name),
            Some('a') => text.push_str(&day_name[..3]),
            Some('A') => text.push_str(day_name),
            Some('y') => text.push_str(&format!("{:02}", year % 100)),
            Some('Y') => text.push_str(&year.to_string()),
            Some('j') => text.push_str(&format!("{day_of_year:03}")),
            Some('I') => text.push_str(&format!("{:02}", (hour + 11) % 12 + 1)),
            Some('p') => text.push_str(if hour < 12 { "AM" } else { "PM" }),
            Some('H') => text.push_str(&format!("{hour:02}")),
            Some('M') => text.push_str(&format!("{minute:02}")),
            Some('S') => text.push_str(&format!("{second:02}")),
            Some('F') => text.push_str(&format!("{year}-{month:02}-{day:02}")),
            Some('T') => text.push_str(&format!("{hour:02}:{minute:02}:{second:02}")),
            Some('%') => text.push('%'),
            other => {
                let shown = other.map(String::from).unwrap_or_default();
                let message = format!(
                    "`strftime_now` does not know `%{shown}`; known are %a %A %b %B %d %e %F %h %H %I %j %m %M %p %S %T %y %Y"
                );
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
        }
        if unpadded {
            let padded = text.split_off(start);
            let shown = padded.trim_start_matches(['0', ' ']);
            text.push_str(if shown.is_empty() { "0" } else { shown });
        }
    }
    Ok(text)
}

/// Days from 1970-01-01 to the first day of a year.
fn days_before(year: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

/// Year, month (from 1) and day (from 1) of a day counted from 1970-01-01.
fn civil(days: u64) -> (u64, usize, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // Whole cycles of 400 years first, so that the loop below is short whatever the number.
    let (mut year, mut left) = (1970 + days / 146_097 * 400, days % 146_097);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    (year, month + 1, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(11_017), (2000, 3, 1));
        assert_eq!(civil(47_540), (2100, 2, 28));
        assert_eq!(civil(47_541), (2100, 3, 1));
        assert_eq!(
            strftime("%d %b %Y, %A %H:%M:%S", 951_827_696).ok().as_deref(),
            Some("29 Feb 2000, Tuesday 12:34:56")
        );
        assert_eq!(
            strftime("%A, %B %-d, %Y %j %p %I %-H", 951_827_696 + 86_400).ok().as_deref(),
            Some("Wednesday, March 1, 2000 061 PM 12 12")
        );
        assert!(strftime("%Q", 0).is_err());
    }
}
