//! Tokenizers: ids against an independent implementation, bytes of tokens, special tokens.
#![allow(clippy::unwrap_used)]

use crate::checkpoint_common::{fixture, fixture_json, real_model, tokenizer_json};
use gramask_model::checkpoint::Checkpoint;
use gramask_model::tokenizer::{GgufModel, GgufVocabulary, Tokenizer, TokenizerError};
use proptest::prelude::*;
use serde_json::json;

fn tiny(name: &str) -> Tokenizer {
    Checkpoint::open(&fixture(name)).unwrap().tokenizer
}

#[test]
fn smollm2_gives_the_ids_of_the_reference() {
    let Some(model) = real_model() else { return };
    let tokenizer = Checkpoint::open(&model).unwrap().tokenizer;
    for case in fixture_json("smollm2-ids.json").as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let ids: Vec<u32> = case["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        assert_eq!(tokenizer.encode(text, false), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids), text);
    }
    assert_eq!(tokenizer.end_tokens(), [2, 0]);
    assert_eq!((tokenizer.bos(), tokenizer.adds_bos(), tokenizer.size()), (Some(1), false, 49_152));
    assert_eq!(tokenizer.encode("<|im_start|>user\n", true), [1, 4093, 198]);
    assert_eq!(tokenizer.encode("2024", false), [34, 32, 34, 36], "digits one by one");
    assert_eq!((tokenizer.token_bytes(198), tokenizer.token_bytes(216)), (&b"\n"[..], &b" "[..]));
    let special = (0..tokenizer.size() as u32).filter(|&id| tokenizer.is_special(id));
    assert_eq!(special.collect::<Vec<_>>(), (0..17).collect::<Vec<_>>());
}

#[test]
fn merges_apply_in_their_order() {
    // 3 + byte in GPT-2's order of characters: see the script of the fixtures. 262 is "hello"'s "Ġ hello" and so on.
    let tokenizer = tiny("tiny-llama.gguf");
    let text = |text: &str| {
        tokenizer.encode(text, false).iter().map(|&id| tokenizer.token_text(id).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(text("hello"), ["hello"]);
    assert_eq!(text("hello hello"), ["hello", "Ġhello"]);
    assert_eq!(text(" world"), ["Ġw", "or", "l", "d"]);
    assert_eq!(text("hel12"), ["he", "l", "1", "2"]);
    assert_eq!(text("é\n"), ["Ã", "©", "Ċ"]);
}

#[test]
fn special_tokens_are_read_only_where_asked_for() {
    let tokenizer = tiny("tiny-qwen2.gguf");
    let (start, end) = (1, 2);
    assert_eq!(tokenizer.encode("<|im_start|><|im_end|>", true), [start, end]);
    let text = tokenizer.encode("<|im_end|>", false);
    assert!(text.len() > 1 && !text.iter().any(|&id| tokenizer.is_special(id)));
    assert_eq!(tokenizer.decode(&text), "<|im_end|>");
    assert_eq!(tokenizer.decode(&[start, end]), "", "special tokens write nothing");
    // A user-defined token is text, and is read as one token either way.
    let think = tokenizer.token_id("<think>").unwrap();
    assert_eq!((tokenizer.encode("<think>", false), tokenizer.encode("<think>", true)), (vec![think], vec![think]));
    assert_eq!((tokenizer.token_bytes(think), tokenizer.is_special(think)), (&b"<think>"[..], false));
    // An unused token is neither read nor written.
    let unused = tokenizer.token_id("[PAD0]").unwrap();
    assert!(tokenizer.is_special(unused) && tokenizer.token_bytes(unused).is_empty());
    assert!(tokenizer.is_special(1 << 20) && tokenizer.token_bytes(u32::MAX).is_empty());
}

#[test]
fn qwens_tokenizer_normalises_and_smollms_does_not() {
    let decomposed = "e\u{301}";
    let qwen = tiny("tiny-qwen2.gguf");
    assert_eq!(qwen.decode(&qwen.encode(decomposed, false)), "\u{e9}");
    let smollm = tiny("tiny-llama.gguf");
    assert_eq!(smollm.decode(&smollm.encode(decomposed, false)), decomposed);
}

fn vocabulary<'a>(tokens: &'a [String], merges: &'a [String], pre: &'a str) -> GgufVocabulary<'a> {
    let size = tokens.len();
    GgufVocabulary {
        tokens,
        kinds: &[],
        model: GgufModel::ByteLevel { merges, pre },
        add_prefix_space: false,
        bos: None,
        adds_bos: None,
        end: vec![],
        size,
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn numbers_are_cut_as_the_name_of_the_splitting_says() {
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let tokens = [digits, owned(&["12", "123", "34", "1234", "a", "Ġ", "Ġ1"])].concat();
    let merges = owned(&["1 2", "12 3", "3 4", "123 4", "Ġ 1"]);
    let cut = |pre: &str| {
        let tokenizer = Tokenizer::from_gguf(&vocabulary(&tokens, &merges, pre)).unwrap();
        let ids = tokenizer.encode("1234", false);
        ids.into_iter().map(|id| tokenizer.token_text(id).unwrap()).collect::<Vec<_>>().join("|")
    };
    assert_eq!(cut("gpt-2"), "1234");
    assert_eq!(cut("smollm"), "1|2|3|4");
    assert_eq!(cut("qwen2"), "1|2|3|4");
    assert_eq!(cut("llama-bpe"), "123|4");
    assert_eq!(cut("default"), "123|4");
    let error = Tokenizer::from_gguf(&vocabulary(&tokens, &merges, "tekken")).unwrap_err();
    assert!(matches!(&error, TokenizerError::UnknownPreTokenizer { found, .. } if found == "tekken"));
    assert!(error.to_string().contains("known are gpt-2, gpt2, smollm"), "{error}");
}

#[test]
fn vocabularies_that_do_not_fit_together_are_errors() {
    let tokens = owned(&["a", "b", "ab"]);
    let error = |tokens: &[String], merges: &[&str], change: fn(&mut GgufVocabulary<'_>)| {
        let merges = owned(merges);
        let mut vocabulary = vocabulary(tokens, &merges, "gpt-2");
        change(&mut vocabulary);
        Tokenizer::from_gguf(&vocabulary).unwrap_err().to_string()
    };
    assert_eq!(error(&tokens, &["a b", "a c"], |_| {}), "merge 1, `a c`: `c` is not a token");
    assert_eq!(error(&tokens, &["ab"], |_| {}), "merge 0, `ab`: expected two tokens with a space between");
    // The concatenation is longer than any token: the `tokenizers` crate would panic here.
    assert_eq!(error(&tokens, &["ab ab"], |_| {}), "merge 0, `ab ab`: `abab` is not a token");
    assert!(error(&tokens, &[], |v| v.kinds = &[1, 1]).contains("there are 2 token types, expected 3"));
    assert!(error(&tokens, &[], |v| v.size = 2).contains("`ab` has the id 2, but the model's vocabulary ends at 2"));
    assert!(error(&tokens, &[], |v| v.end = vec![7]).contains("has the id 7"));
    assert!(error(&tokens, &[], |v| v.bos = Some(3)).contains("has the id 3"));
}

#[test]
fn sentencepiece_vocabularies_have_spaces_and_byte_tokens() {
    let mut vocab = serde_json::Map::new();
    for text in ["<unk>", "<s>", "</s>"] {
        vocab.insert(text.to_owned(), json!(vocab.len()));
    }
    for byte in 0..=255_u8 {
        vocab.insert(format!("<0x{byte:02X}>"), json!(vocab.len()));
    }
    for text in ["▁", "a", "b", "▁a", "▁ab"] {
        vocab.insert(text.to_owned(), json!(vocab.len()));
    }
    let special = |id: usize, text: &str| {
        json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let replace = |from: &str, to: &str| json!({"type": "Replace", "pattern": {"String": from}, "content": to});
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "pre_tokenizer": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")]},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "vocab": vocab,
            "merges": ["▁ a", "▁a b"]}
    });
    let json = serde_json::to_vec(&file).unwrap();
    let tokenizer = Tokenizer::from_json(&json, 270, Some("<s>"), &[], &["</s>".to_owned()]).unwrap();
    assert_eq!(tokenizer.encode("ab a\n", false), [263, 262, 3 + 10]);
    assert_eq!(tokenizer.decode(&[263, 262, 13]), " ab a\n");
    assert_eq!((tokenizer.token_bytes(13), tokenizer.token_bytes(263)), (&b"\n"[..], &b" ab"[..]));
    assert_eq!((tokenizer.bos(), tokenizer.adds_bos(), tokenizer.end_tokens()), (Some(1), true, &[2][..]));
    assert!((0..3).chain(264..270).all(|id| tokenizer.is_special(id)));
    assert_eq!(tokenizer.size(), 270);
}

/// Two vocabularies of SentencePiece, and what SentencePiece makes of texts (`scripts/sentencepiece-fixture.py`).
#[test]
fn ids_are_those_of_sentencepiece() {
    for (name, case) in fixture_json("sentencepiece.json").as_object().unwrap() {
        let pieces = case["pieces"].as_array().unwrap();
        let tokens: Vec<String> = pieces.iter().map(|piece| piece[0].as_str().unwrap().to_owned()).collect();
        let scores: Vec<f64> = pieces.iter().map(|piece| piece[1].as_f64().unwrap()).collect();
        let kinds: Vec<i64> = pieces.iter().map(|piece| piece[2].as_i64().unwrap()).collect();
        let description = GgufVocabulary {
            kinds: &kinds,
            model: GgufModel::SentencePiece { scores: &scores },
            add_prefix_space: case["add_space_prefix"].as_bool().unwrap(),
            bos: Some(1),
            end: vec![2],
            ..vocabulary(&tokens, &[], "")
        };
        let tokenizer = Tokenizer::from_gguf(&description).unwrap();
        assert_eq!((tokenizer.adds_bos(), tokenizer.end_tokens()), (true, &[2][..]));
        let prefix = if description.add_prefix_space { " " } else { "" };
        for case in case["texts"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let ids = tokenizer.encode(text, false);
            assert_eq!(json!(ids), case["ids"], "{name}: {text:?}");
            let prefix = if text.is_empty() { "" } else { prefix };
            assert_eq!(tokenizer.decode(&ids), format!("{prefix}{text}"), "{name}");
        }
        // The text of a special token is a token where it is asked for.
        let end = tokenizer.encode("a</s>", true);
        assert_eq!(end.last(), Some(&2));
        let few = GgufVocabulary { model: GgufModel::SentencePiece { scores: &scores[1..] }, ..description };
        let error = Tokenizer::from_gguf(&few).unwrap_err().to_string();
        assert!(error.contains("token scores, expected 600"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// A byte-level tokenizer without normalisation writes back exactly what it read, whatever that is.
    #[test]
    fn encoding_loses_nothing(text in "\\PC*|[\\s\\S]{0,40}") {
        let json = serde_json::to_vec(&tokenizer_json()).unwrap();
        let from_json = Tokenizer::from_json(&json, 264, None, &[2], &[]).unwrap();
        for tokenizer in [tiny("tiny-llama.gguf"), from_json] {
            let ids = tokenizer.encode(&text, false);
            prop_assert!(ids.iter().all(|&id| !tokenizer.is_special(id)));
            prop_assert_eq!(tokenizer.decode_bytes(&ids), text.as_bytes());
        }
    }
}
