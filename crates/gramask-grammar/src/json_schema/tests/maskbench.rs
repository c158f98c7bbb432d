//! The sample of MaskBench: no invalid instance is accepted, and valid ones are.
//!
//! `GRAMASK_SHOW=1` prints what is refused, lost or slow. `GRAMASK_FILES=NAME` takes only the files with that in their name.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::super::value::{Value, parse};
use super::super::{JsonSchema, JsonSchemaOptions};
use super::{data, orders, recogniser, written};

fn files() -> Vec<PathBuf> {
    let Some(folder) = data("maskbench") else { return Vec::new() };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    if let Ok(part) = std::env::var("GRAMASK_FILES") {
        files.retain(|file| file.to_string_lossy().contains(&part));
    }
    files.sort();
    files
}

#[test]
fn no_invalid_instance_of_maskbench_is_accepted() {
    let show = std::env::var_os("GRAMASK_SHOW").is_some();
    let (mut refused, mut passing, mut in_order, mut lost, mut warned) = (0, 0, 0, 0, 0);
    let mut faults = Vec::new();
    let mut times: Vec<(Duration, String)> = Vec::new();
    let files = files();
    for file in &files {
        let name = file.file_stem().unwrap().display().to_string();
        let Ok(content) = parse(&std::fs::read_to_string(file).unwrap()) else {
            println!("{name} is no JSON text for us");
            continue;
        };
        let schema = content.get("schema").unwrap();
        let begin = Instant::now();
        let compiled = JsonSchema { root: schema.clone() }.grammar(&JsonSchemaOptions::default());
        let time = begin.elapsed();
        times.push((time, name.clone()));
        if show && time.as_millis() > 20 {
            println!("slow {name} {time:?}");
        }
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(error) => {
                refused += 1;
                if show {
                    println!("refused {name}: {error}");
                }
                continue;
            }
        };
        warned += usize::from(compiled.warnings.iter().any(|warning| !warning.pointer.ends_with("/format")));
        let orders = orders(schema);
        let Some(Value::Array(cases)) = content.get("tests") else { panic!("{name} without tests") };
        let (mut passes, mut passes_in_order) = (true, true);
        for (index, case) in cases.iter().enumerate() {
            let data = case.get("data").unwrap();
            let valid = case.get("valid") == Some(&Value::Bool(true));
            let as_is = recogniser::accepts(&compiled.grammar, written(data, &[]).as_bytes());
            let accepted = as_is || recogniser::accepts(&compiled.grammar, written(data, &orders).as_bytes());
            if accepted && !valid {
                faults.push(format!("{name} {index}"));
            }
            if !accepted && valid {
                lost += 1;
                if show {
                    println!("lost {name} {index}: {}", written(data, &orders).chars().take(300).collect::<String>());
                }
            }
            passes &= accepted == valid;
            passes_in_order &= as_is == valid;
        }
        passing += usize::from(passes);
        in_order += usize::from(passes_in_order);
    }
    times.sort();
    times.reverse();
    let at = |share: usize| times.get(times.len() * share / 100).map(|(time, _)| *time);
    println!(
        "{} files: {refused} refused, {passing} passing, {in_order} of them with all members in the file's order; {lost} valid \
         instances not accepted, {} invalid ones accepted; {warned} files with unknown keywords",
        files.len(),
        faults.len(),
    );
    println!(
        "compile: p50 {:?}, p90 {:?}, p99 {:?}; slowest {:?}",
        at(50),
        at(10),
        at(1),
        &times[..times.len().min(8)]
    );
    assert!(faults.is_empty(), "invalid instances are accepted: {faults:#?}");
}
