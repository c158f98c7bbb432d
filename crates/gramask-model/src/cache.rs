//! The key/value cache: allocated once, written in place.
//!
//! A cache has a fixed number of **slots**. A slot holds the keys and values of one sequence and has its own length. Decoding
//! changes these lengths and copies between slots:
//!
//! - [`truncate`](Cache::truncate) removes the last tokens (a rejected draft, a pruned beam);
//! - [`copy`](Cache::copy) shares the prefix of a prompt;
//! - [`copy_range`](Cache::copy_range) shares what two sequences have in common after such a prefix (a forked beam);
//! - [`clear`](Cache::clear) frees the slot for the next document;
//! - [`save`](Cache::save) and [`restore`](Cache::restore) keep a prompt after its cache is gone.
//!
//! Burn writes in place only if no other handle on the tensor exists (on the CPU, a slice is such a handle). So a write takes
//! the tensors out of the cache and puts them back, and no view is kept.

mod segment;
mod shared_prefix;

use std::ops::Range;

use burn::tensor::{DType, Device, Tensor};
use gramask_kernels::attention::Prefix;
use gramask_kernels::cache_copy::copy_positions;
use gramask_kernels::rotary::{self, Rotation};

use crate::checkpoint::ModelConfig;
use crate::transformer::{Dtype, Recorded};

pub use segment::Segment;
use shared_prefix::SharedPrefixes;

/// Why a cache could not do what it was told. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// There is no such slot.
    #[error("slot {slot} does not exist: the cache has {slots} slots, numbered from 0")]
    NoSuchSlot {
        /// What was asked for.
        slot: usize,
        /// How many there are.
        slots: usize,
    },
    /// More tokens than the slot holds.
    #[error("slot {slot} holds {held} tokens, {wanted} are wanted")]
    TooShort {
        /// The slot.
        slot: usize,
        /// How many tokens it holds.
        held: usize,
        /// How many were asked for.
        wanted: usize,
    },
    /// A cache of no use.
    #[error("a cache of {slots} slots of {capacity} tokens: both must be at least 1")]
    Empty {
        /// Slots asked for.
        slots: usize,
        /// Tokens per slot asked for.
        capacity: usize,
    },
    /// Longer than the positions the model knows.
    #[error("slots of {capacity} tokens exceed the model's context of {context}")]
    BeyondContext {
        /// Tokens per slot asked for.
        capacity: usize,
        /// What the model was made for.
        context: usize,
    },
    /// A range of positions that ends before it starts.
    #[error("positions {start}..{end} end before they start")]
    Backwards {
        /// The first position asked for.
        start: usize,
        /// One past the last.
        end: usize,
    },
    /// A segment that ends beyond the slot.
    #[error("slot {slot} has room for {capacity} tokens, the segment ends at {wanted}")]
    NoRoom {
        /// The slot.
        slot: usize,
        /// The tokens it would hold.
        wanted: usize,
        /// The tokens it can hold.
        capacity: usize,
    },
    /// A segment of another model.
    #[error("the segment has {} layers of {} heads of width {}, the cache {} of {} of {}", .found[0], .found[1], .found[2], .expected[0], .expected[1], .expected[2])]
    OtherShape {
        /// Layers, heads of keys and their width in the segment.
        found: [usize; 3],
        /// Those of the cache.
        expected: [usize; 3],
    },
}

/// Keys and values of one layer, each `[slots, kv_heads, capacity, head_width]`.
#[derive(Debug)]
pub(crate) struct LayerCache {
    // `None` only while a write has taken the tensor.
    keys: Option<Tensor<4>>,
    values: Option<Tensor<4>>,
}

impl LayerCache {
    /// Replaces keys and values by what `write` makes of them; `write` gets the only handles.
    pub(crate) fn update(&mut self, write: impl FnOnce(Tensor<4>, Tensor<4>) -> (Tensor<4>, Tensor<4>)) {
        if let (Some(keys), Some(values)) = (self.keys.take(), self.values.take()) {
            let (keys, values) = write(keys, values);
            (self.keys, self.values) = (Some(keys), Some(values));
        }
    }

    /// Handles on keys and values, for reading; drop them before the next [`LayerCache::update`].
    pub(crate) fn read(&self) -> Option<(Tensor<4>, Tensor<4>)> {
        Some((self.keys.clone()?, self.values.clone()?))
    }
}

/// Keys and values of every layer, for a fixed number of slots.
#[derive(Debug)]
pub struct Cache {
    layers: Vec<LayerCache>,
    lengths: Vec<usize>,
    shared_prefixes: SharedPrefixes,
    capacity: usize,
    shape: [usize; 4],
    dtype: Dtype,
    device: Device,
    /// Cosines and sines by position of the rotations that are looked up on the device. `[capacity, head_width]`
    angles: Vec<(Rotation, Tensor<2>)>,
    /// Decoding steps on these very tensors.
    recorded: Vec<Recorded>,
}

impl Cache {
    /// Allocates a cache of `slots` sequences of up to `capacity` tokens each, in `f32`.
    /// [`Transformer::cache`] makes one in the model's type.
    ///
    /// It takes `2 · layers · slots · kv_heads · capacity · head_width · 4` bytes on the device ([`Cache::bytes`]).
    ///
    /// # Errors
    /// [`CacheError::Empty`] and [`CacheError::BeyondContext`].
    pub fn new(config: &ModelConfig, slots: usize, capacity: usize, device: &Device) -> Result<Self, CacheError> {
        Self::with_dtype(config, slots, capacity, device, Dtype::F32)
    }

    /// The same in another type, which the device must have.
    ///
    /// # Errors
    /// As [`Cache::new`].
    pub fn with_dtype(
        config: &ModelConfig,
        slots: usize,
        capacity: usize,
        device: &Device,
        dtype: Dtype,
    ) -> Result<Self, CacheError> {
        if slots == 0 || capacity == 0 {
            return Err(CacheError::Empty { slots, capacity });
        }
        if capacity > config.context {
            return Err(CacheError::BeyondContext { capacity, context: config.context });
        }
        let shape = [slots, config.kv_heads, capacity, config.head_width];
        let zeros = || Some(Tensor::<4>::zeros(shape, (device, DType::from(dtype.float()))));
        let layers = (0..config.layers).map(|_| LayerCache { keys: zeros(), values: zeros() }).collect();
        Ok(Self {
            layers,
            lengths: vec![0; slots],
            shared_prefixes: SharedPrefixes::new(slots),
            capacity,
            shape,
            dtype,
            device: device.clone(),
            angles: Vec::new(),
            recorded: Vec::new(),
        })
    }

    /// How many sequences it holds.
    pub fn slots(&self) -> usize {
        self.lengths.len()
    }

    /// How many tokens each slot can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Where it lies.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What it is kept in.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Bytes taken on the device.
    pub fn bytes(&self) -> usize {
        2 * self.layers.len() * self.shape.iter().product::<usize>() * self.dtype.bytes()
    }

    /// How many tokens the slot holds.
    ///
    /// # Errors
    /// [`CacheError::NoSuchSlot`].
    pub fn len(&self, slot: usize) -> Result<usize, CacheError> {
        self.lengths.get(slot).copied().ok_or(CacheError::NoSuchSlot { slot, slots: self.slots() })
    }

    /// True when no slot holds any token.
    pub fn is_empty(&self) -> bool {
        self.lengths.iter().all(|&l| l == 0)
    }

    /// Keeps the first `len` tokens of the slot. Costs nothing.
    ///
    /// # Errors
    /// [`CacheError::NoSuchSlot`]; [`CacheError::TooShort`] when it holds fewer.
    pub fn truncate(&mut self, slot: usize, len: usize) -> Result<(), CacheError> {
        let held = self.len(slot)?;
        if len > held {
            return Err(CacheError::TooShort { slot, held, wanted: len });
        }
        self.lengths[slot] = len;
        self.shared_prefixes.change(slot, len);
        Ok(())
    }

    /// Forgets the slot's tokens. Costs nothing.
    ///
    /// # Errors
    /// [`CacheError::NoSuchSlot`].
    pub fn clear(&mut self, slot: usize) -> Result<(), CacheError> {
        self.truncate(slot, 0)
    }

    /// Makes slot `to` hold the first `len` tokens of slot `from`, in place of what it held.
    ///
    /// # Errors
    /// [`CacheError::NoSuchSlot`]; [`CacheError::TooShort`] when `from` holds fewer.
    pub fn copy(&mut self, from: usize, to: usize, len: usize) -> Result<(), CacheError> {
        self.copy_range(from, to, 0..len)
    }

    /// Makes slot `to` hold the first `range.end` tokens of slot `from`, where its first `range.start` tokens are those
    /// of `from` already: only the positions of `range` are copied. That they are the same is the caller's promise.
    ///
    /// ```
    /// # use burn::tensor::Device;
    /// # use gramask_model::{cache::Cache, checkpoint::Checkpoint};
    /// # use gramask_model::transformer::{Row, Select, Transformer, WeightType};
    /// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny-llama");
    /// # let device = Device::flex();
    /// # let model = Transformer::load(&Checkpoint::open(folder.as_ref())?, &device, WeightType::F32)?;
    /// let mut cache = Cache::new(model.config(), 2, 16, &device)?;
    /// model.forward(&mut cache, &[Row { slot: 0, tokens: &[1, 2, 3] }], Select::Last)?;
    /// cache.copy(0, 1, 3)?; // both begin with the prompt
    /// model.forward(&mut cache, &[Row { slot: 0, tokens: &[4, 5] }], Select::Last)?;
    /// cache.copy_range(0, 1, 3..5)?; // the second goes on as the first
    /// assert_eq!(cache.len(1), Ok(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CacheError::NoSuchSlot`]; [`CacheError::TooShort`] when `from` holds fewer than `range.end` tokens or `to`
    /// fewer than `range.start`; [`CacheError::Backwards`].
    pub fn copy_range(&mut self, from: usize, to: usize, range: Range<usize>) -> Result<(), CacheError> {
        let Range { start, end } = range;
        for (slot, wanted) in [(from, end), (to, start)] {
            let held = self.len(slot)?;
            if wanted > held {
                return Err(CacheError::TooShort { slot, held, wanted });
            }
        }
        if start > end {
            return Err(CacheError::Backwards { start, end });
        }
        if from != to && start < end {
            for layer in &mut self.layers {
                layer.update(|keys, values| copy_positions(keys, values, from, to, start..end));
            }
        }
        self.lengths[to] = end;
        self.shared_prefixes.copy(from, to, start..end);
        Ok(())
    }

    /// Where the first positions of a slot can be read as well as in the slot itself.
    pub(crate) fn origin(&self, slot: usize) -> Prefix {
        self.shared_prefixes.of(slot)
    }

    /// The table of a rotation's angles for every position of a slot, made when it is first asked for.
    pub(crate) fn angles(&mut self, rotation: &Rotation) -> Tensor<2> {
        if let Some((_, table)) = self.angles.iter().find(|(of, _)| of == rotation) {
            return table.clone();
        }
        let table = rotary::angles(self.capacity, rotation, &self.device);
        self.angles.push((rotation.clone(), table.clone()));
        table
    }

    /// Takes out the first recording that fits.
    pub(crate) fn take_recorded(&mut self, fits: impl Fn(&Recorded) -> bool) -> Option<Recorded> {
        let found = self.recorded.iter().position(fits)?;
        Some(self.recorded.swap_remove(found))
    }

    /// Puts a recording back.
    pub(crate) fn keep_recorded(&mut self, recorded: Recorded) {
        self.recorded.push(recorded);
    }

    /// Keys and values of one layer.
    pub(crate) fn layer(&mut self, layer: usize) -> Option<&mut LayerCache> {
        self.layers.get_mut(layer)
    }

    /// `[slots, kv_heads, capacity, head_width]` and the number of layers, to be compared with a model's.
    pub(crate) fn shape(&self) -> ([usize; 4], usize) {
        (self.shape, self.layers.len())
    }

    /// Counts `tokens` more in a slot, after every layer has written them.
    pub(crate) fn grow(&mut self, slot: usize, tokens: usize) {
        if let Some(length) = self.lengths.get_mut(slot) {
            *length += tokens;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use burn::backend::{BackendTensor, DispatchTensorKind};
    use burn::tensor::Distribution;

    use super::*;
    use crate::checkpoint::{Family, SeededTensors};

    /// Where in memory every layer's keys and values lie, on the CPU.
    pub(crate) fn addresses(cache: &Cache) -> Vec<usize> {
        let address = |tensor: &Option<Tensor<4>>| match tensor.clone().unwrap().into_dispatch().kind {
            DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => tensor.bytes().as_ptr() as usize,
            _ => panic!("not on the CPU"),
        };
        cache.layers.iter().flat_map(|layer| [address(&layer.keys), address(&layer.values)]).collect()
    }

    pub(crate) fn config() -> ModelConfig {
        ModelConfig {
            width: 8,
            heads: 4,
            kv_heads: 2,
            head_width: 4,
            hidden: 8,
            context: 16,
            ..SeededTensors::small(Family::Llama, 10)
        }
    }

    #[test]
    fn lengths_change_as_told_and_never_beyond_what_is_held() {
        let mut cache = Cache::new(&config(), 2, 16, &Device::flex()).unwrap();
        // 2 layers, keys and values, 2 slots, 2 heads, 16 positions, 4 wide, 4 bytes.
        assert_eq!(cache.bytes(), 2 * 2 * 2 * 2 * 16 * 4 * 4);
        assert!(cache.is_empty());
        cache.grow(0, 5);
        assert_eq!((cache.len(0), cache.len(1), cache.is_empty()), (Ok(5), Ok(0), false));
        let short = |slot, held, wanted| Err(CacheError::TooShort { slot, held, wanted });
        assert_eq!(cache.truncate(0, 6), short(0, 5, 6));
        assert_eq!(cache.copy(0, 1, 6), short(0, 5, 6));
        assert_eq!(cache.copy(0, 2, 1), Err(CacheError::NoSuchSlot { slot: 2, slots: 2 }));
        assert_eq!(cache.clear(2), Err(CacheError::NoSuchSlot { slot: 2, slots: 2 }));
        cache.copy(0, 1, 3).unwrap();
        cache.truncate(0, 4).unwrap();
        assert_eq!((cache.len(0), cache.len(1)), (Ok(4), Ok(3)));
        assert_eq!(cache.copy_range(0, 1, 2..5), short(0, 4, 5));
        assert_eq!(cache.copy_range(0, 1, 4..4), short(1, 3, 4));
        let (start, end) = (3, 2);
        assert_eq!(cache.copy_range(0, 1, start..end), Err(CacheError::Backwards { start, end }));
        cache.copy_range(0, 1, 2..4).unwrap();
        assert_eq!((cache.len(0), cache.len(1)), (Ok(4), Ok(4)));
        cache.copy_range(0, 1, 3..3).unwrap();
        assert_eq!((cache.len(0), cache.len(1)), (Ok(4), Ok(3)));
        // Copying a slot onto itself is truncation.
        cache.copy(0, 0, 2).unwrap();
        cache.clear(1).unwrap();
        assert_eq!((cache.len(0), cache.len(1)), (Ok(2), Ok(0)));
    }

    /// Every layer's keys, or values, as one list.
    pub(crate) fn contents(cache: &Cache) -> Vec<f32> {
        let list = |tensor: &Option<Tensor<4>>| tensor.clone().unwrap().into_data().try_to_vec::<f32>().unwrap();
        cache.layers.iter().flat_map(|layer| [list(&layer.keys), list(&layer.values)]).flatten().collect()
    }

    #[test]
    fn only_the_positions_asked_for_are_copied_and_in_place() {
        let mut cache = Cache::new(&config(), 3, 16, &Device::flex()).unwrap();
        let random = || Some(Tensor::<4>::random([3, 2, 16, 4], Distribution::Default, &Device::flex()));
        for layer in &mut cache.layers {
            (layer.keys, layer.values) = (random(), random());
        }
        (0..3).for_each(|slot| cache.grow(slot, 12));
        for (from, to, range) in [(2, 0, 3..9), (0, 1, 0..9), (1, 2, 8..9), (1, 1, 0..5)] {
            let (before, places) = (contents(&cache), addresses(&cache));
            cache.copy_range(from, to, range.clone()).unwrap();
            assert_eq!(addresses(&cache), places);
            assert_eq!(cache.len(to), Ok(range.end));
            for (i, value) in contents(&cache).into_iter().enumerate() {
                let (slot, position) = (i / (2 * 16 * 4) % 3, i / 4 % 16);
                // As far after its source as `to` is after `from`.
                let copied = slot == to && range.contains(&position);
                let source = if copied { i + from * 2 * 16 * 4 - to * 2 * 16 * 4 } else { i };
                assert_eq!(value, before[source], "{from} -> {to}, {range:?}: slot {slot}, position {position}");
            }
        }
    }

    #[test]
    fn a_cache_of_nothing_or_beyond_the_context_is_refused() {
        let new = |slots, capacity| Cache::new(&config(), slots, capacity, &Device::flex()).unwrap_err();
        assert_eq!(new(0, 4), CacheError::Empty { slots: 0, capacity: 4 });
        assert_eq!(new(1, 0), CacheError::Empty { slots: 1, capacity: 0 });
        assert_eq!(new(1, 17), CacheError::BeyondContext { capacity: 17, context: 16 });
    }
}
