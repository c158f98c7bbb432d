//! Prompts: an instruction, examples written by the format's own writer, and the document.
//!
//! With a chat template, the instruction is the system message. Each example is a turn of the user with its answer, and the
//! document is the last turn of the user. Without a template the same parts are plain text. All prompts of a run are the same up
//! to the document, so that the common part is computed once.
//!
//! Small models follow examples better than descriptions. So the instruction is short: what to find, which labels, and to answer
//! like the examples. Without examples, the format's description takes their place.

use std::sync::Arc;

use gramask_grammar::{Program, WriteError};
use gramask_model::chat::{ChatError, ChatTemplate, Message};
use gramask_model::tokenizer::Tokenizer;
use gramask_ner::{Document, Schema};
use thiserror::Error;

use crate::random::digest;

/// A text and its output in a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The document's text.
    pub text: String,
    /// The output.
    pub output: String,
}

/// Examples, and how many of their entities the format cannot express.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examples {
    /// The examples, in order.
    pub examples: Vec<Example>,
    /// How many gold entities are in no output, because the format cannot express them.
    pub unexpressed: usize,
}

impl Examples {
    /// Writes documents with their gold entities in a program's format.
    ///
    /// # Errors
    /// Where a document cannot be written at all.
    pub fn write<'a>(
        program: &Arc<Program>,
        documents: impl IntoIterator<Item = &'a Document>,
    ) -> Result<Self, PromptError> {
        let mut examples = Examples::default();
        for document in documents {
            let written = program
                .write(&document.text, &document.entities)
                .map_err(|source| PromptError::Example { id: document.id.clone(), source })?;
            examples.unexpressed += written.unexpressed.len();
            examples.examples.push(Example { text: document.text.as_str().to_owned(), output: written.text });
        }
        Ok(examples)
    }
}

/// Why a prompt could not be built.
#[derive(Debug, Error)]
pub enum PromptError {
    /// A document cannot be an example.
    #[error("document {id} cannot serve as an example: {source}")]
    Example {
        /// The document.
        id: String,
        /// What the writer says.
        source: WriteError,
    },
    /// The template failed.
    #[error("the chat template cannot write the prompt: {0}")]
    Template(#[from] ChatError),
    /// The template does not write the messages as they are.
    #[error(
        "the text of message {message} holds marks of the chat template, and the template changes texts so that they \
         cannot be told apart from its own; take a text without such marks"
    )]
    Marks {
        /// The message's number, from 0.
        message: usize,
    },
    /// The template leaves out a message.
    #[error(
        "the chat template leaves out {what}: the model would not see it; use another template, or a model whose template \
         writes every turn"
    )]
    Dropped {
        /// Which message.
        what: String,
    },
    /// The tokenizer cuts a mark of the template into pieces, although it has a token for it.
    #[error(
        "the mark `{mark}` of the chat template is a token of the model, but the tokenizer cuts it into {pieces} tokens: \
         the file does not list it as an added or control token; correct the tokenizer's file"
    )]
    CutMark {
        /// The mark.
        mark: String,
        /// How many tokens it is cut into.
        pieces: usize,
    },
    /// Neither an example nor a description.
    #[error("there is neither an example nor a description of the format: a model cannot know how to answer")]
    NoFormat,
}

/// The parts of a tokenizer that prompts need.
pub trait PromptTokenizer {
    /// The tokens of a text. With `parse_special`, the names of special tokens in it become those tokens.
    fn encode(&self, text: &str, parse_special: bool) -> Vec<u32>;

    /// Whether a token is special.
    fn is_special(&self, token: u32) -> bool;

    /// The token to put before a plain prompt, if the model wants one.
    fn opening(&self) -> Option<u32>;

    /// The token that the vocabulary has for a mark such as `<|im_start|>`, whether or not text is cut into it.
    fn mark(&self, _text: &str) -> Option<u32> {
        None
    }
}

impl PromptTokenizer for Tokenizer {
    fn encode(&self, text: &str, parse_special: bool) -> Vec<u32> {
        Tokenizer::encode(self, text, parse_special)
    }

    fn is_special(&self, token: u32) -> bool {
        Tokenizer::is_special(self, token)
    }

    fn opening(&self) -> Option<u32> {
        self.bos().filter(|_| self.adds_bos())
    }

    fn mark(&self, text: &str) -> Option<u32> {
        self.token_id(text)
    }
}

/// The instruction for a schema.
///
/// `examples` is how many examples will follow; `description` says what the format looks like, and may be left out where
/// there are examples.
///
/// # Errors
/// [`PromptError::NoFormat`] where there is neither.
///
/// ```
/// use gramask_ner::Schema;
/// let schema = Schema::new(["Chemical", "Disease"]);
/// let text = gramask_decode::instruction(&schema, 3, None).unwrap();
/// assert_eq!(text, "Find the named entities in the text. The labels are: Chemical, Disease. \
///     Copy each entity exactly as it is written in the text. Answer in the same format as the examples, and write \
///     nothing else.");
/// ```
pub fn instruction(schema: &Schema, examples: usize, description: Option<&str>) -> Result<String, PromptError> {
    let labels = match schema.labels() {
        [label] => format!("The only label is: {label}."),
        labels => format!("The labels are: {}.", labels.join(", ")),
    };
    let format = match (examples, description) {
        (0, None) => return Err(PromptError::NoFormat),
        (0, Some(description)) => format!("Answer in this format, and write nothing else: {description}"),
        (_, None) => "Answer in the same format as the examples, and write nothing else.".to_owned(),
        (_, Some(description)) => {
            format!("Answer in the same format as the examples, and write nothing else. The format: {description}")
        }
    };
    Ok(format!(
        "Find the named entities in the text. {labels} Copy each entity exactly as it is written in the text. {format}"
    ))
}

/// The part of every prompt of a run before the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompting {
    /// What to do; see [`instruction`].
    pub instruction: String,
    /// How it is done.
    pub examples: Vec<Example>,
}

impl Prompting {
    /// What comes before the documents of a program: these examples, in its format. Without examples, the description of
    /// the format stands in the instruction.
    ///
    /// # Errors
    /// When an example cannot be written in the format, or there is neither an example nor a description.
    pub fn of(program: &Arc<Program>, examples: &[Document]) -> Result<Prompting, PromptError> {
        let examples = Examples::write(program, examples)?.examples;
        let description = program.format().description.as_str();
        let description = (examples.is_empty() && !description.is_empty()).then_some(description);
        let instruction = instruction(program.schema(), examples.len(), description)?;
        Ok(Prompting { instruction, examples })
    }

    /// The same with another instruction, which says all that the model is told: also what the format looks like.
    ///
    /// # Errors
    /// When an example cannot be written in the format.
    pub fn told(
        instruction: impl Into<String>,
        program: &Arc<Program>,
        examples: &[Document],
    ) -> Result<Prompting, PromptError> {
        Ok(Prompting { instruction: instruction.into(), examples: Examples::write(program, examples)?.examples })
    }

    /// The messages of a conversation that ends with the user's turn with the document's text. The instruction is the
    /// system's message, or, where a chat template has none, it opens the user's first turn.
    pub fn messages(&self, text: &str, system: bool) -> Vec<Message> {
        let mut messages = Vec::with_capacity(2 * self.examples.len() + 2);
        for Example { text, output } in &self.examples {
            messages.push(Message::user(text));
            messages.push(Message::assistant(output));
        }
        messages.push(Message::user(text));
        if system {
            messages.insert(0, Message::system(&self.instruction));
        } else {
            messages[0].content = format!("{}\n\n{}", self.instruction, messages[0].content);
        }
        messages
    }
}

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// The text that was cut into tokens.
    pub text: String,
    /// A digest of the tokens, 32 hexadecimal digits: equal prompts have equal digests on every machine.
    pub digest: String,
}

/// Builds the prompts of a run.
#[derive(Clone, Debug)]
pub struct Prompter<'a, T: ?Sized> {
    tokenizer: &'a T,
    template: Option<&'a ChatTemplate>,
    prompting: Prompting,
}

/// Stands in for a message's text while the template is rendered, where the text holds marks of the template itself.
/// The characters are for private use, and a document that holds them does no harm, for it is put in afterwards.
fn stand_in(message: usize) -> String {
    format!("\u{F5A00}{message}\u{F5A01}")
}

impl<'a, T: PromptTokenizer + ?Sized> Prompter<'a, T> {
    /// Prompts for a model with this tokenizer and, if it has one, chat template.
    pub fn new(tokenizer: &'a T, template: Option<&'a ChatTemplate>, prompting: Prompting) -> Self {
        Prompter { tokenizer, template, prompting }
    }

    /// What comes before the document.
    pub fn prompting(&self) -> &Prompting {
        &self.prompting
    }

    /// The prompt for a document's text. Depends on nothing but what the prompter was made of and the text.
    ///
    /// Names of special tokens in the document, the examples or the instruction are text like any other: no document can
    /// end the user's turn.
    ///
    /// # Errors
    /// Where the chat template fails.
    pub fn build(&self, text: &str) -> Result<Prompt, PromptError> {
        match self.template {
            Some(template) => self.chat(template, |system| self.prompting.messages(text, system)),
            None => Ok(self.cut(self.plain(text))),
        }
    }

    /// The prompt of a conversation, which ends with a turn of the user. What comes before the documents of a run is no part of
    /// it. Without a chat template the messages stand one after the other, with blank lines between.
    ///
    /// # Errors
    /// Where the chat template fails, as [`Prompter::build`].
    pub fn conversation(&self, messages: &[Message]) -> Result<Prompt, PromptError> {
        match self.template {
            Some(template) => self.chat(template, |system| match system {
                true => messages.to_vec(),
                false => without_system(messages),
            }),
            None => {
                let texts: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
                Ok(self.cut(texts.join("\n\n") + "\n"))
            }
        }
    }

    /// A prompt that no template writes.
    fn cut(&self, text: String) -> Prompt {
        let mut tokens: Vec<u32> = self.tokenizer.opening().into_iter().collect();
        tokens.extend(self.tokenizer.encode(&text, false));
        Prompt { digest: digest(&tokens), tokens, text }
    }

    /// The plain layout. It ends with a line break, so that the output begins a line, as in the examples.
    fn plain(&self, text: &str) -> String {
        let Prompting { instruction, examples } = &self.prompting;
        let mut prompt = format!("{instruction}\n\n");
        for Example { text, output } in examples {
            prompt += &format!("Text: {text}\nAnswer:\n{output}\n\n");
        }
        prompt + &format!("Text: {text}\nAnswer:\n")
    }

    /// The prompt that a template makes of messages: with the instruction as the system's message, or in the first turn of the user.
    fn chat(&self, template: &ChatTemplate, messages: impl Fn(bool) -> Vec<Message>) -> Result<Prompt, PromptError> {
        let (messages, text) = self.render(template, messages)?;
        self.check_marks(&text)?;
        let marked = |message: &Message| {
            self.tokenizer.encode(&message.content, true).iter().any(|&token| self.tokenizer.is_special(token))
        };
        let tokens = match messages.iter().any(marked) {
            false => self.tokenizer.encode(&text, true),
            true => self.piecewise(template, &messages)?,
        };
        Ok(Prompt { digest: digest(&tokens), tokens, text })
    }

    /// The messages and the text that the template makes of them, with every message in it.
    ///
    /// Some templates refuse a system's message, and some leave it out without a word. Then the instruction opens the
    /// first turn of the user.
    fn render(
        &self,
        template: &ChatTemplate,
        messages: impl Fn(bool) -> Vec<Message>,
    ) -> Result<(Vec<Message>, String), PromptError> {
        let with_system = messages(true);
        match template.render(&with_system, true) {
            Ok(rendered) if left_out(&with_system, &rendered).is_none() => return Ok((with_system, rendered)),
            Ok(_) | Err(ChatError::Refused { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let messages = messages(false);
        let rendered = template.render(&messages, true)?;
        match left_out(&messages, &rendered) {
            None => Ok((messages, rendered)),
            Some(number) => {
                let what = match number + 1 == messages.len() {
                    true => "the document".to_owned(),
                    false => format!("turn {} of {}, of the {}", number + 1, messages.len(), messages[number].role),
                };
                Err(PromptError::Dropped { what })
            }
        }
    }

    /// Checks that each mark of a rendered conversation for which the model has a token is cut into that token.
    fn check_marks(&self, rendered: &str) -> Result<(), PromptError> {
        for mark in marks(rendered).filter(|mark| self.tokenizer.mark(mark).is_some()) {
            let pieces = self.tokenizer.encode(mark, true).len();
            if pieces != 1 {
                return Err(PromptError::CutMark { mark: mark.to_owned(), pieces });
            }
        }
        Ok(())
    }

    /// Cuts the template's own text and the messages' texts into tokens apart from each other.
    fn piecewise(&self, template: &ChatTemplate, messages: &[Message]) -> Result<Vec<u32>, PromptError> {
        let blank = messages.iter().enumerate().map(|(i, message)| Message::new(&message.role, stand_in(i)));
        let rendered = template.render(&blank.collect::<Vec<_>>(), true)?;
        let (mut tokens, mut rest) = (Vec::new(), rendered.as_str());
        for (number, message) in messages.iter().enumerate() {
            let (before, after) = rest.split_once(&stand_in(number)).ok_or(PromptError::Marks { message: number })?;
            tokens.extend(self.tokenizer.encode(before, true));
            tokens.extend(self.tokenizer.encode(&message.content, false));
            rest = after;
        }
        tokens.extend(self.tokenizer.encode(rest, true));
        Ok(tokens)
    }
}

/// The messages, where the system's message opens the first turn of the user.
fn without_system(messages: &[Message]) -> Vec<Message> {
    match messages {
        [system, user, rest @ ..] if system.role == "system" && user.role == "user" => {
            let first = Message::user(format!("{}\n\n{}", system.content, user.content));
            [&[first], rest].concat()
        }
        _ => messages.to_vec(),
    }
}

/// The first message whose text is not in the rendered conversation, after the texts of the messages before it. White
/// space around a text does not count, as many templates strip it.
fn left_out(messages: &[Message], rendered: &str) -> Option<usize> {
    let mut rest = rendered;
    for (number, message) in messages.iter().enumerate() {
        let text = message.content.trim();
        let Some(at) = rest.find(text) else { return Some(number) };
        rest = &rest[at + text.len()..];
    }
    None
}

/// The marks of a chat template in a text: `<|name|>`, and those of Gemma.
fn marks(text: &str) -> impl Iterator<Item = &str> {
    const LONGEST: usize = 64;
    let starts = text.match_indices('<').map(|(at, _)| &text[at..]);
    starts.filter_map(|rest| {
        if let Some(mark) = ["<start_of_turn>", "<end_of_turn>"].into_iter().find(|mark| rest.starts_with(mark)) {
            return rest.get(..mark.len());
        }
        let inside = rest.strip_prefix("<|")?;
        let end = inside.find("|>").filter(|&end| (1..=LONGEST).contains(&end))?;
        let mark = rest.get(..end + 4)?;
        (!mark.contains(char::is_whitespace)).then_some(mark)
    })
}
