//! `gramask decode` with a plain grammar: a message is answered in its language.

use anstyle::{AnsiColor, Style};
use gramask_grammar::{Grammar, Level, NetworkLimits, Program};
use gramask_model::chat::Message;

use super::{DecodeArgs, show_speed, trace};
use crate::cli::shared::{bars, load_engine, resolve};
use crate::cli::{BROKEN, CliError, DONE};
use crate::plan::Placement;
use crate::pull::Cache;
use crate::runner::{AnswerOptions, Pass, decode_answer};

/// Answers the text, and prints the answer.
pub(super) fn decode(args: &DecodeArgs, grammar: &Grammar, placement: &Placement) -> Result<u8, CliError> {
    let level = args.level.unwrap_or(Level::Syntax);
    if level == Level::Grounded {
        return Err(CliError::NotGrounded);
    }
    let strategy = args.strategy(level)?;
    if strategy.name().repairs() {
        return Err(CliError::NoRepair);
    }
    strategy.check_level(level).map_err(crate::runner::DecodeTextError::from)?;
    let program = Program::of_grammar(grammar, &NetworkLimits::default())?;
    let how = AnswerOptions { program, level, strategy, sampling: args.sampling(), budget: args.budget };
    let mut messages = vec![Message::user(args.text.as_str())];
    if let Some(instruction) = &args.instruction {
        messages.insert(0, Message::system(instruction.as_str()));
    }

    let mut model = resolve(&args.model, &Cache::from_env()?)?;
    model.adapter.clone_from(&args.adapter);
    let mut engine = load_engine(&model, placement)?.with_variables(&args.template.variables())?;
    let bar = bars::waiting("decoding");
    let decoded = decode_answer(&mut engine, &how, &messages);
    bar.finish_and_clear();
    let (output, judged) = decoded?;

    anstream::println!("{}", output.text);
    let warn = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    for fault in &judged.faults {
        anstream::eprintln!("{warn}not of the grammar: {}{warn:#}", fault.message);
    }
    let pass = Pass { label: None, output };
    show_speed(&pass.output);
    if args.trace {
        trace::show(&[pass], engine.vocabulary());
    }
    Ok(if level == Level::Syntax && !judged.parsed { BROKEN } else { DONE })
}
