//! What can be wrong with a kernel's operands.

use crate::cpu::Level;
use std::fmt;

/// An operand that a kernel cannot work with.
#[derive(Clone, Debug, PartialEq)]
pub enum KernelError {
    /// A buffer is not as long as its shape says.
    Length {
        /// The operand.
        name: &'static str,
        /// Rows of its shape.
        rows: usize,
        /// Columns of its shape.
        columns: usize,
        /// Elements that it has.
        len: usize,
    },
    /// Activations and weight disagree on the length of a row.
    Shape {
        /// Shape of the activations, `[rows, in]`.
        x: [usize; 2],
        /// Shape of the weight, `[out, in]`.
        weight: [usize; 2],
    },
    /// A weight is too large for 16 bits, or for the 16-bit scale of its block.
    Overflow {
        /// Row of the weight.
        row: usize,
        /// Column of the weight.
        column: usize,
        /// Its value.
        value: f32,
    },
    /// The device does not compute in this type.
    Unsupported {
        /// The type's name.
        kind: &'static str,
        /// The device, as Burn names it.
        device: String,
        /// The types that it has.
        available: Vec<&'static str>,
    },
    /// Rows are no whole number of blocks.
    Blocks {
        /// The type's name.
        kind: &'static str,
        /// Values of a row.
        input: usize,
    },
    /// A type without blocks was to be made of blocks.
    NoBlocks {
        /// The type's name.
        kind: &'static str,
    },
    /// No weight type has this name.
    UnknownType {
        /// The name.
        given: String,
    },
    /// Queries, keys and values do not belong together.
    Heads {
        /// Shape of the queries, `[batch, heads, dim]`.
        q: [usize; 3],
        /// Shape of the keys, `[slots, kv_heads, capacity, dim]`.
        keys: [usize; 4],
        /// Shape of the values.
        values: [usize; 4],
    },
    /// The batch has another number of tokens than of spans.
    Spans {
        /// Tokens of the batch.
        batch: usize,
        /// Spans given.
        spans: usize,
    },
    /// A sequence attends to nothing, or to what the cache does not have.
    Positions {
        /// The sequence's number in the batch.
        sequence: usize,
        /// Its slot in the cache.
        slot: usize,
        /// The first position it attends to.
        start: usize,
        /// One past the last position it attends to.
        length: usize,
        /// Slots of the cache.
        slots: usize,
        /// Positions of a slot.
        capacity: usize,
    },
    /// A sequence's prefix is longer than the sequence, or in no slot.
    Prefix {
        /// The sequence's number in the batch.
        sequence: usize,
        /// The slot that the prefix is read from.
        slot: usize,
        /// The positions of the prefix.
        shared: usize,
        /// The positions that the sequence attends to.
        length: usize,
        /// Slots of the cache.
        slots: usize,
    },
    /// The processor lacks these instructions.
    Level {
        /// The level that was asked for.
        level: Level,
    },
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KernelError::Length { name, rows, columns, len } => {
                write!(f, "{name} has {len} elements; its shape [{rows}, {columns}] needs {}", {
                    rows.checked_mul(*columns).map_or("more than can be counted".to_string(), |n| n.to_string())
                })
            }
            KernelError::Shape { x: [m, k], weight: [n, input] } => write!(
                f,
                "activations [{m}, {k}] cannot be multiplied by a weight [out = {n}, in = {input}]: rows of {input} \
                 values are needed"
            ),
            KernelError::Overflow { row, column, value } => write!(
                f,
                "weight [{row}, {column}] is {value:e}; 16-bit floats (and the scales of blocks) end at 65504, so this weight needs f32"
            ),
            KernelError::Unsupported { kind, device, available } => {
                write!(f, "device {device} does not compute in {kind}; it has {}", available.join(", "))
            }
            KernelError::Blocks { kind, input } => write!(
                f,
                "rows of {input} values cannot be stored as {kind}, whose blocks are of 32; f16 and f32 store rows of any \
                 length"
            ),
            KernelError::NoBlocks { kind } => {
                write!(f, "weights in {kind} have no blocks; the types with blocks are q8_0 and q4_1")
            }
            KernelError::UnknownType { given } => {
                write!(f, "unknown weight type `{given}`: write `f32`, `f16`, `bf16`, `q8_0` or `q4_1`")
            }
            KernelError::Heads { q, keys, values } => write!(
                f,
                "queries {q:?} [batch, heads, dim] do not fit keys {keys:?} and values {values:?} [slots, kv_heads, \
                 capacity, dim]: keys and values have one shape, dim is the same everywhere and kv_heads divides heads"
            ),
            KernelError::Spans { batch, spans } => {
                write!(f, "a batch of {batch} tokens was given {spans} spans; each token has one")
            }
            KernelError::Positions { sequence, slot, start, length, slots, capacity } => write!(
                f,
                "sequence {sequence} attends to positions {start}..{length} of slot {slot}; the cache has slots 0..{slots} \
                 of {capacity} positions, and at least 1 position is needed"
            ),
            KernelError::Prefix { sequence, slot, shared, length, slots } => write!(
                f,
                "sequence {sequence} reads its first {shared} positions from slot {slot}; it attends to {length}, and the \
                 cache has slots 0..{slots}"
            ),
            KernelError::Level { level } => {
                write!(f, "this processor lacks {level}; Level::best() is {}", Level::best())
            }
        }
    }
}

impl std::error::Error for KernelError {}
