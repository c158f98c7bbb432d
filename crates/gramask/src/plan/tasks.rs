//! Tasks of a plan: prompts, each with the grammar of its answer.
//!
//! A line of the file is a JSON object:
//!
//! | key | value |
//! |---|---|
//! | `id` | the name of the task |
//! | `prompt` | a text, or messages: `[{"role": "user", "content": "..."}]`, the last one of the user |
//! | `json_schema` | a JSON Schema, or the path of one |
//! | `grammar` | the path of a `.gram`, `.lark`, `.gbnf` or `.json` file, or a text with `syntax` |
//! | `syntax` | what the text at `grammar` is written in: `gram`, `lark` or `gbnf` |
//! | `regex` | a regular expression that the whole answer matches |
//! | `choice` | a list of texts, of which the answer is one |
//! | `expected` | the right answer: a text, or a JSON value |
//!
//! One of `json_schema`, `grammar`, `regex` and `choice` is given. Paths are relative to the file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gramask_grammar::json_schema::JsonSchemaOptions;
use gramask_grammar::{Grammar, GrammarErrors, GrammarSyntax, NetworkLimits, Program};
use gramask_model::chat::Message;
use gramask_ner::{Document, Schema};
use serde::Deserialize;
use serde_json::Value;

use super::corpus::part_of;
use super::{PlanError, PlannedCorpus, Validator};
use crate::experiment::TaskChoice;
use crate::pull::sha256_hex;

/// A prompt, and the grammar of its answer.
#[derive(Clone, Debug)]
pub struct Task {
    /// The conversation up to the answer.
    pub messages: Vec<Message>,
    /// The program of the grammar.
    pub program: Arc<Program>,
    /// Tells valid answers without the grammar's engine.
    pub validator: Arc<Validator>,
    /// The right answer, where the task has one.
    pub expected: Option<Value>,
}

impl Task {
    /// The conversation, with an instruction in the place of the system's message.
    pub fn told(&self, instruction: Option<&str>) -> Vec<Message> {
        let Some(instruction) = instruction else { return self.messages.clone() };
        let turns = self.messages.iter().filter(|message| message.role != "system").cloned();
        [Message::system(instruction)].into_iter().chain(turns).collect()
    }
}

/// A line as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    prompt: WrittenPrompt,
    json_schema: Option<Value>,
    grammar: Option<String>,
    syntax: Option<String>,
    regex: Option<String>,
    choice: Option<Vec<String>>,
    expected: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenPrompt {
    Text(String),
    Messages(Vec<WrittenMessage>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMessage {
    role: String,
    content: String,
}

impl PlannedCorpus {
    /// Reads a file of tasks. Its documents have the tasks' names and the last turns of their prompts.
    ///
    /// # Errors
    /// A file that cannot be read; with its line, what is wrong with a task.
    pub fn of_tasks(choice: &TaskChoice) -> Result<PlannedCorpus, PlanError> {
        let file = choice.file();
        let text = std::fs::read_to_string(&file);
        let text = text.map_err(|source| PlanError::TaskFile { file: file.clone(), source })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let chosen = part_of(lines.collect(), &choice.name, choice.skip, choice.limit)?;
        let (mut documents, mut tasks) = (Vec::with_capacity(chosen.len()), HashMap::new());
        // What decides the answers: the lines, and the files that they name.
        let mut sources = Vec::with_capacity(chosen.len());
        for (number, line) in &chosen {
            let wrong = |what| PlanError::Task { file: file.clone(), line: number + 1, what };
            let (id, task, file) = task(line, folder, choice).map_err(wrong)?;
            sources.push((*line).to_owned());
            if let Some(file) = file {
                sources.push(read(&file).map_err(wrong)?);
            }
            let text = task.messages.last().map_or(String::new(), |message| message.content.clone());
            documents.push(Document::new(id.clone(), text));
            if tasks.insert(id.clone(), task).is_some() {
                return Err(wrong(format!("`{id}` is the id of an earlier task, too: give each task its own")));
            }
        }
        let digest = sha256_hex(sources.join("\n"));
        Ok(PlannedCorpus {
            name: choice.name.clone(),
            schema: Schema::new::<String>([]),
            documents,
            examples: Vec::new(),
            digest,
            problems: Vec::new(),
            tasks,
        })
    }
}

impl Line {
    /// The file that has the grammar, where the line does not have it.
    fn file(&self, folder: &Path) -> Option<PathBuf> {
        let path = match (&self.json_schema, &self.grammar, &self.syntax) {
            (Some(Value::String(path)), ..) => path,
            (None, Some(path), None) if !path.contains('\n') => path,
            _ => return None,
        };
        Some(folder.join(path))
    }
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

/// The task of a line, and the file of its grammar, or what is wrong with it.
fn task(line: &str, folder: &Path, choice: &TaskChoice) -> Result<(String, Task, Option<PathBuf>), String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let file = line.file(folder);
    let (grammar, validator) = grammar(&line, file.as_deref(), choice)?;
    let program = Program::of_grammar(&grammar, &NetworkLimits::default())
        .map_err(|error| format!("task `{}`: {error}", line.id))?;
    let messages = messages(line.prompt)?;
    Ok((line.id, Task { messages, program, validator: Arc::new(validator), expected: line.expected }, file))
}

fn messages(prompt: WrittenPrompt) -> Result<Vec<Message>, String> {
    let messages = match prompt {
        WrittenPrompt::Text(text) => vec![Message::user(text)],
        WrittenPrompt::Messages(messages) => {
            messages.into_iter().map(|message| Message::new(message.role, message.content)).collect()
        }
    };
    let roles = ["system", "user", "assistant"];
    if let Some(message) = messages.iter().find(|message| !roles.contains(&message.role.as_str())) {
        return Err(format!("`{}` is no role: give `system`, `user` or `assistant`", message.role));
    }
    match messages.last() {
        Some(last) if last.role == "user" => Ok(messages),
        _ => Err("the last message of `prompt` is not of the user: the model's answer follows it".into()),
    }
}

/// The grammar of a task, and the validator of its answers.
fn grammar(line: &Line, file: Option<&Path>, choice: &TaskChoice) -> Result<(Grammar, Validator), String> {
    let given = [line.json_schema.is_some(), line.grammar.is_some(), line.regex.is_some(), line.choice.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err("give one of `json_schema`, `grammar`, `regex` and `choice`".into());
    }
    if line.syntax.is_some() && line.grammar.is_none() {
        return Err("`syntax` says what a text at `grammar` is written in: leave it out".into());
    }
    let refused = |errors: GrammarErrors| errors.to_string();
    let is_json = |file: &Path| file.extension().is_some_and(|extension| extension == "json");
    let in_file = |file: &Path| {
        let grammar = Grammar::read_json_schema(file, &options(choice)).map_err(refused)?;
        Ok((grammar, Validator::json_schema(&read(file)?)?))
    };
    match (&line.json_schema, file) {
        (Some(schema), None) => {
            let schema = schema.to_string();
            let grammar = Grammar::from_json_schema(&schema, &options(choice)).map_err(refused)?;
            return Ok((grammar, Validator::json_schema(&schema)?));
        }
        (Some(_), Some(file)) => return in_file(file),
        (None, Some(file)) if is_json(file) => return in_file(file),
        (None, _) => {}
    }
    if let Some(pattern) = &line.regex {
        return Ok((Grammar::from_regex(pattern).map_err(refused)?, Validator::regex(pattern)?));
    }
    if let Some(texts) = &line.choice {
        return Ok((Grammar::from_choice(texts).map_err(refused)?, Validator::Choice(texts.clone())));
    }
    let written = line.grammar.as_deref().unwrap_or_default();
    let grammar = match (&line.syntax, file) {
        (Some(syntax), _) => {
            let known = ["gram", "lark", "gbnf"].contains(&syntax.as_str());
            let syntax = GrammarSyntax::of_extension(syntax).filter(|_| known);
            let syntax = syntax.ok_or("`syntax` is `gram`, `lark` or `gbnf`")?;
            Grammar::parse(line.id.as_str(), syntax, written).map_err(refused)?
        }
        (None, Some(file)) => Grammar::read(file).map_err(refused)?,
        (None, None) => {
            return Err(
                "`grammar` is a text: say what it is written in, with `syntax`: `gram`, `lark` or `gbnf`".into()
            );
        }
    };
    let validator = Validator::Grammar(grammar.clone());
    Ok((grammar, validator))
}

fn options(choice: &TaskChoice) -> JsonSchemaOptions {
    JsonSchemaOptions { whitespace: choice.whitespace.whitespace(), ..JsonSchemaOptions::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::WhitespaceChoice;
    use gramask_ner::Text;

    fn choice(folder: &Path, lines: &[&str]) -> TaskChoice {
        std::fs::write(folder.join("tasks.jsonl"), lines.join("\n")).unwrap();
        TaskChoice {
            name: "tasks".into(),
            path: "tasks.jsonl".into(),
            folder: folder.into(),
            skip: 0,
            limit: None,
            whitespace: WhitespaceChoice::Compact,
        }
    }

    #[test]
    fn tasks_of_all_kinds_are_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sum.gbnf"), "root ::= [0-9]+ (\"+\" [0-9]+)*\n").unwrap();
        std::fs::write(folder.path().join("dose.json"), r#"{"type": "integer", "minimum": 1}"#).unwrap();
        let lines = [
            r#"{"id": "a", "prompt": "A dose?", "json_schema": {"type": "integer", "minimum": 1}, "expected": 5}"#,
            r#"{"id": "b", "prompt": [{"role": "system", "content": "Add."}, {"role": "user", "content": "1 and 2"}], "grammar": "sum.gbnf"}"#,
            r#"{"id": "c", "prompt": "A date?", "regex": "[0-9]{4}-[0-9]{2}"}"#,
            "",
            r#"{"id": "d", "prompt": "Yes or no?", "choice": ["yes", "no"], "expected": "yes"}"#,
            r#"{"id": "e", "prompt": "x", "grammar": "start: \"x\"+\n", "syntax": "lark"}"#,
            r#"{"id": "f", "prompt": "A dose?", "grammar": "dose.json"}"#,
        ];
        let mut choice = choice(folder.path(), &lines);
        let planned = PlannedCorpus::of_tasks(&choice).unwrap();
        let ids: Vec<&str> = planned.documents.iter().map(|document| document.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c", "d", "e", "f"]);
        let shortest = |id: &str| planned.tasks[id].program.write(&Text::new(""), &[]).unwrap().text;
        assert_eq!(["d", "e", "f"].map(shortest), ["no", "x", "1"]);
        assert_eq!(planned.documents[1].text.as_str(), "1 and 2");
        let valid = |id: &str, output: &str| planned.tasks[id].validator.accepts(output);
        assert!(valid("a", " 7 ") && !valid("a", "0") && valid("b", "1+22") && !valid("b", "1+"));
        assert!(valid("c", "2026-11") && !valid("c", "2026-111") && valid("d", "no") && !valid("d", "No"));
        // Another grammar in a file makes other tasks of the same lines.
        std::fs::write(folder.path().join("dose.json"), r#"{"type": "integer", "minimum": 2}"#).unwrap();
        assert_ne!(PlannedCorpus::of_tasks(&choice).unwrap().digest, planned.digest);
        (choice.skip, choice.limit) = (1, Some(2));
        assert_eq!(PlannedCorpus::of_tasks(&choice).unwrap().documents.len(), 2);
    }

    #[test]
    fn what_is_wrong_with_a_task_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let good = r#"{"id": "a", "prompt": "x", "choice": ["y"]}"#;
        let refused =
            |line: &str| PlannedCorpus::of_tasks(&choice(folder.path(), &[good, line])).unwrap_err().to_string();
        for (line, what) in [
            (good, "`a` is the id of an earlier task"),
            (r#"{"id": "b", "prompt": "x"}"#, "give one of `json_schema`, `grammar`, `regex` and `choice`"),
            (r#"{"id": "b", "prompt": "x", "choice": ["y"], "regex": "z"}"#, "give one of"),
            (r#"{"id": "b", "prompt": "x", "choise": ["y"]}"#, "unknown field `choise`"),
            (r#"{"id": "b", "prompt": [{"role": "assistant", "content": "x"}], "choice": ["y"]}"#, "not of the user"),
            (r#"{"id": "b", "prompt": [{"role": "bot", "content": "x"}], "choice": ["y"]}"#, "`bot` is no role"),
            (r#"{"id": "b", "prompt": "x", "json_schema": {"multipleOf": 0}}"#, "/multipleOf"),
            (
                r#"{"id": "b", "prompt": "x", "grammar": "root ::= \"a\"\n"}"#,
                "say what it is written in, with `syntax`",
            ),
            (r#"{"id": "b", "prompt": "x", "grammar": "missing.gbnf"}"#, "missing.gbnf"),
            (r#"{"id": "b", "prompt": "x", "regex": "("}"#, "regex"),
        ] {
            let message = refused(line);
            assert!(message.contains("tasks.jsonl:2") && message.contains(what), "{line}: {message}");
        }
    }
}
