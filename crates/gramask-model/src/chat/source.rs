//! Changes to a template's text before it is compiled, where the engine's Jinja is not that of `transformers`.

/// A template as the engine can compile it. Line numbers stay as they are.
///
/// - Line ends are `\n`, as Jinja2 makes them.
/// - `{% generation %}` marks what the model said, for training. Rendered, it only opens a scope, as `{% with %}` does.
/// - `'text %s' % value` becomes `'text %s'|format(value)`: the engine has the filter and not the operator.
pub(super) fn prepare(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut prepared = String::with_capacity(source.len());
    let mut rest = source.as_str();
    let mut raw = false;
    while let Some(at) = rest.find('{') {
        prepared.push_str(&rest[..at]);
        rest = &rest[at..];
        let close = match rest.as_bytes().get(1) {
            Some(b'#') => "#}",
            Some(b'%') => "%}",
            Some(b'{') => "}}",
            _ => "",
        };
        let inside = rest.get(2..).unwrap_or_default();
        let end = match close {
            "" => None,
            "#}" => inside.find(close),
            _ => end_of_tag(inside, close),
        };
        let Some(end) = end else {
            prepared.push('{');
            rest = &rest[1..];
            continue;
        };
        let (tag, after) = (&inside[..end], &inside[end + 2..]);
        let name = tag.trim_start_matches(['-', '+']).split_whitespace().next().unwrap_or("");
        let name = name.trim_end_matches(['-', '+']);
        let is_block = close == "%}";
        if raw && !(is_block && name == "endraw") || close == "#}" {
            prepared.push_str(&rest[..2 + end + 2]);
        } else {
            raw = is_block && name == "raw";
            prepared.push_str(&rest[..2]);
            match name {
                "generation" if is_block => prepared.push_str(&tag.replacen("generation", "with", 1)),
                "endgeneration" if is_block => prepared.push_str(&tag.replacen("endgeneration", "endwith", 1)),
                _ => prepared.push_str(&without_percent(tag)),
            }
            prepared.push_str(close);
        }
        rest = after;
    }
    prepared + rest
}

/// The variables whose first assignment reads the variable itself, as `{% set x = x or 1 %}` does: a value from outside counts
/// there.
pub(super) fn defaults_of_themselves(source: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let (mut found, mut assigned, mut rest) = (Vec::new(), Vec::new(), source);
    while let Some(at) = rest.find("{%") {
        let inside = &rest[at + 2..];
        let Some(end) = end_of_tag(inside, "%}") else { break };
        let tag = inside[..end].trim_start_matches(['-', '+']).trim_start();
        rest = &inside[end..];
        let Some((name, value)) = tag.strip_prefix("set ").and_then(|set| set.split_once('=')) else { continue };
        let name = name.trim();
        if !assigned.contains(&name) && name.chars().all(is_name) {
            assigned.push(name);
            if value.split(|c| !is_name(c)).any(|word| word == name) {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// Where a tag's contents end: at `close`, outside of strings and brackets.
fn end_of_tag(inside: &str, close: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while at < inside.len() {
        let rest = &inside[at..];
        if depth == 0 && rest.starts_with(close) {
            return Some(at);
        }
        at += match rest.as_bytes()[0] {
            b'\'' | b'"' => string_length(rest)?,
            b'(' | b'[' | b'{' => {
                depth += 1;
                1
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                1
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    None
}

/// The length of the string that a text begins with, quotes included; `None` if it does not end.
fn string_length(text: &str) -> Option<usize> {
    let quote = text.as_bytes()[0];
    let mut at = 1;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// The length of the brackets that a text begins with, and of what is inside; `None` if they do not close.
fn group_length(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'\'' | b'"' => at += string_length(&text[at..])?,
            b'(' | b'[' | b'{' => (at, depth) = (at + 1, depth + 1),
            b')' | b']' | b'}' => {
                (at, depth) = (at + 1, depth.checked_sub(1)?);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// An expression in which `'text' % value` is `'text'|format(value)`.
fn without_percent(expression: &str) -> String {
    let mut written = String::with_capacity(expression.len());
    let (mut rest, mut after_string) = (expression, false);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\'' | '"' => match string_length(rest) {
                Some(length) => length,
                None => return written + rest,
            },
            _ => c.len_utf8(),
        };
        if c == '%' && after_string {
            let operand = rest[1..].trim_start();
            let skipped = rest.len() - operand.len();
            if let Some(length) = operand_length(operand).filter(|&length| length > 0) {
                let value = without_percent(&operand[..length]);
                let is_tuple = value.starts_with('(') && value.ends_with(')');
                written.push_str("|format");
                written.push_str(&if is_tuple { value } else { format!("({value})") });
                (rest, after_string) = (&rest[skipped + length..], false);
                continue;
            }
        }
        written.push_str(&rest[..length]);
        after_string = matches!(c, '\'' | '"') || after_string && c.is_whitespace();
        rest = &rest[length..];
    }
    written
}

/// The length of the operand that a text begins with: a string, a name, a number or brackets, with the attributes, calls,
/// subscripts and filters after it.
fn operand_length(text: &str) -> Option<usize> {
    let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let mut at = match *text.as_bytes().first()? {
        b'\'' | b'"' => string_length(text)?,
        b'(' | b'[' | b'{' => group_length(text)?,
        _ => word(text),
    };
    while at > 0 {
        let rest = &text[at..];
        at += match rest.as_bytes().first() {
            Some(b'(' | b'[') => group_length(rest)?,
            Some(b'.') => 1 + word(&rest[1..]),
            _ => {
                let filter = rest.trim_start();
                let Some(name) = filter.strip_prefix('|') else { break };
                let name = name.trim_start();
                rest.len() - name.len() + word(name)
            }
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::prepare;

    #[test]
    fn generation_is_a_scope_and_keeps_its_trimming() {
        assert_eq!(prepare("a{%- generation -%}\r\nb{% endgeneration %}"), "a{%- with -%}\nb{% endwith %}");
        assert_eq!(
            prepare("{% raw %}{% generation %}{% endraw %}{% generation %}"),
            "{% raw %}{% generation %}{% endraw %}{% with %}"
        );
        assert_eq!(prepare("{# {% generation %} #}{'{% generation %}"), "{# {% generation %} #}{'{% with %}");
        assert_eq!(prepare("{{ '{% generation %}' }}"), "{{ '{% generation %}' }}");
    }

    #[test]
    fn percent_after_a_string_is_the_filter() {
        for (written, prepared) in [
            ("{{ 'a %s' % b }}", "{{ 'a %s' |format(b) }}"),
            ("{{ '%s %d' % (b.c, 3) + 'x' }}", "{{ '%s %d' |format(b.c, 3) + 'x' }}"),
            ("{{ '%s' % b.c[0]|trim ~ '%' }}", "{{ '%s' |format(b.c[0]|trim) ~ '%' }}"),
            ("{{ 7 % 4 }}{{ a %b }}", "{{ 7 % 4 }}{{ a %b }}"),
            ("{% if '%}' == x %}y{% endif %}", "{% if '%}' == x %}y{% endif %}"),
            ("{{ {'a': '}}'} }}%", "{{ {'a': '}}'} }}%"),
        ] {
            assert_eq!(prepare(written), prepared);
        }
    }
}
