//! Chat templates: how the turns of a conversation become one prompt for a model.
//!
//! The template comes with the checkpoint, in the Jinja dialect of the Python package `transformers`. Blocks are trimmed, and
//! loops can be left by `break`. The functions `raise_exception` and `strftime_now` and the filter `tojson` exist. Values are
//! printed as Python prints them. One thing differs: `~` joins a boolean as `true`, and not as `True`.
//!
//! ```
//! use gramask_model::chat::{ChatTemplate, Message};
//! let template = ChatTemplate::new("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")?;
//! let prompt = template.render(&[Message::user("Hello"), Message::assistant("Hi")], false)?;
//! assert_eq!(prompt, "<user>Hello<assistant>Hi");
//! # Ok::<(), gramask_model::chat::ChatError>(())
//! ```

mod python;
mod source;
mod text;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, State};
use std::collections::{BTreeMap, BTreeSet};

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks: `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A turn of any role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        Message { role: role.into(), content: content.into() }
    }

    /// The instruction that stands before the conversation.
    pub fn system(content: impl Into<String>) -> Message {
        Message::new("system", content)
    }

    /// A turn of the user.
    pub fn user(content: impl Into<String>) -> Message {
        Message::new("user", content)
    }

    /// A turn of the model.
    pub fn assistant(content: impl Into<String>) -> Message {
        Message::new("assistant", content)
    }
}

/// Why a chat template can't be compiled or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The template is not valid Jinja, or uses what is not implemented.
    #[error("chat template, line {line}: {message}")]
    Syntax {
        /// Line in the template, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Rendering failed.
    #[error("chat template, line {line}: {message}")]
    Render {
        /// Line in the template, from 1.
        line: usize,
        /// What went wrong.
        message: String,
    },
    /// The template refuses these messages, through `raise_exception`.
    #[error("chat template, line {line}: the template refuses the messages: {message}")]
    Refused {
        /// Line in the template, from 1.
        line: usize,
        /// The template's own words.
        message: String,
    },
    /// A variable that the program itself sets was given.
    #[error("chat template: the program itself sets `{name}`; {}", can_be_set(settable))]
    Reserved {
        /// The variable.
        name: String,
        /// The variables that can be set.
        settable: Vec<String>,
    },
    /// A variable was given that the template does not read.
    #[error("chat template: the template does not use the variable `{name}`; {}", can_be_set(settable))]
    Unused {
        /// The variable.
        name: String,
        /// The variables that can be set.
        settable: Vec<String>,
    },
}

fn can_be_set(settable: &[String]) -> String {
    match settable {
        [] => "it has no variable to set".to_owned(),
        [one] => format!("the variable that can be set is `{one}`"),
        several => format!("the variables that can be set are `{}`", several.join("`, `")),
    }
}

/// A compiled chat template with the variables that it is rendered with.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    variables: BTreeMap<String, Value>,
}

/// The one template's name inside its environment.
const NAME: &str = "chat";
/// The variables that the program itself sets.
const OWN: [&str; 6] = ["messages", "add_generation_prompt", "bos_token", "eos_token", "tools", "documents"];
/// Marks errors that come from `raise_exception`, so that they can be told from the engine's own.
const REFUSED: &str = "\u{1}refused: ";

impl ChatTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`ChatError::Syntax`] with the line at fault.
    pub fn new(source: &str) -> Result<ChatTemplate, ChatError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let syntax = syntax.map_err(|error| ChatError::Syntax { line: 1, message: describe(&error) })?;
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(python::method);
        environment.set_formatter(|out, _, value| Ok(out.write_str(&text::to_text(value))?));
        environment.add_filter("tojson", tojson);
        environment.add_filter("string", text::to_text);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, format!("{REFUSED}{message}")))
        });
        environment
            .add_template_owned(NAME, source::prepare(source))
            .map_err(|error| ChatError::Syntax { line: error.line().unwrap_or(1), message: describe(&error) })?;
        // transformers always passes these two, and templates tell None from undefined.
        let variables = ["tools", "documents"].map(|name| (name.to_owned(), Value::from(())));
        let template = ChatTemplate { environment, source: source.to_owned(), variables: variables.into() };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Ok(template.at(now.map_or(0, |since| since.as_secs())))
    }

    /// Sets the texts that the template knows as `bos_token` and `eos_token`.
    pub fn with_tokens(self, bos: Option<&str>, eos: Option<&str>) -> ChatTemplate {
        let set = |template: ChatTemplate, name: &str, text: Option<&str>| match text {
            Some(text) => template.with_variable(name, text),
            None => template,
        };
        set(set(self, "bos_token", bos), "eos_token", eos)
    }

    /// Sets a variable that the template may read, such as Qwen3's `enable_thinking`.
    pub fn with_variable(mut self, name: &str, value: impl Into<serde_json::Value>) -> ChatTemplate {
        self.variables.insert(name.to_owned(), python::from_json(&value.into()));
        self
    }

    /// Sets variables that the user gives.
    ///
    /// # Errors
    /// [`ChatError::Reserved`] for a variable that the program itself sets, [`ChatError::Unused`] for one that the template
    /// does not read. Both list the variables that can be set.
    pub fn with_variables<'a>(
        mut self,
        given: impl IntoIterator<Item = (&'a String, &'a serde_json::Value)>,
    ) -> Result<ChatTemplate, ChatError> {
        let settable = self.settable();
        for (name, value) in given {
            let (name, settable) = (name.clone(), settable.clone());
            if OWN.contains(&name.as_str()) {
                return Err(ChatError::Reserved { name, settable });
            }
            if !settable.contains(&name) {
                return Err(ChatError::Unused { name, settable });
            }
            self = self.with_variable(&name, value.clone());
        }
        Ok(self)
    }

    /// The variables that the template reads and that the program does not set, in alphabetical order.
    ///
    /// A variable that is read only in some branch is among them, and so is one that is given a default in the template
    /// (`{% if x is not defined %}{% set x = 1 %}{% endif %}`).
    pub fn settable(&self) -> Vec<String> {
        let mut read: BTreeSet<String> = match self.environment.get_template(NAME) {
            Ok(template) => template.undeclared_variables(false).into_iter().collect(),
            Err(_) => BTreeSet::new(),
        };
        read.extend(source::defaults_of_themselves(&self.source));
        let known = |name: &str| OWN.contains(&name) || self.environment.globals().any(|(global, _)| global == name);
        read.into_iter().filter(|name| !known(name)).collect()
    }

    /// Fixes the time that `strftime_now` tells, in seconds since 1970 (UTC), so that a prompt with a date in it can be
    /// repeated. Without this it is the time at which the template was compiled.
    pub fn at(mut self, seconds: u64) -> ChatTemplate {
        self.environment.add_function("strftime_now", move |format: String| python::strftime(&format, seconds));
        self
    }

    /// Whether prompts can depend on the time.
    pub fn tells_time(&self) -> bool {
        self.source.contains("strftime_now")
    }

    /// The template's text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Writes a conversation as the model wants it.
    ///
    /// With `add_generation_prompt` the text ends where the model's next turn begins. Special tokens are written as
    /// text: encode the result with `parse_special`.
    ///
    /// # Errors
    /// [`ChatError::Refused`] if the template raises an exception (some want alternating roles), else
    /// [`ChatError::Render`]; both with the line in the template.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, ChatError> {
        let turns: Vec<Value> = messages
            .iter()
            .map(|message| Value::from_pairs([("role", message.role.as_str()), ("content", message.content.as_str())]))
            .collect();
        let mut context = self.variables.clone();
        context.insert("messages".to_owned(), Value::from(turns));
        context.insert("add_generation_prompt".to_owned(), Value::from(add_generation_prompt));
        self.environment.get_template(NAME).and_then(|template| template.render(Value::from(context))).map_err(
            |error| {
                let line = error.line().unwrap_or(1);
                match error.detail().and_then(|detail| detail.strip_prefix(REFUSED)) {
                    Some(message) => ChatError::Refused { line, message: message.to_owned() },
                    None => ChatError::Render { line, message: describe(&error) },
                }
            },
        )
    }
}

/// The engine's message without the place, which [`ChatError`] gives itself.
fn describe(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// JSON as Python's `json.dumps` writes it; `ensure_ascii` is off where a template does not say, as in transformers.
fn tojson(_: &mut State, value: &Value, indent: Option<usize>, kwargs: Kwargs) -> Result<Value, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => kwargs.get("indent")?,
    };
    let separators: Option<Vec<String>> = kwargs.get("separators")?;
    let separators = match separators.as_deref() {
        None => None,
        Some([between, after_key]) => Some((between.clone(), after_key.clone())),
        Some(_) => {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                "`separators` wants two strings, as `json.dumps` does",
            ));
        }
    };
    let flag = |name: &str| kwargs.get::<Option<bool>>(name).map(Option::unwrap_or_default);
    let json = text::Json { indent, separators, sort_keys: flag("sort_keys")?, ensure_ascii: flag("ensure_ascii")? };
    kwargs.assert_all_used()?;
    json.dumps(value).map(Value::from).map_err(|message| Error::new(ErrorKind::InvalidOperation, message))
}
