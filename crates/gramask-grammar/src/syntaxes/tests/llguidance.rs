//! llguidance's opinion of a grammar in Lark, byte by byte.

use std::collections::BTreeSet;
use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie};

/// The special tokens of the vocabulary; each byte below 0xf5 is a token too, and so is the end.
const SPECIAL: [&str; 2] = ["<|call|>", "<|end|>"];

/// A grammar as llguidance follows it.
#[derive(Clone)]
pub struct Peer(Arc<Matcher>);

/// llguidance over bytes; why it refuses the grammar else.
pub fn peer(lark: &str) -> Result<Peer, String> {
    let mut words: Vec<Vec<u8>> = (0..=0xf4u8).map(|byte| vec![byte]).collect();
    words.extend(SPECIAL.iter().chain(&["<eos>"]).map(|name| [b"\xff", name.as_bytes()].concat()));
    let size = words.len() as u32;
    let info = TokRxInfo {
        vocab_size: size,
        tok_eos: size - 1,
        tok_bos: None,
        tok_pad: None,
        tok_unk: None,
        tok_end_of_turn: None,
    };
    let env: TokEnv = Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)));
    let mut factory =
        ParserFactory::new(&env, InferenceCapabilities::default(), &[]).map_err(|error| error.to_string())?;
    factory.quiet();
    let matcher = Matcher::new(factory.create_parser(TopLevelGrammar::from_lark(lark.to_owned())));
    match matcher.get_error() {
        Some(error) => Err(error),
        None => Ok(Peer(Arc::new(matcher))),
    }
}

/// The tokens that may follow; none where llguidance finds that the output can't be finished.
fn mask(matcher: &mut Matcher) -> Option<SimpleVob> {
    match matcher.compute_mask_or_eos() {
        Ok(mask) => Some(mask),
        Err(error) if error.to_string().contains("NoExtensionBias") => None,
        Err(error) => panic!("{error}"),
    }
}

impl Peer {
    /// The tokens that may follow, and whether the output may end.
    fn allowed(&self) -> (BTreeSet<u32>, bool) {
        let mut matcher = self.0.deep_clone();
        let Some(mask) = mask(&mut matcher) else { return (BTreeSet::new(), false) };
        let end = 0xf5 + SPECIAL.len() as u32;
        ((0..end).filter(|token| mask.is_allowed(*token)).collect(), mask.is_allowed(end))
    }

    fn after(&self, token: u32) -> Peer {
        let mut matcher = self.0.deep_clone();
        matcher.consume_token(token).expect("llguidance takes an allowed token");
        Peer(Arc::new(matcher))
    }

    /// All outputs of at most `longest` bytes over an alphabet. A special token counts as its name between two bytes 0xff.
    pub fn outputs(&self, alphabet: &[u8], longest: usize) -> BTreeSet<Vec<u8>> {
        let (mut all, mut open) = (BTreeSet::new(), vec![(self.clone(), Vec::new())]);
        while let Some((peer, bytes)) = open.pop() {
            let (tokens, complete) = peer.allowed();
            if complete {
                all.insert(bytes.clone());
            }
            for token in tokens {
                let text = match token.checked_sub(0xf5) {
                    Some(special) => [b"\xff", SPECIAL[special as usize].as_bytes(), b"\xff"].concat(),
                    None if alphabet.contains(&(token as u8)) => vec![token as u8],
                    None => continue,
                };
                let next = [&bytes[..], &text].concat();
                if next.len() <= longest {
                    open.push((peer.after(token), next));
                }
            }
        }
        all
    }

    /// Whether these bytes are an output.
    pub fn takes(&self, bytes: &[u8]) -> bool {
        let mut matcher = self.0.deep_clone();
        for byte in bytes {
            if !mask(&mut matcher).is_some_and(|mask| mask.is_allowed(u32::from(*byte))) {
                return false;
            }
            matcher.consume_token(u32::from(*byte)).expect("llguidance takes an allowed token");
        }
        mask(&mut matcher).is_some_and(|mask| mask.is_allowed(0xf5 + SPECIAL.len() as u32))
    }
}
