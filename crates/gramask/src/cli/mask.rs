//! `gramask mask`.

use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use clap::Args;
use gramask_grammar::{Constraint, Format, Level, NetworkLimits, Program, State, Vocabulary, tokens_of};
use gramask_ner::Text;

use super::shared::{GrammarArgs, PLAIN, level, schema, vocabulary};
use super::{CliError, DONE};
use crate::pull::Cache;

/// The number of tokens shown without `--all`.
const SHOWN: usize = 20;

pub(super) const HELP: &str = "\
Without --after, the masks are those of the first token. At level `grounded` everything that refers to the text must be true of it.
A plain grammar has no text, labels or level.

  gramask mask --text \"Naloxone reverses clonidine.\" --after '[{\"text\":\"'
  gramask mask --json-schema schema.json --after '{'
  gramask mask --regex '[0-9]{4}-[0-9]{2}' --after 2026";

#[derive(Debug, Args)]
pub(super) struct MaskArgs {
    /// The format: a name (`gramask formats` lists them) or the path of a .gram file
    #[arg(long, value_name = "FORMAT", default_value = "json-list", conflicts_with_all = PLAIN)]
    format: String,
    /// The labels, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "Chemical,Disease", conflicts_with_all = PLAIN)]
    labels: Vec<String>,
    /// The text
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        required_unless_present_any = PLAIN,
        conflicts_with_all = PLAIN
    )]
    text: Option<String>,
    /// The beginning of the output
    #[arg(long, value_name = "OUTPUT", default_value = "", allow_hyphen_values = true)]
    after: String,
    /// `syntax` (the output parses) or `grounded` (it parses and is true of the text)
    #[arg(long, value_name = "LEVEL", default_value = "grounded", value_parser = level, conflicts_with_all = PLAIN)]
    level: Level,
    /// A name (`gramask pull` lists them), a tokenizer.json, a .gguf file, or `bytes`, which needs no file
    /// [default: that of smollm2-135m-instruct if it is in the cache, else `bytes`]
    #[arg(long, value_name = "V")]
    vocabulary: Option<String>,
    /// Show all tokens, not only the first 20
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    plain: GrammarArgs,
}

/// Shows which tokens may follow.
pub(super) fn mask(args: MaskArgs) -> Result<u8, CliError> {
    let (title, program) = match args.plain.grammar()? {
        Some(grammar) => (grammar.name().to_owned(), Program::of_grammar(&grammar, &NetworkLimits::default())?),
        None => {
            let program = Program::compile(&Format::named(&args.format)?, &schema(&args.labels)?)?;
            (format!("{} {}", program.format().name, args.level), program)
        }
    };
    if args.level == Level::None {
        return Err(CliError::NoConstraint);
    }
    let named = vocabulary(args.vocabulary.as_deref(), &Cache::from_env()?)?;
    let vocabulary = &named.vocabulary;
    let text = Text::new(args.text.unwrap_or_default());
    let mut constraint = Constraint::new(program, &text, args.level, Arc::clone(vocabulary))?;
    let state = follow(&mut constraint, args.after.as_bytes())?;

    let tokens: Vec<u32> = tokens_of(constraint.mask(state)).collect();
    let (head, faint) = (Style::new().bold(), Style::new().dimmed());
    let words = shown(args.after.as_bytes());
    anstream::println!("{head}{title}, after `{words}`{head:#}");
    anstream::println!("{} of {} tokens of {} may follow", tokens.len(), vocabulary.len(), named.name);
    let number = if args.all { tokens.len() } else { SHOWN };
    for &token in tokens.iter().take(number) {
        anstream::println!("{token:>8}  {}", name(vocabulary, token));
    }
    if tokens.len() > number {
        anstream::println!("{faint}          and {} more: --all shows them{faint:#}", tokens.len() - number);
    }
    let (forced, _) = constraint.forced(state);
    let forced = match forced.is_empty() {
        true => "none: there is a choice".into(),
        false => format!("`{}`", shown(&forced)),
    };
    anstream::println!("forced bytes       {forced}");
    let complete = if constraint.accepts(state) { "yes: it may end here" } else { "no" };
    anstream::println!("complete           {complete}");
    let rest = constraint.shortest_rest(state);
    let more = match constraint.tokens_to_finish(state) {
        usize::MAX => "these tokens can't finish it".into(),
        number => format!("{number} with the end token, for `{}`", shown(&rest)),
    };
    anstream::println!("tokens to finish   {more}");
    let (states, masks) = constraint.visited();
    anstream::println!("memo               {}", memo(&args.after, &named, &mut constraint, states, masks));
    Ok(DONE)
}

/// How often a mask that was made before is met again on the way here, token by token.
fn memo(
    after: &str,
    named: &crate::pull::NamedVocabulary,
    constraint: &mut Constraint,
    states: usize,
    masks: usize,
) -> String {
    let (mut state, mut asked, mut made) = (constraint.start(), 0, 0);
    let mut kept = masks;
    for token in named.tokens(after) {
        constraint.mask(state);
        asked += 1;
        let now = constraint.visited().1;
        made += usize::from(now > kept);
        kept = now;
        match constraint.advance(state, token) {
            Some(next) => state = next,
            None => break,
        }
    }
    let here = format!("{states} states and {masks} mask(s) for this one");
    if asked == 0 {
        return here;
    }
    let hits = asked - made;
    let percent = 100.0 * hits as f64 / asked as f64;
    format!("{here}; on the way here {hits} of {asked} masks were known before ({percent:.0} %)")
}

/// The state after what was written, or where it leaves the format.
fn follow(constraint: &mut Constraint, after: &[u8]) -> Result<State, CliError> {
    let mut state = constraint.start();
    for (offset, &byte) in after.iter().enumerate() {
        state = match constraint.advance_bytes(state, &[byte]) {
            Some(next) => next,
            None => {
                let fits: Vec<u8> = constraint.next_bytes(state).iter().map(|&(byte, _)| byte).collect();
                let (forced, _) = constraint.forced(state);
                let mut could = if forced.is_empty() { ranges(&fits) } else { format!("`{}`", shown(&forced)) };
                if constraint.accepts(state) {
                    could = if fits.is_empty() { "nothing: it is complete".into() } else { could + ", or the end" };
                }
                return Err(CliError::After { offset, byte: shown(&[byte]), good: shown(&after[..offset]), could });
            }
        };
    }
    Ok(state)
}

/// Bytes, runs of more than two as `a-z`.
fn ranges(bytes: &[u8]) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let run = (0..).zip(rest).take_while(|(i, byte)| u32::from(first) + i == u32::from(**byte)).count();
        let last = rest[run - 1];
        match run {
            1 => out.push(format!("`{}`", shown(&[first]))),
            2 => out.push(format!("`{}` `{}`", shown(&[first]), shown(&[last]))),
            _ => out.push(format!("`{}`-`{}`", shown(&[first]), shown(&[last]))),
        }
        rest = &rest[run..];
    }
    out.join(" ")
}

fn name(vocabulary: &Vocabulary, token: u32) -> String {
    if vocabulary.is_end(token) {
        let end = Style::new().fg_color(Some(AnsiColor::Green.into()));
        return format!("{end}the end{end:#}");
    }
    let bytes = vocabulary.token(token).map_or(&[][..], |token| &token.bytes);
    format!("`{}`", shown(bytes))
}

/// Bytes for people: whole characters as they are, but for those that can't be seen.
fn shown(bytes: &[u8]) -> String {
    let visible = |c: char| match c.is_control() || c == '\\' {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().map(visible).collect(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_bytes_are_short() {
        assert_eq!(ranges(b"abcx"), "`a`-`c` `x`");
        assert_eq!(ranges(b"ab\n"), "`a` `b` `\\n`");
        assert_eq!(ranges(&[254, 255]), "`\\xfe` `\\xff`");
        assert_eq!(ranges(b""), "");
    }
}
