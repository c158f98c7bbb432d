//! The regexes of a grammar, each compiled once, all within one allowance of steps.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::Fault;
use crate::notation::ast::Span;
use crate::plain::Expr;
use crate::regex::{Regex, RegexError, Steps};

pub(super) struct Regexes {
    known: HashMap<String, Arc<Regex>>,
    steps: Steps,
}

impl Regexes {
    pub fn new() -> Regexes {
        Regexes { known: HashMap::new(), steps: Steps::new() }
    }

    /// The automaton of a pattern, which stands at `span`.
    pub fn compile(&mut self, pattern: &str, span: Span) -> Result<Arc<Regex>, Fault> {
        if let Some(known) = self.known.get(pattern) {
            return Ok(Arc::clone(known));
        }
        let regex = Arc::new(Regex::new(pattern, &mut self.steps).map_err(|error| refused(error, span))?);
        self.known.insert(pattern.to_owned(), Arc::clone(&regex));
        Ok(regex)
    }

    /// The language of a pattern.
    pub fn expr(&mut self, pattern: &str, span: Span) -> Result<Expr, Fault> {
        self.compile(pattern, span).map(Expr::Regular)
    }
}

fn refused(error: RegexError, span: Span) -> Fault {
    match error {
        RegexError::TooLarge => {
            Fault::new(span, format!("to compile the regexes up to this one takes more than {} steps", Steps::LIMIT))
                .help("repeat less in it, or use ASCII classes such as [0-9] for \\d")
        }
        RegexError::Syntax(reason) => Fault::new(span, format!("this is not a regex: {reason}")),
    }
}
