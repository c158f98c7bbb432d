//! Bad input to the command line: each is answered with exit code 1 and a message that says what, where, and what would be
//! right. None of these needs a model's weights.

use std::path::{Path, PathBuf};

use crate::command::gramask;

/// The command fails as it should: no output, and these words in the message.
fn refused(args: &[&str], words: &[&str]) {
    let output = gramask(args);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
    assert!(output.stdout.is_empty(), "{args:?} printed {}", String::from_utf8_lossy(&output.stdout));
    assert!(message.starts_with("error: "), "{message}");
    assert!(!message.contains('\u{1b}') && !message.contains("panicked"), "{message}");
    for word in words {
        assert!(message.contains(word), "{args:?}: no `{word}` in: {message}");
    }
}

fn write(folder: &Path, name: &str, contents: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_string()
}

fn quickstart() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../experiments/quickstart.toml");
    std::fs::read_to_string(path).unwrap()
}

/// The quickstart with prompts without examples.
fn without_examples() -> String {
    let source = quickstart();
    let at = source.find("[examples]").unwrap();
    let n = source[at..].find("\nn ").map(|n| at + n + 1).unwrap();
    let end = source[n..].find('\n').map(|end| n + end).unwrap();
    format!("{}n = 0{}", &source[..n], &source[end..])
}

#[test]
fn missing_files() {
    refused(&["run", "no/such.toml"], &["no/such.toml", "gramask run quickstart"]);
    refused(&["decode", "--text", "x", "--model", "no/such/model.bin/x/y"], &["no/such/model.bin/x/y", ".gguf"]);
    refused(&["decode", "--text", "x", "--model", "./no-such.gguf"], &["./no-such.gguf", "config.json"]);
    refused(&["decode", "--text", "x", "--corpus", "./no-such.pubtator"], &["no-such.pubtator"]);
    refused(&["decode", "--text", "x", "--format", "no-such.gram"], &["no-such.gram"]);
    refused(&["pull", "no-such-model"], &["no-such-model", "smollm2-135m-instruct"]);
}

#[test]
fn unknown_names_list_the_known_ones() {
    refused(&["decode", "--text", "x", "--format", "jsn-list"], &["jsn-list", "json-list", "bio-tags"]);
    refused(&["decode", "--text", "x", "--device", "tpu"], &["tpu", "flex"]);
    refused(&["decode", "--text", "x", "--corpus", "bc6cdr"], &["bc6cdr", "bc5cdr", "mini"]);
    let folder = tempfile::tempdir().unwrap();
    for (from, to, words) in [
        ("\"json-list\"", "\"jsn-list\"", &["jsn-list", "json-list"][..]),
        ("batch  = 8", "device = \"cuda:x\"", &["cuda:x", "flex"]),
        ("\"grounded\"]", "\"ground\"]", &["ground", "`grounded`"]),
        ("masked        = {}", "maskd = {}", &["maskd", "`masked`"]),
        ("name  = \"mini\"", "name = \"maxi\"", &["maxi", "mini"]),
        ("batch  = 8", "weights = \"f8\"", &["f8", "`f16`"]),
        ("split = \"test\"", "split = \"tset\"", &["tset", "test"]),
    ] {
        let source = quickstart();
        assert!(source.contains(from), "{from}");
        let model = write(folder.path(), "empty/config.json", "{}");
        let path = write(folder.path(), "x.toml", source.replacen(from, to, 1));
        let out = folder.path().join("out");
        let model = Path::new(&model).parent().unwrap();
        refused(&["run", &path, "--model", model.to_str().unwrap(), "--out", out.to_str().unwrap()], words);
        assert!(!out.exists(), "nothing is written before all names are known");
    }
}

#[test]
fn a_budget_of_0_and_other_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "x.toml", quickstart().replace("budget = 64", "budget = 0"));
    refused(&["run", &path], &["x.toml:", "budget of 0", "at least 1", "^"]);
    let output = gramask(&["decode", "--text", "x", "--budget", "0"]);
    assert_eq!(output.status.code(), Some(2), "a wrong argument is wrong usage");
    assert!(String::from_utf8_lossy(&output.stderr).contains("at least 1"));
    refused(&["decode", "--text", "x", "--temperature", "-1"], &["temperature is -1"]);
    refused(&["decode", "--text", "x", "--labels", "A,,B"], &["--labels", "Chemical,Disease"]);
}

#[test]
fn a_corrupt_pubtator_line() {
    let folder = tempfile::tempdir().unwrap();
    let corpus =
        "1|t|Aspirin helps.\n1|a|It does.\n1\t0\t7\tAspirin\tChemical\tD1\n1\t0\tseven\tAspirin\tChemical\tD1\n\n";
    let path = write(folder.path(), "bad.pubtator", corpus);
    refused(&["decode", "--text", "x", "--corpus", &path], &["bad.pubtator:4"]);
    let experiment = write(folder.path(), "x.toml", without_examples());
    refused(&["run", &experiment, "--corpus", &path], &["bad.pubtator:4", "--skip-problems"]);
}

#[test]
fn a_format_file_with_an_error_on_line_3() {
    let folder = tempfile::tempdir().unwrap();
    let grammar = "// One line per entity.\nstart: entity*\nentity: @label \": \" @txt \"\\n\"\n";
    let path = write(folder.path(), "mine.gram", grammar);
    refused(&["decode", "--text", "x", "--format", &path], &["mine.gram:3:21", "@txt", "^"]);
}

#[test]
fn faulty_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let mut gguf = b"GGUF".to_vec();
    gguf.extend(3u32.to_le_bytes());
    gguf.extend(7u64.to_le_bytes());
    let path = write(folder.path(), "cut.gguf", &gguf);
    refused(&["decode", "--text", "x", "--model", &path], &["cut.gguf"]);
    let path = write(folder.path(), "other.gguf", b"this is no model");
    refused(&["decode", "--text", "x", "--model", &path], &["other.gguf"]);

    let config = r#"{"architectures":["MambaForCausalLM"],"model_type":"mamba","vocab_size":8,"hidden_size":8}"#;
    let path = write(folder.path(), "mamba/config.json", config);
    let checkpoint = Path::new(&path).parent().unwrap().to_str().unwrap();
    refused(&["decode", "--text", "x", "--model", checkpoint], &["amba"]);
}

#[test]
fn a_folder_holds_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"{"architectures":["MambaForCausalLM"],"model_type":"mamba"}"#;
    let model = write(folder.path(), "mamba/config.json", config);
    let model = Path::new(&model).parent().unwrap().to_str().unwrap().to_string();
    let experiment = write(folder.path(), "x.toml", quickstart());
    let out = folder.path().join("out").to_str().unwrap().to_string();
    // The model cannot be loaded, but the folder is this run's by then.
    refused(&["run", &experiment, "--model", &model, "--out", &out], &["amba"]);
    assert!(folder.path().join("out/run.json").exists());
    refused(
        &["run", &experiment, "--model", &model, "--out", &out, "--limit", "3"],
        &["limit is 12 there and 3 here", "--out DIR"],
    );
}

#[test]
fn lists_and_help() {
    let formats = gramask(&["formats"]);
    let listed = String::from_utf8_lossy(&formats.stdout);
    assert!(formats.status.success());
    assert!(listed.contains("<Chemical>Naloxone</Chemical> reverses") && listed.contains("json-offsets"), "{listed}");
    assert!(!listed.contains('\u{1b}'), "no colour into a pipe");
    let devices = gramask(&["devices"]);
    assert!(String::from_utf8_lossy(&devices.stdout).starts_with("flex "));
    let models = gramask(&["pull"]);
    assert!(String::from_utf8_lossy(&models.stdout).contains("smollm2-135m-instruct"));
    for command in ["run", "decode", "pull", "formats", "devices"] {
        let help = gramask(&[command, "--help"]);
        assert!(help.status.success() && !help.stdout.is_empty());
    }
}
