//! A compiled plain grammar, which all its constraints share.

use std::sync::{Arc, OnceLock};

use super::{Network, NetworkError, NetworkLimits, PlainGrammar};
use crate::{Grammar, Token, Vocabulary};

/// A plain grammar, compiled. All constraints that are made of it share the network and the masks.
#[derive(Debug)]
pub struct CompiledGrammar {
    name: String,
    network: Arc<Network>,
    bytes: OnceLock<Arc<Vocabulary>>,
}

impl CompiledGrammar {
    /// The end token of [`CompiledGrammar::byte_vocabulary`], after the bytes. The special tokens of the grammar follow it.
    pub(crate) const END: u32 = 256;

    /// Compiles a grammar.
    ///
    /// ```
    /// use gramask_grammar::{CompiledGrammar, Constraint, Grammar, NetworkLimits, Token, Vocabulary};
    ///
    /// let sums = Grammar::from_gbnf("root ::= root \"+\" item | item\nitem ::= [0-9] | \"(\" root \")\"\n")?;
    /// let sums = CompiledGrammar::compile(&sums, &NetworkLimits::default())?;
    /// assert!(sums.is_recursive() && sums.shortest_length() == 1);
    ///
    /// let tokens = ["0", "+", "(", ")", "))", "+(", "x"].map(Token::new).into_iter().chain([Token::special("<end>")]);
    /// let mut constraint = Constraint::of_grammar(&sums, Vocabulary::new(tokens.collect(), vec![7])?)?;
    /// let state = constraint.advance_bytes(constraint.start(), b"(0+(0").expect("is a beginning of a sum");
    /// assert_eq!(constraint.mask(state), [0b0011_1010]); // `+`, `)`, `))` and `+(`
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A grammar over one of the limits.
    pub fn compile(grammar: &Grammar, limits: &NetworkLimits) -> Result<Arc<CompiledGrammar>, NetworkError> {
        CompiledGrammar::new(grammar.name(), grammar.plain(), limits)
    }

    /// Compiles the rules of a grammar. The name is for messages.
    ///
    /// # Errors
    /// A grammar over one of the limits.
    pub(crate) fn new(
        name: impl Into<String>,
        grammar: &PlainGrammar,
        limits: &NetworkLimits,
    ) -> Result<Arc<CompiledGrammar>, NetworkError> {
        let network = Network::compile(grammar, limits)?;
        Ok(Arc::new(CompiledGrammar { name: name.into(), network, bytes: OnceLock::new() }))
    }

    pub(crate) fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// A vocabulary of the single bytes, the end, and the special tokens that the grammar names. Outputs are read and written with
    /// it. It is made at the first call, and all later ones share its masks.
    pub(crate) fn byte_vocabulary(&self) -> &Arc<Vocabulary> {
        self.bytes.get_or_init(|| {
            let bytes = (0..=255u8).map(|byte| Token::new([byte])).chain([Token::special("")]);
            let tokens = bytes.chain(self.specials().iter().map(|name| Token::special(name.as_str()))).collect();
            Vocabulary::new(tokens, vec![Self::END])
                .unwrap_or_else(|error| unreachable!("the bytes are tokens: {error}"))
        })
    }

    /// The name of the grammar.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The states of its automata.
    pub fn states(&self) -> usize {
        self.network.states()
    }

    /// The rules that are called; others are compiled in place.
    pub fn rules(&self) -> usize {
        self.network.rules()
    }

    /// Whether a rule can hold itself. If not, the language is regular.
    pub fn is_recursive(&self) -> bool {
        self.network.recursive()
    }

    /// The names of the special tokens that the outputs may hold.
    pub fn specials(&self) -> &[String] {
        self.network.specials()
    }

    /// The bytes and special tokens of the shortest output.
    pub fn shortest_length(&self) -> u32 {
        match self.network.nullable() {
            true => 0,
            false => self.network.rule(self.network.start()).shortest,
        }
    }

    /// The memory of the automata, in bytes.
    pub fn memory(&self) -> usize {
        self.network.memory()
    }
}
