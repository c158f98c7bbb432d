//! Chat templates against Jinja2 itself, and their errors.
#![allow(clippy::unwrap_used)]

use crate::checkpoint_common::{fixture, fixture_json, real_model};
use gramask_model::chat::{ChatError, ChatTemplate, Message};
use gramask_model::checkpoint::Checkpoint;

#[test]
fn templates_render_as_in_jinja2() {
    let fixture = fixture_json("chats.json");
    for case in fixture["cases"].as_array().unwrap() {
        let name = case["template"].as_str().unwrap();
        let template = ChatTemplate::new(fixture["templates"][name].as_str().unwrap()).unwrap();
        let template = template.with_tokens(Some("<s>"), Some("</s>")).with_variable("enable_thinking", false);
        let messages: Vec<Message> = case["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| Message::new(message["role"].as_str().unwrap(), message["content"].as_str().unwrap()))
            .collect();
        let rendered = template.render(&messages, case["add_generation_prompt"].as_bool().unwrap()).unwrap();
        assert_eq!(rendered, case["expected"].as_str().unwrap(), "{name} {messages:?}");
    }
}

#[test]
fn variables_are_those_that_the_template_reads() {
    let source = "{%- set style = style | default('plain') %}{% if not date_string is defined %}{% set date_string = 'x' %}{% endif %}\
        {% set ns = namespace(n=0) %}{% set count = 0 %}{% set count = count + 1 %}{{ bos_token }}\
        {% for m in messages %}{{ m.content }}{% if loop.last and enable_thinking is false %}<no>{% endif %}{% endfor %}\
        {{ style }}{{ strftime_now('%Y') if tools else '' }}{% if x is undefined %}{{ raise_exception('no') if false }}{% endif %}";
    let template = ChatTemplate::new(source).unwrap();
    assert_eq!(template.settable(), ["date_string", "enable_thinking", "style", "x"]);
    let given = |name: &str, value: serde_json::Value| std::collections::BTreeMap::from([(name.to_owned(), value)]);
    let set = template.clone().with_variables(&given("enable_thinking", false.into())).unwrap();
    assert_eq!(set.render(&[Message::user("a")], true).unwrap(), "a<no>plain");
    assert_eq!(template.render(&[Message::user("a")], true).unwrap(), "aplain");
    let set = template.clone().with_variables(&given("style", "long".into())).unwrap();
    assert_eq!(set.render(&[], true).unwrap(), "long", "a variable with a default in the template");
    for (name, words) in [
        (
            "enable_thinkin",
            "does not use the variable `enable_thinkin`; the variables that can be set are `date_string`, `enable",
        ),
        ("count", "does not use the variable `count`"),
        ("messages", "the program itself sets `messages`; the variables"),
        ("bos_token", "itself sets `bos_token`"),
    ] {
        let error = template.clone().with_variables(&given(name, 1.into())).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let plain = ChatTemplate::new("{% for m in messages %}{{ m.content }}{% endfor %}").unwrap();
    let error = plain.with_variables(&given("x", 1.into())).unwrap_err().to_string();
    assert!(error.ends_with("it has no variable to set"), "{error}");
}

/// `scripts/template-fixtures.py` rendered these with Jinja2, in the environment of transformers.
#[test]
fn templates_render_as_in_transformers() {
    let fixture = fixture_json("templates.json");
    let now = fixture["now"].as_u64().unwrap();
    let mut wrong = Vec::new();
    for case in fixture["cases"].as_array().unwrap() {
        let name = case["template"].as_str().unwrap();
        let template = ChatTemplate::new(fixture["templates"][name].as_str().unwrap()).unwrap();
        let template = template.with_tokens(Some("<s>"), Some("</s>")).at(now);
        let turns = case["messages"].as_array().unwrap();
        let text = |turn: &serde_json::Value, key: &str| turn[key].as_str().unwrap().to_owned();
        let messages: Vec<_> =
            turns.iter().map(|turn| Message::new(text(turn, "role"), text(turn, "content"))).collect();
        let rendered = template.render(&messages, true).unwrap_or_else(|error| error.to_string());
        if rendered != case["expected"].as_str().unwrap() {
            wrong.push(format!("{name}\n  found    {rendered:?}\n  expected {}", case["expected"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn smollm2_puts_its_own_system_message_first() {
    let Some(model) = real_model() else { return };
    let chat = Checkpoint::open(&model).unwrap().chat.unwrap();
    assert_eq!(
        chat.render(&[Message::user("Name a gene.")], true).unwrap(),
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n\
         <|im_start|>user\nName a gene.<|im_end|>\n<|im_start|>assistant\n"
    );
    let messages = [Message::system("Be brief."), Message::user("Name a gene."), Message::assistant("TP53")];
    assert_eq!(
        chat.render(&messages, false).unwrap(),
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nName a gene.<|im_end|>\n\
         <|im_start|>assistant\nTP53<|im_end|>\n"
    );
}

#[test]
fn gguf_files_bring_their_template() {
    let checkpoint = Checkpoint::open(&fixture("tiny-llama.gguf")).unwrap();
    let text = checkpoint.chat.unwrap().render(&[Message::user("hello")], true).unwrap();
    assert_eq!(text, "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
    let ids = checkpoint.tokenizer.encode(&text, true);
    assert_eq!((ids[0], ids.iter().filter(|&&id| id == 2).count()), (1, 1));
}

#[test]
fn errors_name_the_line() {
    let syntax = ChatTemplate::new("a\nb\n{% for m in %}").unwrap_err();
    assert!(matches!(syntax, ChatError::Syntax { line: 3, .. }), "{syntax}");
    let render = |source: &str| ChatTemplate::new(source).unwrap().render(&[Message::user("x")], false).unwrap_err();
    let refused = render("\n{{ raise_exception('roles must alternate') }}");
    assert_eq!(refused, ChatError::Refused { line: 2, message: "roles must alternate".to_owned() });
    assert_eq!(refused.to_string(), "chat template, line 2: the template refuses the messages: roles must alternate");
    let unknown = render("\n\n{{ messages[0].content.rot13() }}");
    assert_eq!(unknown.to_string(), "chat template, line 3: unknown method: string has no method `rot13`");
    let function = render("{{ no_such_function() }}");
    assert!(matches!(function, ChatError::Render { line: 1, .. }), "{function}");
}

#[test]
fn the_date_can_be_fixed() {
    let template = ChatTemplate::new("{{ strftime_now('%d %b %Y') }}").unwrap();
    assert_eq!(template.clone().at(1_722_297_600).render(&[], false).unwrap(), "30 Jul 2024");
    assert_eq!(template.at(0).render(&[], false).unwrap(), "01 Jan 1970");
}
