// Real vocabularies, for tests that print figures. The tests inside the crate include this file too.

/// The tokens of a byte-level `tokenizer.json`, by id.
pub fn tokens(path: impl AsRef<std::path::Path>) -> Vec<Vec<u8>> {
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    // GPT-2's character for each byte.
    let printable = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut others = 256..;
    let codes = (0..256u32).map(|byte| if printable(&byte) { byte } else { others.next().unwrap() });
    let bytes: std::collections::HashMap<char, u8> =
        codes.enumerate().map(|(byte, code)| (char::from_u32(code).unwrap(), byte as u8)).collect();
    let mut tokens = Vec::new();
    for (text, id) in json["model"]["vocab"].as_object().unwrap() {
        let id = id.as_u64().unwrap() as usize;
        tokens.resize(tokens.len().max(id + 1), Vec::new());
        tokens[id] = text.chars().filter_map(|c| bytes.get(&c).copied()).collect();
    }
    tokens
}
