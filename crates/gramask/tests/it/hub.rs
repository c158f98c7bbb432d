//! Pulling from the model hub, against a small server on this machine that breaks connections and files.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gramask::pull::hub::{Hub, HubName};
use gramask::pull::{Cache, Model, PullError, sha256_hex};
use indicatif::ProgressBar;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the server does wrong, and what it was asked.
#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    /// Connections to break halfway, per file.
    breaks: HashMap<String, usize>,
    /// Files served with another content than their digest says.
    damaged: Vec<String>,
    /// `FILE from BYTE` for each download.
    log: Vec<String>,
}

fn serve(state: Arc<Mutex<State>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = state.clone();
            std::thread::spawn(move || answer(stream, &state));
        }
    });
    address
}

/// Answers one request of the kinds that the hub knows: the list of files, and a file from a byte on.
fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().unwrap().unwrap();
    let path = request.split(' ').nth(1).unwrap().to_string();
    let mut from_to = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            let (from, to) = range.split_once('-').unwrap();
            from_to = Some((from.parse::<usize>().unwrap(), to.parse::<usize>().ok()));
        }
    }
    let mut state = state.lock().unwrap();
    if path == "/api/models/org/tiny/revision/main" {
        let siblings: Vec<String> = state.files.keys().map(|file| format!("{{\"rfilename\":\"{file}\"}}")).collect();
        let body = format!("{{\"sha\":\"{COMMIT}\",\"siblings\":[{}]}}", siblings.join(","));
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
        write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
        return;
    }
    let file = path.strip_prefix(&format!("/org/tiny/resolve/{COMMIT}/")).unwrap_or_default().to_string();
    let Some(mut bytes) = state.files.get(&file).cloned() else {
        write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        return;
    };
    let etag = sha256_hex(&bytes);
    if state.damaged.contains(&file) {
        bytes[0] ^= 1;
    }
    let (from, to) = from_to.expect("every request for a file names a range");
    if from >= bytes.len() {
        write!(stream, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        return;
    }
    let end = to.map_or(bytes.len(), |to| to + 1);
    let body = &bytes[from..end];
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nETag: \"{etag}\"\r\nX-Repo-Commit: {COMMIT}\r\nContent-Length: {}\r\n\
         Content-Range: bytes {from}-{}/{}\r\nConnection: close\r\n\r\n",
        body.len(),
        end - 1,
        bytes.len()
    )
    .unwrap();
    if to.is_some() {
        stream.write_all(body).unwrap();
        return;
    }
    state.log.push(format!("{file} from {from}"));
    match state.breaks.get_mut(&file).filter(|left| **left > 0) {
        Some(left) => {
            *left -= 1;
            stream.write_all(&body[..body.len() / 2]).unwrap();
            // Dropping the stream here breaks the connection.
        }
        None => stream.write_all(body).unwrap(),
    }
}

fn weights() -> Vec<u8> {
    (0..400_000u32).map(|i| (i % 251) as u8).collect()
}

fn state() -> Arc<Mutex<State>> {
    let mut state = State::default();
    for (name, bytes) in [("config.json", b"{}".to_vec()), ("tokenizer.json", b"{ }".to_vec())] {
        state.files.insert(name.into(), bytes);
    }
    state.files.insert("model.safetensors".into(), weights());
    state.files.insert("README.md".into(), b"# Tiny".to_vec());
    Arc::new(Mutex::new(state))
}

fn hub(endpoint: String) -> Hub {
    Hub { endpoint, token: None, retries: 2, wait: Duration::from_millis(1) }
}

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    let state = state();
    state.lock().unwrap().breaks.insert("model.safetensors".into(), 1);
    let hub = hub(serve(state.clone()));
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    let name = HubName::parse("org/tiny").unwrap();
    assert_eq!(name.complete(&cache), None);

    let bar = ProgressBar::hidden();
    let path = hub.pull(&name, &cache, &bar).unwrap();
    assert_eq!(std::fs::read(path.join("model.safetensors")).unwrap(), weights());
    assert_eq!(std::fs::read(path.join("config.json")).unwrap(), b"{}");
    assert!(!path.join("README.md").exists(), "only what a model needs is taken");
    assert_eq!(bar.position(), 400_000, "the bar counts what was there and what came");
    let log = std::mem::take(&mut state.lock().unwrap().log);
    assert!(log.contains(&"model.safetensors from 0".to_string()), "{log:?}");
    assert!(log.contains(&"model.safetensors from 200000".to_string()), "{log:?}");

    // Found from now on without the network, and a second pull downloads nothing.
    let model = Model::find("org/tiny", &cache).unwrap().unwrap();
    assert_eq!(model.path, path);
    hub.pull(&name, &cache, &bar).unwrap();
    assert!(state.lock().unwrap().log.is_empty());
}

#[test]
fn a_pull_that_was_stopped_goes_on_in_the_next_one() {
    let state = state();
    state.lock().unwrap().breaks.insert("model.safetensors".into(), 9);
    let mut hub = hub(serve(state.clone()));
    hub.retries = 0;
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    let name = HubName::parse("org/tiny").unwrap();
    let error = hub.pull(&name, &cache, &ProgressBar::hidden()).unwrap_err().to_string();
    assert!(error.contains("model.safetensors") && error.contains(&hub.endpoint), "{error}");
    assert_eq!(name.complete(&cache), None, "half a model is no model");

    state.lock().unwrap().breaks.clear();
    let path = hub.pull(&name, &cache, &ProgressBar::hidden()).unwrap();
    assert_eq!(std::fs::read(path.join("model.safetensors")).unwrap(), weights());
    assert_eq!(state.lock().unwrap().log.last().unwrap(), "model.safetensors from 200000");
}

#[test]
fn a_damaged_file_is_refused_and_removed() {
    let state = state();
    state.lock().unwrap().damaged.push("model.safetensors".into());
    let hub = hub(serve(state.clone()));
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    let name = HubName::parse("org/tiny").unwrap();
    let error = hub.pull(&name, &cache, &ProgressBar::hidden()).unwrap_err();
    assert!(matches!(&error, PullError::Digest { expected, .. } if *expected == sha256_hex(weights())), "{error}");
    assert_eq!(name.complete(&cache), None);
    state.lock().unwrap().damaged.clear();
    hub.pull(&name, &cache, &ProgressBar::hidden()).unwrap();
    assert!(name.complete(&cache).is_some());
}

#[test]
fn a_single_gguf_file_and_errors_of_the_hub() {
    let state = state();
    state.lock().unwrap().files.insert("tiny.Q4_0.gguf".into(), b"GGUF....".to_vec());
    let hub = hub(serve(state));
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    let bar = ProgressBar::hidden();
    let path = hub.pull(&HubName::parse("org/tiny/tiny.Q4_0.gguf").unwrap(), &cache, &bar).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"GGUF....");
    assert_eq!(Model::find("org/tiny/tiny.Q4_0.gguf", &cache).unwrap().unwrap().path, path);
    assert_eq!(Model::find("org/tiny", &cache).unwrap(), None, "one file is not the checkpoint");

    let error = hub.pull(&HubName::parse("org/other").unwrap(), &cache, &bar).unwrap_err().to_string();
    assert!(error.contains("org/other") && error.contains("404") && error.contains("spelling"), "{error}");
    let gone = Hub { endpoint: "http://127.0.0.1:9".into(), retries: 0, ..hub };
    let error = gone.pull(&HubName::parse("org/tiny").unwrap(), &cache, &bar).unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:9") && error.contains("HF_ENDPOINT"), "{error}");
}
