//! The tensors of a model: their Hugging Face names and shapes, and what the same tensors are called in GGUF files.

use super::{CheckpointError, ModelConfig, TensorSource};
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
        add("post_attention_layernorm.weight", &[width]);
        add("mlp.gate_proj.weight", &[hidden, width]);
        add("mlp.up_proj.weight", &[hidden, width]);
        add("mlp.down_proj.weight", &[width, hidden]);
    }
    tensors.push(("model.norm.weight".to_owned(), vec![width]));
    if !config.tied_head {
        tensors.push(("lm_head.weight".to_owned(), vec![config.vocabulary, width]));
    }
    tensors
}

/// GGUF's names and Hugging Face's, inside a layer (`blk.N.` and `model.layers.N.`).
const LAYER_NAMES: [(&str, &str); 14] = [
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
    ("ffn_norm.weight", "post_attention_layernorm.weight"),
    ("ffn_gate.weight", "mlp.gate_proj.weight"),
    ("ffn_up.weight", "mlp.up_proj.weight"),
    ("ffn_down.weight", "mlp.down_proj.weight"),
];

/// The Hugging Face name of a GGUF tensor. A name that is not known stays as it is, and is then found to be superfluous.
pub fn from_gguf(name: &str) -> String {
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
            let (_, theirs) = LAYER_NAMES.iter().find(|(gguf, _)| *gguf == part)?;
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
        assert_eq!(from_gguf("token_embd.weight"), "model.embed_tokens.weight");
        assert_eq!(from_gguf("blk.12.ffn_down.weight"), "model.layers.12.mlp.down_proj.weight");
        assert_eq!(from_gguf("blk.0.attn_q_norm.weight"), "model.layers.0.self_attn.q_norm.weight");
        assert_eq!(from_gguf("blk.x.ffn_down.weight"), "blk.x.ffn_down.weight");
        assert_eq!(from_gguf("blk.0.ffn_gate_exps.weight"), "blk.0.ffn_gate_exps.weight");
    }

    #[test]
    fn long_lists_are_cut() {
        let problem = |n: usize| TensorProblem::Missing { tensor: format!("t{n}"), expected: vec![n] };
        let line = list_problems(&(0..10).map(problem).collect::<Vec<_>>());
        assert!(line.starts_with("`t0` [0] is missing; `t1`"), "{line}");
        assert!(line.ends_with("; and 2 more"), "{line}");
    }
}
