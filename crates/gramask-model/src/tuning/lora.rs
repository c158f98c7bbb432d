//! What low-rank adaptation adds to which matrices (Hu et al. 2021, "LoRA", section 4.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::TuningError;
use crate::checkpoint::ModelConfig;

/// A matrix of each layer that an adapter can change, by PEFT's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Queries.
    QProj,
    /// Keys.
    KProj,
    /// Values.
    VProj,
    /// What attention gives back to the stream.
    OProj,
    /// The gate of the feed-forward layer.
    GateProj,
    /// What the gate is multiplied with.
    UpProj,
    /// What the feed-forward layer gives back to the stream.
    DownProj,
}

impl Target {
    /// All of them, in the order of the forward pass.
    pub const ALL: [Target; 7] = [
        Target::QProj,
        Target::KProj,
        Target::VProj,
        Target::OProj,
        Target::GateProj,
        Target::UpProj,
        Target::DownProj,
    ];

    /// The module's name, as in PEFT's `target_modules`.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::QProj => "q_proj",
            Target::KProj => "k_proj",
            Target::VProj => "v_proj",
            Target::OProj => "o_proj",
            Target::GateProj => "gate_proj",
            Target::UpProj => "up_proj",
            Target::DownProj => "down_proj",
        }
    }

    /// The module's place in a model, as in Hugging Face's names: `model.layers.3.self_attn.q_proj`.
    pub fn module(self, layer: usize) -> String {
        let part = match self {
            Target::QProj | Target::KProj | Target::VProj | Target::OProj => "self_attn",
            Target::GateProj | Target::UpProj | Target::DownProj => "mlp",
        };
        format!("model.layers.{layer}.{part}.{}", self.as_str())
    }

    /// The matrix's shape, `[out, in]`.
    pub fn shape(self, config: &ModelConfig) -> [usize; 2] {
        let (queries, keys) = (config.heads * config.head_width, config.kv_heads * config.head_width);
        match self {
            Target::QProj => [queries, config.width],
            Target::KProj | Target::VProj => [keys, config.width],
            Target::OProj => [config.width, queries],
            Target::GateProj | Target::UpProj => [config.hidden, config.width],
            Target::DownProj => [config.width, config.hidden],
        }
    }

    /// Whether the matrix has a bias beside it.
    pub fn has_bias(self, config: &ModelConfig) -> bool {
        match self {
            Target::QProj | Target::KProj | Target::VProj => config.qkv_bias,
            Target::OProj => config.output_bias,
            Target::GateProj | Target::UpProj | Target::DownProj => config.mlp_bias,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Target {
    type Err = TuningError;

    fn from_str(name: &str) -> Result<Self, TuningError> {
        let unknown = || TuningError::UnknownTarget { name: name.into() };
        Target::ALL.into_iter().find(|t| t.as_str() == name).ok_or_else(unknown)
    }
}

/// The shape of an adapter: each target's matrix `W` becomes `W + scale * B * A`, with `A` `[rank, in]` and `B`
/// `[out, rank]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lora {
    /// The inner dimension of the product that is added.
    pub rank: usize,
    /// The product is scaled by `alpha / rank`.
    pub alpha: f64,
    /// The probability that an input of `A` is left out while training.
    pub dropout: f64,
    /// Scales by `alpha / sqrt(rank)` instead (Kalajdzievski 2023, "A rank stabilization scaling factor", section 3.2).
    pub rank_stabilised: bool,
    /// The matrices, each once.
    pub targets: Vec<Target>,
}

impl Default for Lora {
    /// Rank 8 on all matrices, with a scale of 2.
    fn default() -> Self {
        Lora { rank: 8, alpha: 16.0, dropout: 0.0, rank_stabilised: false, targets: Target::ALL.to_vec() }
    }
}

impl Lora {
    /// What the product of `B` and `A` is multiplied with.
    pub fn scale(&self) -> f64 {
        match self.rank_stabilised {
            false => self.alpha / self.rank as f64,
            true => self.alpha / (self.rank as f64).sqrt(),
        }
    }

    /// Checks the ranges of all numbers.
    ///
    /// # Errors
    /// [`TuningError::Setting`] with the number and its range.
    pub fn validate(&self) -> Result<(), TuningError> {
        let wrong =
            |what: &'static str, given: String, right: &'static str| TuningError::Setting { what, given, right };
        if self.rank == 0 || self.rank > 1024 {
            return Err(wrong("rank", self.rank.to_string(), "1 to 1024"));
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return Err(wrong("alpha", self.alpha.to_string(), "above 0; twice the rank is usual"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(wrong("dropout", self.dropout.to_string(), "at least 0 and below 1"));
        }
        let mut seen = self.targets.clone();
        seen.sort();
        seen.dedup();
        if seen.is_empty() || seen.len() != self.targets.len() {
            let names: Vec<_> = self.targets.iter().map(|target| target.as_str()).collect();
            let right = "at least one of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, each once";
            return Err(wrong("targets", format!("[{}]", names.join(", ")), right));
        }
        Ok(())
    }

    /// How many numbers the adapter has.
    pub fn parameters(&self, config: &ModelConfig) -> usize {
        let of = |target: &Target| target.shape(config).iter().sum::<usize>() * self.rank;
        config.layers * self.targets.iter().map(of).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_those_of_the_papers() {
        let lora = Lora { rank: 16, alpha: 32.0, ..Lora::default() };
        assert_eq!(lora.scale(), 2.0);
        let stabilised = Lora { rank_stabilised: true, ..lora };
        assert_eq!(stabilised.scale(), 8.0);
    }

    #[test]
    fn settings_out_of_range_say_what_would_be_right() {
        let error = |lora: Lora| lora.validate().unwrap_err().to_string();
        let of = Lora::default;
        assert!(error(Lora { rank: 0, ..of() }).contains("1 to 1024"));
        assert!(error(Lora { dropout: 1.0, ..of() }).contains("below 1"));
        assert!(error(Lora { alpha: f64::NAN, ..of() }).contains("above 0"));
        let twice = vec![Target::QProj, Target::QProj];
        assert!(error(Lora { targets: twice, ..of() }).contains("each once"));
        assert!("lm_head".parse::<Target>().unwrap_err().to_string().contains("q_proj"));
        assert!(of().validate().is_ok());
    }
}
