//! Python, read by tree-sitter's grammar of it.

use serde_json::{Map, Value, json};
use tree_sitter::{Node, Parser};

use super::DEEPEST;

/// The value of the only statement: a literal, a call with keywords, or one of these assigned to a name.
pub fn literal(output: &str) -> Result<Value, String> {
    if output.contains('\0') {
        return Err("a null character cannot stand in Python".into());
    }
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).map_err(|error| error.to_string())?;
    let tree = parser.parse(output, None).ok_or("the parser gave up")?;
    let python = Python { output };
    let module = tree.root_node();
    if let Some(error) = first_error(module) {
        return Err(python.at(error, "a syntax error"));
    }
    let [statement] = children(module)[..] else {
        return Err(format!("{} statements, where one is expected", children(module).len()));
    };
    match (statement.kind(), &children(statement)[..]) {
        ("expression_statement", [assignment]) if assignment.kind() == "assignment" => python.assignment(*assignment),
        ("expression_statement", [expression]) if statement.child_count() == 1 => python.value(*expression, DEEPEST),
        _ => Err(python.at(statement, "a statement that is neither an expression nor an assignment")),
    }
}

/// The first node that stands for text which does not fit, or for text that is missing.
fn first_error(node: Node<'_>) -> Option<Node<'_>> {
    let mut at = node;
    while at.has_error() && !at.is_error() && !at.is_missing() {
        at = (0..at.child_count()).filter_map(|child| at.child(child)).find(Node::has_error)?;
    }
    at.has_error().then_some(at)
}

/// The parts of a node that are neither marks nor comments.
fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.named_children(&mut node.walk()).filter(|child| child.kind() != "comment").collect()
}

struct Python<'a> {
    output: &'a str,
}

impl<'a> Python<'a> {
    fn text(&self, node: Node<'_>) -> &'a str {
        &self.output[node.byte_range()]
    }

    fn at(&self, node: Node<'_>, problem: &str) -> String {
        let place = node.start_position();
        format!("{problem} at line {}, byte {}: `{}`", place.row + 1, place.column + 1, self.text(node))
    }

    fn assignment(&self, assignment: Node<'_>) -> Result<Value, String> {
        let [name, value] = children(assignment)[..] else {
            return Err(self.at(assignment, "an assignment with a type"));
        };
        match name.kind() {
            _ if name.end_position().row != value.start_position().row => {
                Err(self.at(assignment, "an assignment whose value is on another line"))
            }
            "identifier" => Ok(json!({ self.text(name): self.value(value, DEEPEST)? })),
            _ => Err(self.at(name, "an assignment to something other than one name")),
        }
    }

    fn value(&self, node: Node<'_>, depth: usize) -> Result<Value, String> {
        let depth = depth.checked_sub(1).ok_or("brackets are nested too deeply")?;
        let items = || children(node).into_iter().map(|item| self.value(item, depth)).collect();
        match node.kind() {
            "list" | "tuple" => items(),
            "parenthesized_expression" => self.value(children(node)[0], depth),
            "string" => Ok(self.string(node)?.into()),
            "concatenated_string" => {
                children(node).into_iter().map(|part| self.string(part)).collect::<Result<String, _>>().map(Value::from)
            }
            "integer" => self.integer(node),
            "float" => {
                let number = self.text(node).replace('_', "").parse::<f64>();
                number.map(|number| json!(number)).map_err(|_| self.at(node, "a number that is not real"))
            }
            "unary_operator" => match (self.text(node).starts_with('-'), items()?) {
                (true, Value::Array(operand)) if operand[0].is_number() => {
                    serde_json::from_str(&format!("-{}", operand[0])).map_err(|error| error.to_string())
                }
                _ => Err(self.at(node, "an operator that is not the minus of a number")),
            },
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            "none" => Ok(Value::Null),
            "dictionary" => self.dictionary(node, depth),
            "call" => self.call(node, depth),
            _ => Err(self.at(node, "an expression that is no literal and no call with keywords")),
        }
    }

    fn dictionary(&self, dictionary: Node<'_>, depth: usize) -> Result<Value, String> {
        let mut entries = Map::new();
        for entry in children(dictionary) {
            match children(entry)[..] {
                [key, value] if key.kind() == "string" => entries.insert(self.string(key)?, self.value(value, depth)?),
                _ => return Err(self.at(entry, "an entry whose key is no string")),
            };
        }
        Ok(entries.into())
    }

    /// `Name(keyword=value, ...)`.
    fn call(&self, call: Node<'_>, depth: usize) -> Result<Value, String> {
        let [name, arguments] = children(call)[..] else {
            return Err(self.at(call, "a call that is none of a name"));
        };
        if name.kind() != "identifier" {
            return Err(self.at(name, "a call of something other than a name"));
        }
        let mut keywords = Map::new();
        for argument in children(arguments) {
            let (key, value) = match children(argument)[..] {
                [key, value] if argument.kind() == "keyword_argument" => (self.text(key), value),
                _ => return Err(self.at(argument, "an argument without a keyword")),
            };
            if keywords.insert(key.to_owned(), self.value(value, depth)?).is_some() {
                return Err(self.at(argument, "a second argument with the same keyword"));
            }
        }
        Ok(json!({ self.text(name): keywords }))
    }

    /// Integers beyond 64 bits, and those of other bases, stay strings.
    fn integer(&self, node: Node<'_>) -> Result<Value, String> {
        let digits = self.text(node).replace('_', "");
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(digits.into());
        }
        // `007` is an error in Python; `0` and `00` are not.
        if digits.starts_with('0') && digits.bytes().any(|byte| byte != b'0') {
            return Err(self.at(node, "a number with leading zeros"));
        }
        Ok(digits.parse::<i64>().map_or_else(|_| digits.into(), Value::from))
    }

    fn string(&self, node: Node<'_>) -> Result<String, String> {
        let source = self.text(node);
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| source.starts_with(quote));
        let quote = quote.ok_or_else(|| self.at(node, "a string with a prefix"))?;
        let inner = source.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        inner.and_then(unescape).ok_or_else(|| self.at(node, "a string with a wrong escape"))
    }
}

/// The text of a string literal (Python's reference, section 2.4.1). An unknown escape stands for itself in Python, with a
/// warning; it is refused here.
fn unescape(source: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let escape = after.chars().next()?;
        rest = &after[escape.len_utf8()..];
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        text.push(match escape {
            '\n' => continue,
            '\\' | '\'' | '"' => escape,
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            _ => char::from_u32(u32::from_str_radix(rest.get(..digits)?, 16).ok()?)?,
        });
        rest = &rest[digits..];
    }
    text.push_str(rest);
    Some(text)
}
