//! The values of `format` as regular languages, by the standards that JSON Schema names.

use std::sync::{LazyLock, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::strings::Strings;
use crate::regex::{Language, RegexError, Steps};

/// What a value of `format` means here.
pub(super) enum Meaning {
    Language(Strings),
    /// JSON Schema defines the format, and it has no regular language here.
    Refused,
    /// JSON Schema does not define it, so that it is an annotation.
    Unknown,
}

const DAY: &str = r"(?:0[1-9]|1[0-9]|2[0-8])";
/// Dates of the Gregorian calendar, in the years 0001 to 9999.
const DATE: &str = concat!(
    r"(?:(?:[0-9]{4}-(?:(?:0[1-9]|1[0-2])-DAY|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)",
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29))"
);
/// A leap second is written in UTC alone.
const TIME: &str = concat!(
    r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:[Zz]|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])",
    r"|23:59:60(?:\.[0-9]+)?(?:[Zz]|[-+]00:00))"
);
const DURATION_TIME: &str = r"(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)";
const DURATION_DATE: &str = r"(?:[0-9]+D|[0-9]+M(?:[0-9]+D)?|[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?)";
const IPV4: &str =
    r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3})";
const LABEL: &str = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)";
const SHORT_LABEL: &str = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,22}[A-Za-z0-9])?)";
const POINTER: &str = r"(?:/(?:[^~/]|~[01])*)*";

/// RFC 3986, section 3.2.2.
fn ipv6() -> String {
    let group = "[0-9A-Fa-f]{1,4}";
    let last = format!("(?:{group}:{group}|{IPV4})");
    let mut forms = vec![format!("(?:{group}:){{6}}{last}"), format!("::(?:{group}:){{5}}{last}")];
    for before in 1..=5 {
        let begin = format!("(?:(?:{group}:){{0,{}}}{group})?::", before - 1);
        forms.push(match before {
            1..=4 => format!("{begin}(?:{group}:){{{}}}{last}", 5 - before),
            _ => format!("{begin}{last}"),
        });
    }
    forms.push(format!("(?:(?:{group}:){{0,5}}{group})?::{group}"));
    forms.push(format!("(?:(?:{group}:){{0,6}}{group})?::"));
    format!("(?:{})", forms.join("|"))
}

/// RFC 3986, appendix A.
fn uri(relative: bool) -> String {
    let pct = "%[0-9A-Fa-f]{2}";
    let pchar = format!(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|{pct})");
    let no_colon = format!(r"(?:[A-Za-z0-9._~!$&'()*+,;=@-]|{pct})");
    let host = format!(
        r"(?:\[(?:{}|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|{pct})*)",
        ipv6()
    );
    let authority = format!(r"(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|{pct})*@)?{host}(?::[0-9]*)?");
    let abempty = format!("(?:/{pchar}*)*");
    let absolute = format!("/(?:{pchar}+{abempty})?");
    let tail = format!(r"(?:\?(?:{pchar}|[/?])*)?(?:#(?:{pchar}|[/?])*)?");
    let full = format!("[A-Za-z][A-Za-z0-9+.-]*:(?://{authority}{abempty}|{absolute}|{pchar}+{abempty}|){tail}");
    if !relative {
        return full;
    }
    format!("(?:{full}|(?://{authority}{abempty}|{absolute}|{no_colon}+{abempty}|){tail})")
}

/// RFC 5321, section 4.1.2. An address in brackets instead of a domain is not written.
fn email() -> String {
    let atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    let quoted = r#""(?:[ !#-\[\]-~]|\\[ -~])*""#;
    format!(r"(?:{atom}(?:\.{atom})*|{quoted})@{LABEL}(?:\.{LABEL})*")
}

fn source(name: &str) -> Option<String> {
    let date = DATE.replace("DAY", DAY);
    Some(match name {
        "date" => date,
        "time" => TIME.into(),
        "date-time" => format!("{date}[Tt]{TIME}"),
        "duration" => format!("P(?:[0-9]+W|{DURATION_DATE}(?:T{DURATION_TIME})?|T{DURATION_TIME})"),
        "email" => email(),
        // At most 253 characters (RFC 1123), without counting all of them.
        "hostname" => format!(r"{LABEL}(?:\.{LABEL}){{0,2}}|{SHORT_LABEL}(?:\.{SHORT_LABEL}){{0,9}}"),
        "ipv4" => IPV4.into(),
        "ipv6" => ipv6(),
        "uuid" => "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}".into(),
        "uri" => uri(false),
        "uri-reference" => uri(true),
        "json-pointer" => POINTER.into(),
        "relative-json-pointer" => format!("(?:0|[1-9][0-9]*)(?:#|{POINTER})"),
        _ => return None,
    })
}

/// The formats that JSON Schema defines and that are refused.
const REFUSED: [&str; 6] = ["idn-email", "idn-hostname", "iri", "iri-reference", "uri-template", "regex"];

/// The formats that were asked for before. They are the same for all schemas.
static KNOWN: LazyLock<Mutex<FxHashMap<String, Strings>>> = LazyLock::new(Mutex::default);

/// What a format stands for.
pub(super) fn meaning(name: &str, steps: &mut Steps) -> Result<Meaning, RegexError> {
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(strings) = known().get(name) {
        return Ok(Meaning::Language(strings.clone()));
    }
    let meaning = made(name, steps)?;
    if let Meaning::Language(strings) = &meaning {
        known().insert(name.to_owned(), strings.clone());
    }
    Ok(meaning)
}

fn made(name: &str, steps: &mut Steps) -> Result<Meaning, RegexError> {
    let Some(source) = source(name) else {
        return Ok(if REFUSED.contains(&name) { Meaning::Refused } else { Meaning::Unknown });
    };
    let mut strings = Strings::of(Language::pattern(&format!("(?s:{source})"), steps)?);
    match name {
        // Year 0 is in no calendar, though RFC 3339 can write it.
        "date" | "date-time" => {
            let zero = Language::pattern("0000(?s:.)*", steps)?;
            strings = strings.minus(&Strings::of(zero), steps)?;
        }
        // Labels with hyphens in the third and fourth place are reserved (RFC 5891), and such an encoded label must be valid.
        "hostname" => {
            let reserved = Language::pattern(r"(?s:(?:.*\.)?[^.]{2}--.*)", steps)?;
            strings = strings.minus(&Strings::of(reserved), steps)?;
        }
        _ => {}
    }
    Ok(Meaning::Language(strings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, yes: &[&str], no: &[&str]) {
        let Meaning::Language(strings) = meaning(name, &mut Steps::new()).unwrap() else { panic!("{name}") };
        yes.iter().for_each(|text| assert!(strings.contains(text), "{name} {text}"));
        no.iter().for_each(|text| assert!(!strings.contains(text), "{name} {text}"));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let Meaning::Language(dates) = meaning("date", &mut Steps::new()).unwrap() else { panic!("date") };
        for year in [1, 4, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 9999] {
            for month in 0..=13 {
                for day in 0..=32 {
                    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                    let days = match month {
                        2 => 28 + i32::from(leap),
                        4 | 6 | 9 | 11 => 30,
                        1..=12 => 31,
                        _ => 0,
                    };
                    let text = format!("{year:04}-{month:02}-{day:02}");
                    assert_eq!(dates.contains(&text), (1..=days).contains(&day), "{text}");
                }
            }
        }
        assert!(!dates.contains("0000-01-01") && !dates.contains("2024-1-1"));
    }

    #[test]
    fn formats_are_those_of_their_standards() {
        check(
            "date-time",
            &["2024-02-29T23:59:60Z", "1999-01-01t00:00:00.5-01:30"],
            &["2023-02-29T00:00:00Z", "2024-01-01T00:00:00"],
        );
        check("time", &["08:30:06Z", "23:59:60+00:00"], &["24:00:00Z", "22:59:60Z", "08:30:06", "08:30:06 Z"]);
        check(
            "duration",
            &["P4DT12H30M5S", "P1Y", "PT36H", "P2W"],
            &["P", "PT", "P1YT", "P2D1Y", "P1Y2W", "4D", "P1Y1D"],
        );
        check("email", &["joe@example.com", "\"a b\"@x.org"], &["a", "a@", ".a@b.c", "a..b@c.d", "a@-b.c"]);
        check("hostname", &["a", "www.example.com", "a-b.c"], &["-a", "a-", "a..b", "", "a_b", "xn--x"]);
        check("ipv4", &["0.0.0.0", "255.1.20.3"], &["256.0.0.0", "1.2.3", "01.2.3.4", "1.2.3.4.5"]);
        check(
            "ipv6",
            &["::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1::7:8", "1:2:3:4:5:6::8", "2001:db8::"],
            &["1", ":1", "1:2:3:4:5:6:7", "1::2::3", "12345::", ":::", "1:2:3:4:5:6:7::8", "::1%eth0"],
        );
        check(
            "uuid",
            &["2EB8AA08-aa98-11EA-B4AA-73B441D16380"],
            &["2EB8AA08-aa98-11EA-B4AA-73B441D1638", "2EB8AA08aa9811EAB4AA73B441D16380"],
        );
        check(
            "uri",
            &["http://a.b/c?d#e", "urn:x:y", "mailto:a@b", "http://[::1]:80/", "ldap://[2001:db8::7]/c=GB?x?y"],
            &["//a", "a b:c", "/x", "http://a b", "%41:x", "http://[x]", "\\\\a"],
        );
        check("uri-reference", &["", "/x", "a/b:c", "#f", "//h/p", "?q"], &["\\\\a", "a b", "#a\\b"]);
        check("json-pointer", &["", "/a/~0~1", "/"], &["a", "/~", "/~2"]);
        check("relative-json-pointer", &["0", "1/a", "0#"], &["-1", "01", "/a", "0##"]);
        assert!(matches!(meaning("regex", &mut Steps::new()), Ok(Meaning::Refused)));
        assert!(matches!(meaning("color", &mut Steps::new()), Ok(Meaning::Unknown)));
    }
}
