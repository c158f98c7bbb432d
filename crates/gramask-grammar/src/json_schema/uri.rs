//! References between parts of a document (RFC 3986, section 5).

/// A URI or a relative reference, in its parts.
#[derive(Default)]
struct Parts<'t> {
    scheme: Option<&'t str>,
    authority: Option<&'t str>,
    path: &'t str,
    query: Option<&'t str>,
}

fn parts(text: &str) -> Parts<'_> {
    let mut parts = Parts::default();
    let mut rest = text;
    let colon = rest.find([':', '/', '?']).filter(|at| rest.as_bytes()[*at] == b':');
    if let Some(at) = colon
        && rest.starts_with(|first: char| first.is_ascii_alphabetic())
    {
        (parts.scheme, rest) = (Some(&rest[..at]), &rest[at + 1..]);
    }
    if let Some((before, query)) = rest.split_once('?') {
        (rest, parts.query) = (before, Some(query));
    }
    if let Some(after) = rest.strip_prefix("//") {
        let end = after.find('/').unwrap_or(after.len());
        (parts.authority, rest) = (Some(&after[..end]), &after[end..]);
    }
    parts.path = rest;
    parts
}

/// The reference as seen from the base, without its fragment, and the fragment.
pub(super) fn resolve<'r>(base: &str, reference: &'r str) -> (String, &'r str) {
    let (reference, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    if reference.is_empty() {
        return (base.to_owned(), fragment);
    }
    let (from, to) = (parts(base), parts(reference));
    let mut found = Parts { query: to.query, ..Parts::default() };
    let path;
    if to.scheme.is_some() {
        (found.scheme, found.authority, path) = (to.scheme, to.authority, without_dots(to.path));
    } else if to.authority.is_some() {
        (found.scheme, found.authority, path) = (from.scheme, to.authority, without_dots(to.path));
    } else {
        (found.scheme, found.authority) = (from.scheme, from.authority);
        path = if to.path.is_empty() {
            found.query = to.query.or(from.query);
            from.path.to_owned()
        } else if to.path.starts_with('/') {
            without_dots(to.path)
        } else if from.authority.is_some() && from.path.is_empty() {
            without_dots(&format!("/{}", to.path))
        } else {
            let folder = from.path.rfind('/').map_or("", |at| &from.path[..=at]);
            without_dots(&format!("{folder}{}", to.path))
        };
    }
    let scheme = found.scheme.map(|scheme| format!("{scheme}:")).unwrap_or_default();
    let authority = found.authority.map(|authority| format!("//{authority}")).unwrap_or_default();
    let query = found.query.map(|query| format!("?{query}")).unwrap_or_default();
    (format!("{scheme}{authority}{path}{query}"), fragment)
}

/// The path with `.` and `..` followed.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').collect();
    for (place, segment) in segments.iter().enumerate() {
        let last = place + 1 == segments.len();
        match *segment {
            "." | ".." => {
                if *segment == ".." && kept.len() > usize::from(path.starts_with('/')) {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    kept.join("/")
}

/// A fragment with its percent escapes read, if they are valid.
pub(super) fn decoded(fragment: &str) -> Option<String> {
    let bytes = fragment.as_bytes();
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = fragment.get(at + 1..at + 3)?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_as_in_the_standard() {
        // RFC 3986, section 5.4.
        let base = "http://a/b/c/d;p?q";
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
        ] {
            assert_eq!(resolve(base, reference).0, expected, "{reference}");
        }
        assert_eq!(resolve("", "item.json#/a"), ("item.json".into(), "/a"));
        assert_eq!(resolve("http://x", "y"), ("http://x/y".into(), ""));
        assert_eq!(resolve("urn:uuid:1", "#a"), ("urn:uuid:1".into(), "a"));
        assert_eq!(decoded("a%25b%22"), Some("a%b\"".into()));
        assert_eq!(decoded("%zz"), None);
    }
}
