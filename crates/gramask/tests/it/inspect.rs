//! Seeing what goes in: `inspect`, `prompt` and `grammar check`, and variables of chat templates.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::gramask;

/// A template that knows a variable, as Qwen3's does.
const TEMPLATE: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n\
    </think>\n\n{% endif %}{% endif %}";

/// A folder with a tiny random Qwen3 model that has this chat template.
fn model(folder: &Path, template: &str) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gramask-model/tests/golden/tiny-qwen3");
    let to = folder.join("tiny");
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    std::fs::write(to.join("chat_template.jinja"), template).unwrap();
    // Its context of 512 tokens, which are bytes, would not take a prompt.
    let config = std::fs::read_to_string(to.join("config.json")).unwrap();
    let longer = config.replace("\"max_position_embeddings\": 512", "\"max_position_embeddings\": 2048");
    assert_ne!(config, longer);
    std::fs::write(to.join("config.json"), longer).unwrap();
    to.to_str().unwrap().to_owned()
}

fn write(folder: &Path, name: &str, contents: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What a command prints, which must succeed.
fn printed(args: &[&str]) -> String {
    let output = gramask(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a command, which must fail.
fn refused(args: &[&str]) -> String {
    let output = gramask(args);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
    assert!(message.starts_with("error: "), "{message}");
    message
}

fn json(args: &[&str]) -> Value {
    let text = printed(args);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// An experiment over the mini corpus, without examples.
fn experiment(folder: &Path, models: &str, more: &str) -> String {
    let source = format!(
        "models = [{models}]\nformats = ['json-list', 'label-list']\nlevels = ['grounded']\nbudget = 12\n{more}\n\
         strategies = {{ masked = {{}} }}\nexamples = {{ n = 0 }}\n[[corpora]]\nname = 'mini'\nlimit = 2\n"
    );
    write(folder, "x.toml", &source)
}

#[test]
fn a_prompt_is_the_one_that_a_run_has() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = model(folder.path(), TEMPLATE);
    let file = experiment(folder.path(), &format!("'{tiny}'"), "template = { enable_thinking = false }");
    let out = folder.path().join("out").to_str().unwrap().to_owned();
    let run = gramask(&["run", &file, "--out", &out, "--trace"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let records = std::fs::read_to_string(folder.path().join("out/records.jsonl")).unwrap();
    let records: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |format: &str| records.iter().find(|record| record["format"] == format).unwrap();

    let shown = json(&["prompt", &file, "--json"]);
    let record = of("json-list");
    assert_eq!((&shown["document"], &shown["sha256"]), (&record["document"], &record["prompt"]));
    assert_eq!(shown["tokens"], record["prompts"][0]["tokens"], "text and ids are in the trace");
    assert_eq!((&shown["text"], &shown["count"]), (&record["prompts"][0]["text"], &record["tokens"]["prompt"]));
    let text = shown["text"].as_str().unwrap();
    assert!(text.starts_with("<|im_start|>system\nFind the named entities"), "{text}");
    assert!(text.ends_with("<|im_start|>assistant\n<think>\n\n</think>\n\n"), "{text}");
    assert_eq!(printed(&["prompt", &file]), format!("{text}\n"));
    let pieces: String =
        shown["pieces"].as_array().unwrap().iter().filter_map(|piece| piece["text"].as_str()).collect();
    assert_eq!(pieces, text);

    // A format with a pass for each label has a prompt for each.
    let passes = printed(&["prompt", &file, "--format", "label-list", "--json"]);
    let passes: Vec<Value> = passes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let labels: Vec<&str> = passes.iter().filter_map(|pass| pass["pass"].as_str()).collect();
    assert_eq!(labels, ["Chemical", "Disease", "Gene"]);
    assert!(passes.iter().all(|pass| pass["sha256"] == of("label-list")["prompt"]));
    assert_eq!(of("label-list")["prompts"].as_array().unwrap().len(), 3);

    let sentence = record["document"].as_str().unwrap();
    assert_eq!(printed(&["prompt", &file, "--all", "--json"]).lines().count(), 1 + 3);
    for (args, words) in [
        (["--document", "nowhere"], "first is `"),
        (["--format", "jsn-list"], "has no format `jsn-list`; it has json-list, label-list; did you mean `json-list`?"),
        (["--corpus", "mimi"], "did you mean `mini`?"),
        (["--template", "thinking=true"], "the variable that can be set is `enable_thinking`"),
    ] {
        let message = refused(&["prompt", &file, args[0], args[1]]);
        assert!(message.contains(words), "{message}");
    }
    let second = json(&["prompt", &file, "--document", sentence, "--json"]);
    assert_eq!(second["sha256"], shown["sha256"]);
}

#[test]
fn a_prompt_of_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = model(folder.path(), TEMPLATE);
    let text = printed(&["prompt", "--model", &tiny, "--format", "inline-xml", "--text", "-5 mg", "--labels", "Dose"]);
    assert!(text.contains("The only label is: Dose.") && text.contains("-5 mg<|im_end|>"), "{text}");
    assert!(!text.contains("think"), "{text}");
    let set = ["prompt", "--model", &tiny, "--text", "x", "--labels", "Dose", "--template", "enable_thinking=false"];
    assert!(printed(&set).ends_with("</think>\n\n\n"));
    // The text of a special token in the document is text.
    let shown = json(&["prompt", "--model", &tiny, "--text", "a<|endoftext|>", "--labels", "Dose", "--json"]);
    let special = shown["pieces"].as_array().unwrap().iter().filter(|piece| piece["special"].is_u64());
    let special: Vec<&str> = special.filter_map(|piece| piece["text"].as_str()).collect();
    assert_eq!(special, ["<|im_start|>", "<|im_end|>", "<|im_start|>", "<|im_end|>", "<|im_start|>"]);
    assert!(shown["text"].as_str().unwrap().contains("a<|endoftext|>"), "{shown}");
}

#[test]
fn variables_of_a_template_are_settings_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = model(folder.path(), TEMPLATE);
    let models = format!("'{tiny}', {{ name = '{tiny}', as = 'quiet', template = {{ enable_thinking = false }} }}");
    let file = experiment(folder.path(), &models, "");
    let out = folder.path().join("out").to_str().unwrap().to_owned();
    let run = gramask(&["run", &file, "--out", &out, "--limit", "1", "--formats", "json-list", "--trace"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("out/run.json")).unwrap()).unwrap();
    assert_eq!(manifest["settings"]["experiment"]["adapters"][0]["template"]["enable_thinking"], false);
    let records = std::fs::read_to_string(folder.path().join("out/records.jsonl")).unwrap();
    let thinks: Vec<bool> = records.lines().map(|line| line.contains("</think>")).collect();
    assert_eq!(thinks, [false, true]);

    // Another value is another run.
    let args =
        ["run", &file, "--out", &out, "--limit", "1", "--formats", "json-list", "--template", "enable_thinking=true"];
    let message = refused(&args);
    assert!(
        message.contains(r#"settings.experiment.template is not given there and {"enable_thinking":true} here"#),
        "{message}"
    );
    let none = folder.path().join("none").to_str().unwrap().to_owned();
    let message = refused(&["run", &file, "--out", &none, "--template", "bos_token=x"]);
    assert!(
        message.contains("the program itself sets `bos_token`") && message.contains("`enable_thinking`"),
        "{message}"
    );
    let message = refused(&["run", &file, "--out", &none, "--dry-run", "--template", "style=x"]);
    assert!(message.contains("does not use the variable `style`") && message.contains("tiny"), "{message}");
    assert!(!Path::new(&none).exists(), "nothing is written for variables that do not exist");
    let decode = ["decode", "--model", &tiny, "--text", "x", "--labels", "Dose", "--budget", "1", "--template"];
    let message = refused(&[&decode[..], &["tools=1"]].concat());
    assert!(message.contains("the program itself sets `tools`"), "{message}");
    assert_eq!(gramask(&[&decode[..], &["novalue"]].concat()).status.code(), Some(2));
}

#[test]
fn a_run_that_decodes_nothing_fails_and_shows_no_figure() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = model(folder.path(), "{{ raise_exception('these messages are not for me') }}");
    let file = experiment(folder.path(), &format!("'{tiny}'"), "");
    let out = folder.path().join("out").to_str().unwrap().to_owned();
    for again in [false, true] {
        let run = gramask(&["run", &file, "--out", &out]);
        let (table, message) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert_eq!(run.status.code(), Some(1), "again: {again}: {message}");
        assert!(table.contains("not decoded") && !table.contains("0.00"), "{table}");
        assert!(message.contains("no document was decoded in 2 of 2 cell(s)"), "{message}");
        assert!(message.contains("not for me"), "the reason: {message}");
    }
    let mut summary = csv::Reader::from_path(folder.path().join("out/summary.csv")).unwrap();
    for row in summary.deserialize::<std::collections::HashMap<String, String>>() {
        let row = row.unwrap();
        assert_eq!(
            ["f1", "parse_rate", "docs"].map(|name| row.get(name).map(String::as_str)),
            [Some(""), Some(""), None]
        );
        assert_eq!((row["documents"].as_str(), row["not_decoded"].as_str(), row["decoded"].as_str()), ("2", "2", "0"));
    }
    let page = printed(&["report", &out]);
    let page = std::fs::read_to_string(page.trim()).unwrap();
    assert!(page.contains("not decoded") && page.contains("none of 4 outputs could be decoded"), "the report says so");
    let compared = gramask(&["compare", &out, "--against", "json-list"]);
    let message = String::from_utf8_lossy(&compared.stderr);
    assert_eq!(compared.status.code(), Some(1));
    assert!(message.contains("nothing to compare") && message.contains("no cell can be compared"), "{message}");
}

#[test]
fn a_model_is_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = model(folder.path(), TEMPLATE);
    let text = printed(&["inspect", &tiny]);
    for words in ["Qwen3ForCausalLM", "F16", "2,048 tokens", "base 1000000, no scaling", "256 <|endoftext|>", "264 ids"]
    {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    assert!(text.contains("with the variable enable_thinking") && text.contains("<|im_start|>{{ m.role }}"), "{text}");
    let report = json(&["inspect", &tiny, "--json"]);
    assert_eq!((&report["kind"], &report["config"]["layers"]), (&"model".into(), &3.into()));
    assert_eq!(report["template"]["variables"], serde_json::json!(["enable_thinking"]));
    let elements: u64 = report["tensors"].as_array().unwrap().iter().filter_map(|of| of["elements"].as_u64()).sum();
    assert_eq!(report["parameters"].as_u64(), Some(elements));
    std::fs::write(Path::new(&tiny).join("special_tokens_map.json"), r#"{"pad_token":"<|endoftext|>"}"#).unwrap();
    let padded = json(&["inspect", &tiny, "--json"]);
    assert_eq!(padded["pad"]["id"], 256);
    assert_ne!(padded["sha256"], report["sha256"]);

    let gguf = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../gramask-model/tests/fixtures/tiny-llama.gguf");
    let report = json(&["inspect", gguf.to_str().unwrap(), "--json"]);
    assert_eq!((&report["files"], &report["config"]["family"]), (&"GGUF file".into(), &"llama".into()));
    assert_eq!(report["sha256"], gramask::pull::sha256_hex(std::fs::read(gguf).unwrap()));

    let config = write(folder.path(), "mamba/config.json", r#"{"architectures":["MambaForCausalLM"]}"#);
    let message = refused(&["inspect", Path::new(&config).parent().unwrap().to_str().unwrap()]);
    assert!(message.contains("Mamba"), "{message}");
    assert!(refused(&["inspect", "smollm2-135m-instruct"]).contains("gramask pull smollm2-135m-instruct"));
}

#[test]
fn a_corpus_is_inspected_with_its_faults() {
    let folder = tempfile::tempdir().unwrap();
    let train = "1|t|Aspirin helps in lung cancer.\n1|a|It \"does\".\n1\t0\t7\tAspirin\tChemical\tD1\n\
        1\t17\t28\tlung cancer\tDisease\tD2\n1\t22\t28\tcancer\tDisease\tD2\n1\t0\t7\tAspirim\tChemical\tD1\n\n";
    let test = "2|t|A gene.\n2|a|\n2\t2\t6\tgene\tGene\tG1\n\n";
    write(folder.path(), "my-train.pubtator", train);
    write(folder.path(), "my-test.pubtator", test);
    let path = folder.path().join("my-{split}.pubtator").to_str().unwrap().to_owned();
    let report = json(&["inspect", &path, "--json", "--formats", "json-list,inline-bracket,bio-tags"]);
    assert_eq!(
        (&report["kind"], &report["form"], &report["unit"]),
        (&"corpus".into(), &"pubtator".into(), &"document".into())
    );
    assert_eq!(report["labels"], serde_json::json!(["Chemical", "Disease", "Gene"]));
    let split = |number: usize, key: &str| report["splits"][number][key].clone();
    assert_eq!((split(0, "split"), split(1, "split")), ("train".into(), "test".into()));
    assert_eq!((split(0, "documents"), split(0, "sentences"), split(0, "entities")), (1.into(), 2.into(), 3.into()));
    assert_eq!((split(0, "nested"), split(0, "crossing"), split(0, "discontinuous")), (1.into(), 0.into(), 0.into()));
    assert_eq!(split(0, "labels"), serde_json::json!([["Chemical", 1], ["Disease", 2], ["Gene", 0]]));
    let fault = &report["faults"][0];
    assert_eq!(fault["count"], 1);
    assert!(fault["first"].as_str().unwrap().contains("my-train.pubtator:6: document 1: "), "{fault}");
    let format = |name: &str| {
        let formats = report["formats"].as_array().unwrap();
        formats.iter().find(|format| format["format"] == name).unwrap()["inexpressible"].as_u64()
    };
    assert_eq!(["json-list", "inline-bracket", "bio-tags"].map(format), [0, 0, 1].map(Some));

    let text = printed(&["inspect", &path]);
    for words in ["train", "nested in another", "1 x annotation and text differ", "it overlaps another entity"] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    let formats = text.lines().skip_while(|line| !line.contains("not expressible")).collect::<Vec<_>>().join("\n");
    assert!(gramask::grammar::Format::builtin().all(|name| formats.contains(name)), "all formats are there: {formats}");

    for (args, words) in [
        (vec!["nothing/{split}.conll"], "looked for nothing/train.conll"),
        (vec!["bc5cd"], "did you mean `bc5cdr`?"),
        (vec![&path, "--formats", "jsn-list"], "did you mean `json-list`?"),
        (vec![folder.path().to_str().unwrap()], "{split}"),
    ] {
        let message = refused(&[&["inspect"], &args[..]].concat());
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_grammar_is_checked() {
    let text = printed(&["grammar", "check", "json-list"]);
    for words in ["is a format", "regular", "@text", "those of a schema", "`[]`", "nested: yes"] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let plain =
        write(folder.path(), "lists.gram", "// Lists in lists.\nstart: list\nlist: \"(\" list* \")\" | /[0-9]+/\n");
    let checked = json(&["grammar", "check", &plain, "--json"]);
    assert_eq!((&checked["kind"], &checked["language"]), (&"plain grammar".into(), &"context-free".into()));
    assert_eq!((&checked["labels"], &checked["rules"], &checked["regexes"]), (&Value::Null, &2.into(), &1.into()));
    assert_eq!(checked["shortest"].as_str().map(str::len), Some(1), "a digit: {checked}");
    let text = printed(&["grammar", "check", &plain]);
    assert!(text.contains("(list -> list)") && text.contains("Lists in lists."), "{text}");
    let wrong = write(folder.path(), "wrong.gram", "start: entity*\nentity: @label \": \" @txt \"\\n\"\n");
    let message = refused(&["grammar", "check", &wrong]);
    assert!(message.contains("wrong.gram:2:21: unknown terminal `@txt`") && message.contains("`@text`"), "{message}");
    assert!(refused(&["grammar", "check", "jsn-list"]).contains("did you mean `json-list`?"));
}

#[test]
fn grammars_of_other_engines_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let sums = "// Sums.\nstart: start \"+\" N | N\nN: /[0-9]+/\nalone: \"x\"\n%ignore \" \"\n";
    let lark = write(folder.path(), "sums.lark", sums);
    let checked = json(&["grammar", "check", &lark, "--json"]);
    assert_eq!((&checked["syntax"], &checked["language"]), (&"Lark".into(), &"context-free".into()));
    assert_eq!(checked["shortest"].as_str().map(str::len), Some(1), "a digit: {checked}");
    let warnings = checked["warnings"].as_array().unwrap();
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains("sums.lark:4:1"), "{checked}");
    let gbnf = write(folder.path(), "yes.gbnf", "root ::= \"yes\" | \"no\" [.!]{1,3} | <think>\n");
    let text = printed(&["grammar", "check", &gbnf]);
    for words in ["yes is a plain grammar, in GBNF", "regular", "<think>", "`yes`, 3 bytes"] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    let wrong = write(folder.path(), "wrong.gbnf", "root ::= itme\nitem ::= \"x\"\n");
    let message = refused(&["grammar", "check", &wrong]);
    assert!(message.contains("wrong.gbnf:1:10: there is no rule `itme`") && message.contains("`item`"), "{message}");
}

#[test]
fn mistyped_names_get_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    for (args, words) in [
        (["decode", "--text", "x", "--format", "jsn-list"], "`json-list`"),
        (["decode", "--text", "x", "--strategy", "beem"], "`beam`"),
        (["decode", "--text", "x", "--corpus", "bc6cdr"], "`bc5cdr`"),
        (["decode", "--text", "x", "--model", "smollm2-135-instruct"], "`smollm2-135m-instruct`"),
    ] {
        let message = refused(&args);
        assert!(message.to_lowercase().contains(&format!("did you mean {words}?")), "{message}");
    }
    let output = gramask(&["decode", "--text", "x", "--level", "groundd"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(message.contains("did you mean `grounded`?"), "{message}");
    let file = experiment(folder.path(), "'m'", "");
    let source = std::fs::read_to_string(&file).unwrap();
    for (from, to, words) in [
        ("['grounded']", "['groundet']", "did you mean `grounded`?"),
        ("masked = {}", "maskd = {}", "did you mean `masked`?"),
        ("'mini'", "'mini'\nsplit = 'tset'", "did you mean `test`?"),
    ] {
        assert!(source.contains(from), "{from}");
        std::fs::write(&file, source.replacen(from, to, 1)).unwrap();
        let message = refused(&["run", &file]);
        assert!(message.contains(words), "{message}");
    }
    let corpus = write(
        folder.path(),
        "c.jsonl",
        "{\"id\":1,\"text\":\"aspirin\",\"entities\":[{\"label\":\"Chemcal\",\"start\":0,\"end\":7}]}\n",
    );
    let message = refused(&["run", &file, "--corpus", &corpus, "--labels", "Chemical"]);
    assert!(message.contains("did you mean `Chemical`?"), "{message}");
}

#[test]
fn quotes_in_messages_are_as_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = write(folder.path(), "c.jsonl", "{\"id\": \"a\", \"words\": \"x\"}\n");
    let message = refused(&["decode", "--text", "x", "--corpus", &corpus]);
    assert!(message.contains("\"id\", \"words\"") && !message.contains('\\'), "{message}");
    let ann = write(folder.path(), "c.pubtator", "1|t|He said \"no\".\n1|a|x\n1\t8\t12\t\"yes\"\tWord\t-1\n\n");
    let message = refused(&["decode", "--text", "x", "--corpus", &ann]);
    assert!(message.contains("is '\"yes\"', but the text there is '\"no\"'"), "{message}");
}
