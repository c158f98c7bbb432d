//! Checks of a regex, with the parser that compiles it later. Its size is checked with that of the whole grammar, in `size`.

use regex_automata::util::syntax;

use super::ast::Span;
use super::problem::Problem;
use super::report::Located;

/// Reports what keeps `regex`, which stands between slashes at `span`, from being used in a format.
pub(super) fn check(regex: &str, span: Span, problems: &mut Vec<Located>) {
    let hir = match syntax::parse(regex) {
        Ok(hir) => hir,
        Err(error) => {
            let (offset, reason) = parts(&error.to_string());
            let at = offset.map_or(span, |offset| {
                let offset = regex.char_indices().nth(offset).map_or(regex.len(), |(at, _)| at);
                Span::new(span.start + 1 + offset, span.start + 2 + offset)
            });
            problems.push((at, Problem::BadRegex { reason }));
            return;
        }
    };
    let properties = hir.properties();
    if !properties.look_set().is_empty() {
        problems.push((span, Problem::LookAround));
    } else if properties.minimum_len().is_none() {
        problems.push((span, Problem::HopelessRegex));
    } else if properties.minimum_len() == Some(0) {
        problems.push((span, Problem::EmptyRegex));
    }
}

/// The column (from 0, in characters) and the reason in a message of the regex parser, which has the form
/// `regex parse error:\n    PATTERN\n    ^\nerror: REASON`. A message of another form is the reason as a whole.
fn parts(message: &str) -> (Option<usize>, String) {
    let caret = message.lines().find(|line| line.trim_start().starts_with('^'));
    let offset = caret.and_then(|line| line.find('^')).and_then(|at| at.checked_sub(4));
    let reason = message.lines().find_map(|line| line.strip_prefix("error: "));
    (offset, reason.unwrap_or(message).to_owned())
}
