//! The tensors of a model: their Hugging Face names and shapes, and what the same tensors are called in GGUF files.

use super::{CheckpointError, Family, ModelConfig, TensorSource};
use std::collections::BTreeMap;
use std::path::Path;

/// The tensors that a model of this shape has, by Hugging Face name, with their shapes.
///
/// Matrices are `[out, in]`, row-major. The order is that of the forward pass.
pub fn expected_tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let (width, hidden) = (config.width, config.hidden);
    let (queries, keys) = (config.heads * config.head_width, config.kv_heads * config.head_width);
    let mut tensors = vec![("model.embed_tokens.weight".to_owned(), vec![config.vocabulary, width])];
    for layer in 0..config.layers {
        let mut add =
            |name: &str, shape: &[usize]| tensors.push((format!("model.layers.{layer}.{name}"), shape.to_vec()));
        add("input_layernorm.weight", &[width]);
        add("self_attn.q_proj.weight", &[queries, width]);
        add("self_attn.k_proj.weight", &[keys, width]);
        add("self_attn.v_proj.weight", &[keys, width]);
        if config.qkv_bias {
            add("self_attn.q_proj.bias", &[queries]);
            add("self_attn.k_proj.bias", &[keys]);
            add("self_attn.v_proj.bias", &[keys]);
        }
        if config.qk_norm {
            add("self_attn.q_norm.weight", &[config.head_width]);
            add("self_attn.k_norm.weight", &[config.head_width]);
        }
        add("self_attn.o_proj.weight", &[width, queries]);
        if config.output_bias {
            add("self_attn.o_proj.bias", &[width]);
        }
        if config.family.output_norms() {
            add(ATTENDED_NORM, &[width]);
        }
        add(feed_forward_norm(config.family), &[width]);
        for (part, [rows, columns]) in [("gate", [hidden, width]), ("up", [hidden, width]), ("down", [width, hidden])] {
            add(&format!("mlp.{part}_proj.weight"), &[rows, columns]);
            if config.mlp_bias {
                add(&format!("mlp.{part}_proj.bias"), &[rows]);
            }
        }
        if config.family.output_norms() {
            add(FED_NORM, &[width]);
        }
    }
    tensors.push(("model.norm.weight".to_owned(), vec![width]));
    if !config.tied_head {
        tensors.push(("lm_head.weight".to_owned(), vec![config.vocabulary, width]));
    }
    tensors
}

/// The norm of what attention adds to the stream, in families that have it.
pub(crate) const ATTENDED_NORM: &str = "post_attention_layernorm.weight";
/// The norm of what the feed-forward layer adds to the stream, in families that have it.
pub(crate) const FED_NORM: &str = "post_feedforward_layernorm.weight";

/// The norm before the feed-forward layer. Gemma 3 gives the name that it has in the other families to the norm after
/// attention.
pub(crate) fn feed_forward_norm(family: Family) -> &'static str {
    match family.output_norms() {
        true => "pre_feedforward_layernorm.weight",
        false => "post_attention_layernorm.weight",
    }
}

/// GGUF's names and Hugging Face's, inside a layer (`blk.N.` and `model.layers.N.`); the norm before the feed-forward layer
/// is [`feed_forward_norm`].
const LAYER_NAMES: [(&str, &str); 19] = [
    ("attn_norm.weight", "input_layernorm.weight"),
    ("attn_q.weight", "self_attn.q_proj.weight"),
    ("attn_k.weight", "self_attn.k_proj.weight"),
    ("attn_v.weight", "self_attn.v_proj.weight"),
    ("attn_q.bias", "self_attn.q_proj.bias"),
    ("attn_k.bias", "self_attn.k_proj.bias"),
    ("attn_v.bias", "self_attn.v_proj.bias"),
    ("attn_q_norm.weight", "self_attn.q_norm.weight"),
    ("attn_k_norm.weight", "self_attn.k_norm.weight"),
    ("attn_output.weight", "self_attn.o_proj.weight"),
    ("attn_output.bias", "self_attn.o_proj.bias"),
    ("post_attention_norm.weight", ATTENDED_NORM),
    ("ffn_gate.weight", "mlp.gate_proj.weight"),
    ("ffn_up.weight", "mlp.up_proj.weight"),
    ("ffn_down.weight", "mlp.down_proj.weight"),
    ("ffn_gate.bias", "mlp.gate_proj.bias"),
    ("ffn_up.bias", "mlp.up_proj.bias"),
    ("ffn_down.bias", "mlp.down_proj.bias"),
    ("post_ffw_norm.weight", FED_NORM),
];

/// The Hugging Face name of a GGUF tensor. A name that is not known stays as it is, and is then found to be superfluous.
pub fn from_gguf(family: Family, name: &str) -> String {
    match name {
        "token_embd.weight" => return "model.embed_tokens.weight".to_owned(),
        "output_norm.weight" => return "model.norm.weight".to_owned(),
        "output.weight" => return "lm_head.weight".to_owned(),
        _ => {}
    }
    name.strip_prefix("blk.")
        .and_then(|rest| rest.split_once('.'))
        .filter(|(layer, _)| layer.parse::<usize>().is_ok())
        .and_then(|(layer, part)| {
            let theirs = match part {
                "ffn_norm.weight" => feed_forward_norm(family),
                _ => LAYER_NAMES.iter().find(|(gguf, _)| *gguf == part)?.1,
            };
            Some(format!("model.layers.{layer}.{theirs}"))
        })
        .unwrap_or_else(|| name.to_owned())
}

/// One tensor that doesn't fit the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TensorProblem {
    /// The configuration asks for a tensor that is missing.
    Missing {
        /// Its name.
        tensor: String,
        /// The shape that it should have.
        expected: Vec<usize>,
    },
    /// There is a tensor that the configuration has no place for.
    Extra {
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor has another shape than the configuration says.
    WrongShape {
        /// Its name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that it should have.
        expected: Vec<usize>,
    },
}

impl std::fmt::Display for TensorProblem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TensorProblem::Missing { tensor, expected } => write!(out, "`{tensor}` {expected:?} is missing"),
            TensorProblem::Extra { tensor, found } => write!(out, "`{tensor}` {found:?} has no place in the model"),
            TensorProblem::WrongShape { tensor, found, expected } => {
                write!(out, "`{tensor}` has the shape {found:?}, expected {expected:?}")
            }
        }
    }
}

/// Problems as one line; beyond the eighth they are only counted.
pub(super) fn list_problems(problems: &[TensorProblem]) -> String {
    const SHOWN: usize = 8;
    let mut line = problems.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if problems.len() > SHOWN {
        line.push_str(&format!("; and {} more", problems.len() - SHOWN));
    }
    line
}

/// Checks that a source has exactly the tensors that the configuration says.
///
/// # Errors
/// [`CheckpointError::Tensors`] with all that is missing, superfluous or of a wrong shape.
pub fn check_tensors(path: &Path, config: &ModelConfig, source: &dyn TensorSource) -> Result<(), CheckpointError> {
    let mut problems = Vec::new();
    let mut unseen: BTreeMap<String, Option<Vec<usize>>> =
        source.names().into_iter().map(|name| (name.clone(), source.shape(&name))).collect();
    for (tensor, expected) in expected_tensors(config) {
        match unseen.remove(&tensor).flatten() {
            None => problems.push(TensorProblem::Missing { tensor, expected }),
            Some(found) if found != expected => problems.push(TensorProblem::WrongShape { tensor, found, expected }),
            Some(_) => {}
        }
    }
    for (tensor, found) in unseen {
        problems.push(TensorProblem::Extra { tensor, found: found.unwrap_or_default() });
    }
    if problems.is_empty() { Ok(()) } else { Err(CheckpointError::Tensors { path: path.to_owned(), problems }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gguf_names_become_hugging_face_names() {
        let name = |name: &str| from_gguf(Family::Qwen3, name);
        assert_eq!(name("token_embd.weight"), "model.embed_tokens.weight");
        assert_eq!(name("blk.12.ffn_down.weight"), "model.layers.12.mlp.down_proj.weight");
        assert_eq!(name("blk.0.attn_q_norm.weight"), "model.layers.0.self_attn.q_norm.weight");
        assert_eq!(name("blk.x.ffn_down.weight"), "blk.x.ffn_down.weight");
        assert_eq!(name("blk.0.ffn_gate_exps.weight"), "blk.0.ffn_gate_exps.weight");
        // The same norm has two names, and one name means two norms.
        assert_eq!(name("blk.0.ffn_norm.weight"), "model.layers.0.post_attention_layernorm.weight");
        let gemma = |name: &str| from_gguf(Family::Gemma3, name);
        assert_eq!(gemma("blk.0.ffn_norm.weight"), "model.layers.0.pre_feedforward_layernorm.weight");
        assert_eq!(gemma("blk.0.post_attention_norm.weight"), "model.layers.0.post_attention_layernorm.weight");
    }

    #[test]
    fn long_lists_are_cut() {
        let problem = |n: usize| TensorProblem::Missing { tensor: format!("t{n}"), expected: vec![n] };
        let line = list_problems(&(0..10).map(problem).collect::<Vec<_>>());
        assert!(line.starts_with("`t0` [0] is missing; `t1`"), "{line}");
        assert!(line.ends_with("; and 2 more"), "{line}");
    }
}
