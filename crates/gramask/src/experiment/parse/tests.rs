use super::*;
use crate::experiment::{Overrides, Unit};
use gramask_grammar::Level;

const GOOD: &str = r#"name = "good"
models = ["smollm2-135m-instruct"]
formats = ["json-list", "formats/mine.gram"]
levels = ["none", "syntax", "grounded"]
budget = 64
batch = 4

[[corpora]]
name = "mini"
limit = 5

[[corpora]]
path = "../data/my.pubtator"
unit = "document"

[strategies]
unconstrained = {}
masked = {}

[sampling]
temperature = 0.7
seed = 3
"#;

fn error(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    Experiment::parse("x.toml".as_ref(), &GOOD.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn a_file_is_read_and_its_grid_is_all_that_go_together() {
    let experiment = Experiment::parse("x.toml".as_ref(), GOOD).unwrap();
    assert_eq!(experiment.corpora[1].name, "my");
    assert_eq!(experiment.corpora[1].unit, Unit::Document);
    assert_eq!(experiment.corpora[0].split, "test");
    assert_eq!(experiment.sampling.seed, 3);
    assert_eq!(experiment.examples.n, 3);
    let cells = experiment.cells();
    assert_eq!(cells.len(), 2 * 2 * 3);
    assert_eq!(cells[0].to_string(), "mini json-list none unconstrained");
    assert_eq!(cells[5].to_string(), "mini mine grounded masked");
    assert_eq!(cells[6].corpus, "my");
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_would_be_right() {
    for (from, to, line, words) in [
        ("batch = 4", "bach = 4", 6, &["bach", "batch"][..]),
        ("budget = 64", "budget = 0", 5, &["budget of 0", "at least 1"]),
        ("budget = 64", "budget = \"x\"", 5, &["string"]),
        ("batch = 4", "batch = 0", 6, &["batch of 0"]),
        ("batch = 4", "batch = 4\ncanonical = true", 7, &["`canonical`", "`syntax`", "`grounded`"]),
        ("batch = 4", "canonical = 1", 6, &["boolean"]),
        ("\"syntax\"", "\"sintax\"", 4, &["sintax", "`syntax`", "`grounded`"]),
        ("masked = {}", "maskt = {}", 18, &["maskt", "`masked`"]),
        ("masked = {}", "masked = { k = 2 }", 18, &["`k`"]),
        ("masked = {}", "", 4, &["`syntax`", "masked = {}"]),
        ("\"none\", ", "", 16, &["`unconstrained`", "`none`"]),
        ("masked = {}", "masked = {}\nrepair = { n = 2 }", 19, &["`n`"]),
        ("masked = {}", "jump = {}\nretry = { n = 0 }", 19, &["`n` is 0", "1 to 64"]),
        ("masked = {}", "jump = {}\nretry = { n = -3 }", 19, &["`n` is -3", "1 to 64"]),
        ("masked = {}", "retry = { temperature = 0 }", 18, &["`temperature` is 0", "above 0"]),
        ("masked = {}", "draft = { most = 129 }", 18, &["`most` is 129", "1 to 128"]),
        ("masked = {}", "beam = { k = 65 }", 18, &["`k` is 65", "1 to 64"]),
        ("masked = {}", "beam = { k = 1.5 }", 18, &["1.5"]),
        ("masked = {}", "beam = { alpha = -0.5 }", 18, &["`alpha` is -0.5", "at least 0"]),
        ("masked = {}", "beam = { width = 2 }", 18, &["`width`", "`k`", "`alpha`"]),
        ("masked = {}", "aligned-asap = { iterations = 0 }", 18, &["`iterations` is 0", "1 to 4096"]),
        ("masked = {}", "aligned-smc = { particles = 257 }", 18, &["`particles` is 257", "1 to 256"]),
        ("masked = {}", "aligned-smc = { resample = 1.1 }", 18, &["`resample` is 1.1", "at most 1"]),
        ("masked = {}", "aligned-smc = { temperature = nan }", 18, &["`temperature` is NaN", "above 0"]),
        ("masked = {}", "free-then-masked = { trigger = \"\" }", 18, &["`trigger` is empty", "Answer:"]),
        ("masked = {}", "free-then-masked = { free = 0 }", 18, &["`free` is 0", "1 to 4096"]),
        ("unconstrained = {}", "", 4, &["`none`", "`repair`", "`beam`", "unconstrained = {}"]),
        ("\"syntax\", \"grounded\"", "", 16, &["`masked`", "`syntax`"]),
        ("limit = 5", "limit = 0", 10, &["limit of 0"]),
        ("name = \"mini\"", "split = \"dev\"", 8, &["name", "path"]),
        ("\"formats/mine.gram\"", "\"old/json-list.gram\"", 3, &["`json-list` is there twice"]),
        ("name = \"good\"", "name = \"../good\"", 1, &["../good", "letters"]),
        ("models = [\"smollm2-135m-instruct\"]", "models = []", 2, &["`models` is empty"]),
        ("temperature = 0.7", "temperature = -1.0", 20, &["temperature is -1"]),
        ("seed = 3", "sed = 3", 22, &["sed", "seed"]),
        ("seed = 3", "seed = 3\nseeds = [1, 2]", 23, &["`seed`", "`seeds`"]),
        ("seed = 3", "seeds = []", 22, &["`seeds` is empty"]),
        ("seed = 3", "seeds = [4, 4]", 22, &["`4` is there twice"]),
        ("levels = [", "levels = ", 4, &[]),
    ] {
        let message = error(from, to);
        assert!(message.starts_with(&format!("x.toml:{line}:")), "{from} -> {to}: {message}");
        assert!(words.iter().all(|word| message.contains(word)), "{from} -> {to}: {message}");
        assert!(message.contains('^'), "{message}");
    }
}

#[test]
fn canonical_is_kept_where_every_constraint_can_honour_it() {
    let grounded = GOOD.replace("\"syntax\", ", "");
    let parse = |source: &str| Experiment::parse("x.toml".as_ref(), &format!("canonical = true\n{source}"));
    let experiment = parse(&grounded).unwrap();
    assert_eq!(serde_json::to_value(&experiment).unwrap()["canonical"], true);
    // Settings of runs without the option are those that they had before there was one.
    let without = Experiment::parse("x.toml".as_ref(), &grounded).unwrap();
    assert_eq!(serde_json::to_value(without).unwrap().get("canonical"), None);
    let error = |source: String| parse(&source).unwrap_err().to_string();
    let jump = error(grounded.replace("masked = {}", "jump = {}"));
    assert!(jump.starts_with("x.toml:1:13: ") && jump.contains("`jump`") && jump.contains("`masked`"), "{jump}");
    let none = error(grounded.replace(", \"grounded\"", "").replace("masked = {}", ""));
    assert!(none.contains("level `none`"), "{none}");
    // The command line can ask for what the file does not.
    let overrides = Overrides { levels: Some(vec![Level::Syntax]), ..Overrides::default() };
    assert!(experiment.with(&overrides).check_canonical().is_err());
}

#[test]
fn all_strategies_can_be_named_with_their_parameters() {
    let table = "masked = {}\nrepair = {}\nretry = { n = 2, temperature = 0.5 }\nlazy = {}\njump = {}\n\
            draft = { most = 8 }\nbeam = { k = 2, alpha = 0 }\naligned-asap = { iterations = 3 }\n\
            aligned-smc = { particles = 5, resample = 1 }\nfree-then-masked = { trigger = \"=>\", free = 9 }";
    let experiment = Experiment::parse("x.toml".as_ref(), &GOOD.replace("masked = {}", table)).unwrap();
    assert_eq!(experiment.strategies.chosen().len(), 11);
    // For each corpus and format: 4 strategies at level none, 8 at each of the others.
    assert_eq!(experiment.cells().len(), 2 * 2 * (4 + 8 + 8));
    let names: Vec<String> = experiment.cells()[..6].iter().map(|cell| cell.to_string()).collect();
    assert_eq!(names[3], "mini json-list none beam");
    assert_eq!(names[4], "mini json-list syntax masked");
    let written = serde_json::to_value(&experiment).unwrap();
    assert_eq!(written["strategies"]["aligned-smc"]["particles"], 5);
    assert_eq!(written["strategies"]["aligned-smc"]["temperature"], 1.0);
    assert_eq!(written["strategies"]["retry"]["n"], 2);
    assert_eq!(written["strategies"]["masked"], serde_json::json!({}));
    // A strategy that is not named is not there: runs of earlier versions have the same settings.
    let few = Experiment::parse("x.toml".as_ref(), GOOD).unwrap();
    let written = serde_json::to_value(&few.strategies).unwrap();
    assert_eq!(written, serde_json::json!({"unconstrained": {}, "masked": {}}));
}

#[test]
fn seeds_are_of_cells_that_draw() {
    let table = "masked = {}\nbeam = {}\nretry = {}";
    let source = GOOD.replace("seed = 3", "seeds = [3, 1]").replace("masked = {}", table);
    let experiment = Experiment::parse("x.toml".as_ref(), &source).unwrap();
    let of = |experiment: &Experiment| -> Vec<String> {
        let cells = experiment.cells().into_iter().filter(|cell| cell.corpus == "mini" && cell.format == "mine");
        cells.filter(|cell| cell.level != Level::Syntax).map(|cell| cell.to_string()).collect()
    };
    let with = |names: &[&str]| names.iter().map(|name| format!("mini mine {name}")).collect::<Vec<_>>();
    let expected = [
        "none unconstrained seed 3",
        "none unconstrained seed 1",
        "none retry seed 3",
        "none retry seed 1",
        "none beam",
        "grounded masked seed 3",
        "grounded masked seed 1",
        "grounded beam",
    ];
    assert_eq!(of(&experiment), with(&expected));
    assert_eq!(experiment.sampling_of(&experiment.cells()[1]).seed, 1);
    // Greedy strategies are run once.
    let greedy = Experiment::parse("x.toml".as_ref(), &source.replace("0.7", "0")).unwrap();
    let expected = [
        "none unconstrained",
        "none retry seed 3",
        "none retry seed 1",
        "none beam",
        "grounded masked",
        "grounded beam",
    ];
    assert_eq!(of(&greedy), with(&expected));
    // One seed is that of the experiment, as ever.
    let one = Experiment::parse("x.toml".as_ref(), GOOD).unwrap();
    assert_eq!(one.sampling_of(&one.cells()[0]).seed, 3);
    assert!(serde_json::to_value(&one).unwrap().get("seeds").is_none());
}

#[test]
fn a_file_that_is_missing_is_named() {
    let error = Experiment::read("no/such.toml".as_ref()).unwrap_err().to_string();
    assert!(error.contains("no/such.toml") && error.contains("quickstart"), "{error}");
}
