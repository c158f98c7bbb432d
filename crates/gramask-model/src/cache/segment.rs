//! A copy of a sequence's keys and values, which can be put into any slot of any cache of the same model.

use std::ops::Range;

use burn::tensor::Tensor;

use super::{Cache, CacheError};

/// What a slot held at some positions: a copy, which no later write to the cache changes.
#[derive(Clone, Debug)]
pub struct Segment {
    positions: Range<usize>,
    /// Keys and values of each layer, each `[1, kv_heads, positions, head_width]`.
    layers: Vec<[Tensor<4>; 2]>,
    /// Heads of keys, and their width.
    heads: [usize; 2],
}

impl Segment {
    /// The positions of the slot that it was taken from, and that it goes to.
    pub fn positions(&self) -> Range<usize> {
        self.positions.clone()
    }

    /// Bytes taken on the device.
    pub fn bytes(&self) -> usize {
        2 * self.layers.len() * self.positions.len() * self.heads.iter().product::<usize>() * size_of::<f32>()
    }
}

impl Cache {
    /// Copies what a slot holds at these positions.
    ///
    /// ```
    /// # use burn::tensor::Device;
    /// # use gramask_model::{cache::Cache, checkpoint::Checkpoint};
    /// # use gramask_model::transformer::{Row, Select, Transformer, WeightType};
    /// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tiny-llama");
    /// # let device = Device::flex();
    /// # let model = Transformer::load(&Checkpoint::open(folder.as_ref())?, &device, WeightType::F32)?;
    /// let mut cache = Cache::new(model.config(), 1, 16, &device)?;
    /// model.forward(&mut cache, &[Row { slot: 0, tokens: &[1, 2, 3] }], Select::Last)?;
    /// let prompt = cache.save(0, 0..3)?;
    ///
    /// let mut later = Cache::new(model.config(), 4, 8, &device)?;
    /// later.restore(2, &prompt)?;
    /// assert_eq!(later.len(2), Ok(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CacheError::NoSuchSlot`]; [`CacheError::TooShort`] when it holds fewer; [`CacheError::Backwards`].
    pub fn save(&self, slot: usize, positions: Range<usize>) -> Result<Segment, CacheError> {
        let Range { start, end } = positions;
        let held = self.len(slot)?;
        if end > held {
            return Err(CacheError::TooShort { slot, held, wanted: end });
        }
        if start > end {
            return Err(CacheError::Backwards { start, end });
        }
        let [_, heads, _, width] = self.shape;
        // The product has memory of its own; a slice alone would be a second handle on the cache, and the next write
        // would then copy all of it.
        let part =
            |all: &Tensor<4>| all.clone().slice([slot..slot + 1, 0..heads, start..end, 0..width]).mul_scalar(1.0);
        let layers = if start == end { &[][..] } else { &self.layers };
        let layers = layers
            .iter()
            .filter_map(|layer| Some([part(layer.keys.as_ref()?), part(layer.values.as_ref()?)]))
            .collect();
        Ok(Segment { positions: start..end, layers, heads: [heads, width] })
    }

    /// Puts a segment into a slot, which then holds the segment's last position and all before it. What it holds before the
    /// segment's first position stays; that the two belong together is the caller's promise.
    ///
    /// # Errors
    /// [`CacheError::NoSuchSlot`]; [`CacheError::TooShort`] when the slot holds fewer tokens than stood before the
    /// segment; [`CacheError::NoRoom`]; [`CacheError::OtherShape`] for a segment of another model.
    pub fn restore(&mut self, slot: usize, segment: &Segment) -> Result<(), CacheError> {
        let Range { start, end } = segment.positions;
        let held = self.len(slot)?;
        if held < start {
            return Err(CacheError::TooShort { slot, held, wanted: start });
        }
        if end > self.capacity {
            return Err(CacheError::NoRoom { slot, wanted: end, capacity: self.capacity });
        }
        let [_, heads, _, width] = self.shape;
        if segment.heads != [heads, width] || start < end && segment.layers.len() != self.layers.len() {
            return Err(CacheError::OtherShape {
                found: [segment.layers.len(), segment.heads[0], segment.heads[1]],
                expected: [self.layers.len(), heads, width],
            });
        }
        for (layer, [keys, values]) in self.layers.iter_mut().zip(&segment.layers) {
            let put = |all: Tensor<4>, part: &Tensor<4>| {
                all.slice_assign([slot..slot + 1, 0..heads, start..end, 0..width], part.clone())
            };
            layer.update(|all_keys, all_values| (put(all_keys, keys), put(all_values, values)));
        }
        self.lengths[slot] = end;
        self.shared_prefixes.change(slot, start);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::super::tests::{addresses, config, contents};
    use super::*;

    fn filled(slots: usize, capacity: usize, held: usize) -> Cache {
        let device = Device::flex();
        let mut cache = Cache::new(&config(), slots, capacity, &device).unwrap();
        let shape = cache.shape;
        for layer in &mut cache.layers {
            let random = || Tensor::<4>::random(shape, Distribution::Default, &device);
            layer.update(|_, _| (random(), random()));
        }
        (0..slots).for_each(|slot| cache.grow(slot, held));
        cache
    }

    #[test]
    fn what_was_saved_comes_back_at_its_positions_and_nothing_else_changes() {
        let (from, mut to) = (filled(2, 12, 9), filled(3, 16, 5));
        let segment = from.save(1, 4..9).unwrap();
        assert_eq!((segment.positions(), segment.bytes()), (4..9, 2 * 2 * 5 * 2 * 4 * 4));
        let (source, before, places) = (contents(&from), contents(&to), addresses(&to));
        to.restore(2, &segment).unwrap();
        assert_eq!(addresses(&to), places, "written in place");
        assert_eq!((to.len(1), to.len(2)), (Ok(5), Ok(9)));
        // Numbers of `[layer and kind, slot, head, position, width]`.
        for (i, value) in contents(&to).into_iter().enumerate() {
            let (within, position, head, slot, layer) = (i % 4, i / 4 % 16, i / 64 % 2, i / 128 % 3, i / 384);
            let expected = if slot == 2 && (4..9).contains(&position) {
                source[(((layer * 2 + 1) * 2 + head) * 12 + position) * 4 + within]
            } else {
                before[i]
            };
            assert_eq!(value, expected, "layer {layer}, slot {slot}, head {head}, position {position}");
        }
    }

    #[test]
    fn a_segment_is_a_copy() {
        let mut cache = filled(1, 8, 8);
        let segment = cache.save(0, 0..8).unwrap();
        let (before, places) = (contents(&cache), addresses(&cache));
        for layer in &mut cache.layers {
            layer.update(|keys, values| (keys.mul_scalar(0.0), values.mul_scalar(0.0)));
        }
        assert_ne!(contents(&cache), before);
        cache.restore(0, &segment).unwrap();
        assert_eq!(contents(&cache), before);
        drop(places);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let (from, mut to) = (filled(1, 12, 10), filled(1, 8, 3));
        let short = |held, wanted| CacheError::TooShort { slot: 0, held, wanted };
        assert_eq!(from.save(0, 0..11).unwrap_err(), short(10, 11));
        assert_eq!(from.save(1, 0..1).unwrap_err(), CacheError::NoSuchSlot { slot: 1, slots: 1 });
        let (start, end) = (3, 2);
        assert_eq!(from.save(0, start..end).unwrap_err(), CacheError::Backwards { start, end });
        assert_eq!(to.restore(0, &from.save(0, 4..6).unwrap()), Err(short(3, 4)));
        let far = CacheError::NoRoom { slot: 0, wanted: 9, capacity: 8 };
        assert_eq!(to.restore(0, &from.save(0, 3..9).unwrap()), Err(far));
        let mut other = config();
        other.layers = 3;
        let mut other = Cache::new(&other, 1, 8, &Device::flex()).unwrap();
        let expected = CacheError::OtherShape { found: [2, 2, 4], expected: [3, 2, 4] };
        assert_eq!(other.restore(0, &from.save(0, 0..2).unwrap()), Err(expected));
        assert_eq!(to.len(0), Ok(3));
        // Nothing is something that can be put back anywhere.
        to.restore(0, &from.save(0, 2..2).unwrap()).unwrap();
        assert_eq!(to.len(0), Ok(2));
    }
}
