//! `gramask devices` and `gramask conform`: what is here is tested, what is not is said.

use std::process::{Command, Output};

fn gramask(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gramask")).args(args).env("NO_COLOR", "1").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn listing() -> serde_json::Value {
    let output = gramask(&["devices", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The device names of a back end.
fn present(back_end: &str) -> Vec<String> {
    let listing = listing();
    let names = listing["present"].as_array().unwrap().iter();
    let names = names.map(|info| info["device"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with(back_end)).collect()
}

#[test]
fn devices_are_listed_for_people_and_for_machines() {
    let listing = listing();
    assert_eq!(listing["present"][0]["device"], "flex");
    let output = gramask(&["devices"]);
    assert!(output.status.success());
    let shown = text(&output.stdout);
    for info in listing["present"].as_array().unwrap() {
        for key in ["device", "name", "api"] {
            assert!(shown.contains(info[key].as_str().unwrap()), "{shown}");
        }
    }
    for absent in listing["absent"].as_array().unwrap() {
        let line = format!("absent: {}", absent["reason"].as_str().unwrap());
        assert!(shown.contains(&line), "{shown}");
    }
    let all = listing["present"].as_array().unwrap().len() + listing["absent"].as_array().unwrap().len();
    assert!(all >= 3, "each back end is here or absent: {listing}");
}

/// Checks the report of a device that must conform.
fn conforms(device: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let output = gramask(&["conform", "--device", device, "--quick", "--json", path.to_str().unwrap()]);
    let (table, notes) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{table}\n{notes}");
    assert!(notes.contains(&format!("{device} conforms")), "{notes}");
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!((&report["device"], &report["reference"]), (&device.into(), &"flex".into()));
    let checks = report["checks"].as_array().unwrap();
    for group in ["operation", "kernel", "model", "cache", "output", "mask"] {
        let of_group: Vec<_> = checks.iter().filter(|check| check["group"] == group).collect();
        assert!(!of_group.is_empty(), "no check of a {group}");
        let compared = of_group.iter().any(|check| check["cases"].as_u64() > Some(0));
        assert!(compared, "nothing was compared of a {group}");
    }
    for check in checks {
        assert!(table.contains(check["name"].as_str().unwrap().split(' ').next().unwrap()), "{table}");
        assert_ne!(check["verdict"], "failed", "{check}");
    }
}

#[test]
fn the_cpu_conforms() {
    conforms("flex");
}

#[test]
fn every_gpu_that_is_here_conforms() {
    for back_end in ["wgpu", "cuda"] {
        for device in present(back_end) {
            conforms(&device);
        }
    }
}

#[test]
fn what_a_device_lacks_is_refused_in_words() {
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        let output = gramask(args);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
        for word in words {
            assert!(message.contains(word), "{args:?}: no `{word}` in: {message}");
        }
    };
    refused(&["conform", "--device", "wgpu:99"], 1, &["wgpu:99", "available here: flex"]);
    refused(&["conform", "--device", "flex", "--memory-pool", "exclusive"], 1, &["no memory pool `exclusive`"]);
    refused(&["conform", "--device", "flex", "--dtype", "f8"], 2, &["unknown float type `f8`", "`bf16`"]);
    let decode = ["decode", "--text", "x", "--memory-pool", "sliced"];
    refused(&decode, 1, &["device `flex`", "leave --memory-pool out"]);
    for device in present("wgpu") {
        // WGSL has no bf16.
        refused(&["conform", "--device", &device, "--dtype", "bf16"], 1, &["does not compute in bf16", "f32"]);
    }
}
