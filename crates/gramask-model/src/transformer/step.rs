//! The rows of one forward pass, checked, and the data that all layers of the pass share.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use gramask_kernels::attention;
use gramask_kernels::rotary::{CachePlace, HostPositions, Rotation};

use super::ModelError;
use crate::cache::Cache;
use crate::checkpoint::ModelConfig;

/// New tokens of one sequence, which are appended to its slot of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The sequence's slot in the cache.
    pub slot: usize,
    /// Its new tokens; at least one.
    pub tokens: &'a [u32],
}

/// For which tokens a forward pass gives logits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Select {
    /// For the last token of each row: what decoding needs.
    Last,
    /// For every token of every row: what scoring needs.
    All,
    /// For so many of the last tokens of each row, one number per row: prompts beside drafts that are to be verified.
    Tails(Vec<usize>),
}

impl Select {
    /// How many logit rows each row gives, in a pass over rows of these lengths; `None` where the numbers do not fit them.
    pub fn counts(&self, lengths: &[usize]) -> Option<Vec<usize>> {
        match self {
            Select::Last => Some(vec![1; lengths.len()]),
            Select::All => Some(lengths.to_vec()),
            Select::Tails(tails) => {
                let fits = tails.len() == lengths.len()
                    && tails.iter().zip(lengths).all(|(tail, length)| tail <= length)
                    && tails.iter().any(|&tail| tail > 0);
                fits.then(|| tails.clone())
            }
        }
    }

    /// The numbers of the wanted tokens in the pass; `None` for all.
    pub(crate) fn of(&self, spans: &[Span]) -> Result<Option<Vec<i32>>, ModelError> {
        let lengths: Vec<usize> = spans.iter().map(|span| span.tokens).collect();
        let counts = self.counts(&lengths).ok_or_else(|| ModelError::Tails {
            tails: match self {
                Select::Tails(tails) => tails.clone(),
                Select::Last | Select::All => Vec::new(),
            },
            lengths: lengths.clone(),
        })?;
        if counts == lengths {
            return Ok(None);
        }
        let wanted = spans.iter().zip(counts).flat_map(|(span, count)| {
            let end = span.first + span.tokens;
            end - count..end
        });
        Ok(Some(wanted.map(|token| token as i32).collect()))
    }
}

/// A row's place: `tokens` new tokens from number `first` of the pass on, at positions from `start` on of its slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub slot: usize,
    pub start: usize,
    pub first: usize,
    pub tokens: usize,
}

/// What a layer sees of its sequence, and how it rotates heads. The layers of most models have one scope in common; Gemma 3
/// has two.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scope {
    /// Positions that a token attends to, its own included; `None`: all up to its own.
    pub window: Option<usize>,
    pub rotation: Rotation,
}

impl Scope {
    /// The scopes of a model, and the number of each layer's.
    pub fn all(config: &ModelConfig) -> (Vec<Scope>, Vec<usize>) {
        let mut scopes: Vec<Scope> = Vec::new();
        let of_layer = |layer| {
            let scope = Scope { window: config.window(layer), rotation: config.rotation(layer) };
            scopes.iter().position(|known| *known == scope).unwrap_or_else(|| {
                scopes.push(scope);
                scopes.len() - 1
            })
        };
        let numbers = (0..config.layers).map(of_layer).collect();
        (scopes, numbers)
    }
}

/// The pass as plain data.
#[derive(Debug)]
pub(crate) struct Step {
    pub spans: Vec<Span>,
    /// Where each token goes. `[tokens]`
    pub places: Vec<CachePlace>,
    /// What the layers of each scope read. `[scopes]`
    pub views: Vec<View>,
}

/// The pass as the layers of one scope read it.
#[derive(Debug)]
pub(crate) struct View {
    /// Where each token goes, and the angles of its position.
    pub positions: Arc<HostPositions>,
    /// What each token attends to, itself included. `[tokens]`
    pub seen: Vec<attention::Span>,
}

/// Queries that attend in one batched product: `rows` slots with `tokens` queries each over the cached positions `keys`.
#[derive(Debug)]
pub(crate) struct Group {
    pub first: usize,
    pub rows: usize,
    pub tokens: usize,
    pub keys: Range<usize>,
    pub slots: Slots,
    /// True where a query must not look. `[rows, 1, tokens, keys]`; `None` where every query sees every key.
    pub mask: Option<Tensor<4, Bool>>,
}

/// The slots of a group.
#[derive(Debug)]
pub(crate) enum Slots {
    /// Neighbours, from this one on: a view.
    From(usize),
    /// Any others: a copy. `[rows]`
    These(Box<Tensor<1, Int>>),
}

/// The pass as the layers read it.
pub(crate) struct Plan {
    pub step: Arc<Step>,
    pub path: LayerPath,
}

/// How the operations of a layer are computed.
pub(crate) enum LayerPath {
    /// In the CPU kernels.
    Native,
    /// In tensor operations, with the data of each scope.
    Portable(Vec<Portable>),
}

/// The data that the tensor operations of a scope need on the device.
pub(crate) struct Portable {
    /// `[tokens, 1, head_width / 2]`
    pub cos: Tensor<3>,
    pub sin: Tensor<3>,
    pub groups: Vec<Group>,
}

/// Queries per attention product in a long prompt: keeps the scores small, and spares the upper triangle's half.
pub(crate) const QUERY_BLOCK: usize = 128;

/// On a GPU the number of keys is rounded up to this, so that kernels are tuned and compiled for few shapes.
const KEY_BUCKET: usize = 64;

impl Step {
    /// Checks the rows against model and cache and lays them out.
    pub fn new(config: &ModelConfig, cache: &Cache, rows: &[Row<'_>], scopes: &[Scope]) -> Result<Self, ModelError> {
        let spans = check(config, cache, rows)?;
        let places: Vec<_> = spans
            .iter()
            .flat_map(|s| (s.start..s.start + s.tokens).map(|position| CachePlace { slot: s.slot, position }))
            .collect();
        let view = |scope: &Scope| {
            let seen = |place: &CachePlace| {
                let all = attention::Span::new(place.slot, place.position + 1);
                attention::Span { prefix: cache.origin(place.slot), ..all.within(scope.window) }
            };
            let seen = places.iter().map(seen).collect();
            View { positions: Arc::new(HostPositions::new(places.clone(), &scope.rotation)), seen }
        };
        let views = scopes.iter().map(view).collect();
        Ok(Self { spans, places, views })
    }

    /// The slot and the position of each token.
    pub fn slots_and_positions(&self) -> (Vec<usize>, Vec<usize>) {
        self.places.iter().map(|place| (place.slot, place.position)).unzip()
    }

    /// Tokens in the pass.
    pub fn tokens(&self) -> usize {
        self.places.len()
    }
}

/// Nothing has been written when this fails.
fn check(config: &ModelConfig, cache: &Cache, rows: &[Row<'_>]) -> Result<Vec<Span>, ModelError> {
    let (shape, layers) = cache.shape();
    if [shape[1], shape[3], layers] != [config.kv_heads, config.head_width, config.layers] {
        let words = |heads, width, layers| format!("{layers} layers of {heads} heads of width {width}");
        return Err(ModelError::CacheOfAnotherModel {
            found: words(shape[1], shape[3], layers),
            expected: words(config.kv_heads, config.head_width, config.layers),
        });
    }
    if rows.is_empty() {
        return Err(ModelError::NoRows);
    }
    let mut written_by = vec![None; cache.slots()];
    let mut spans = Vec::with_capacity(rows.len());
    let mut first = 0;
    for (number, row) in rows.iter().enumerate() {
        let (slot, added) = (row.slot, row.tokens.len());
        let held = cache.len(slot).map_err(|error| ModelError::Slot { row: number, error })?;
        if let Some(earlier) = written_by[slot].replace(number) {
            return Err(ModelError::SlotTwice { first: earlier, second: number, slot });
        }
        if added == 0 {
            return Err(ModelError::EmptyRow { row: number, slot });
        }
        if added > cache.capacity() - held {
            return Err(ModelError::ContextOverflow { slot, held, added, capacity: cache.capacity() });
        }
        if let Some((position, &id)) = row.tokens.iter().enumerate().find(|&(_, &id)| id as usize >= config.vocabulary)
        {
            return Err(ModelError::NoSuchToken { row: number, position, id, vocabulary: config.vocabulary });
        }
        spans.push(Span { slot, start: held, first, tokens: added });
        first += added;
    }
    Ok(spans)
}

impl Portable {
    /// Uploads angles and masks, once for all layers of a scope.
    pub fn new(step: &Step, view: &View, window: Option<usize>, capacity: usize, device: &Device) -> Self {
        let HostPositions { cos, sin, .. } = &*view.positions;
        let shape = [step.tokens(), 1, cos.len() / step.tokens()];
        let upload = |data: &Vec<f32>| Tensor::from_data(TensorData::new(data.clone(), shape), device);
        Self { cos: upload(cos), sin: upload(sin), groups: groups(&step.spans, window, capacity, device) }
    }
}

/// How neighbouring spans attend in products: all together where they are equally long, else each in blocks of queries.
pub(crate) fn groups(spans: &[Span], window: Option<usize>, capacity: usize, device: &Device) -> Vec<Group> {
    // From the first position that any query sees to the last, in whole buckets.
    let keys = |spans: &[Span]| {
        let first = spans.iter().map(|s| window.map_or(0, |window| (s.start + 1).saturating_sub(window)));
        let first = first.min().unwrap_or(0) / KEY_BUCKET * KEY_BUCKET;
        let end = spans.iter().map(|s| s.start + s.tokens).max().unwrap_or(0);
        first..end.next_multiple_of(KEY_BUCKET).min(capacity)
    };
    if spans.len() > 1 && spans.iter().all(|s| s.tokens == spans[0].tokens) {
        return vec![group(spans, keys(spans), window, device)];
    }
    let blocks = spans.iter().flat_map(|s| {
        (0..s.tokens).step_by(QUERY_BLOCK).map(|done| Span {
            start: s.start + done,
            first: s.first + done,
            tokens: QUERY_BLOCK.min(s.tokens - done),
            ..*s
        })
    });
    blocks.map(|b| group(&[b], keys(&[b]), window, device)).collect()
}

/// Spans of equally many tokens, as one batched product.
fn group(spans: &[Span], keys: Range<usize>, window: Option<usize>, device: &Device) -> Group {
    let (rows, tokens) = (spans.len(), spans[0].tokens);
    let neighbours = spans.iter().enumerate().all(|(i, s)| s.slot == spans[0].slot + i);
    let slots = if neighbours {
        Slots::From(spans[0].slot)
    } else {
        let slots: Vec<_> = spans.iter().map(|s| s.slot as i32).collect();
        Slots::These(Box::new(Tensor::from_data(TensorData::new(slots, [rows]), device)))
    };
    // The query at position p sees positions 0..=p, or the last of them.
    let positions = spans.iter().flat_map(|s| s.start..s.start + tokens);
    let unseen = |p: usize| {
        let first = window.map_or(0, |window| (p + 1).saturating_sub(window));
        keys.clone().map(move |key| key > p || key < first)
    };
    let (mask, shape): (Vec<bool>, _) = (positions.flat_map(unseen).collect(), [rows, 1, tokens, keys.len()]);
    let mask = mask.contains(&true).then(|| Tensor::from_data(TensorData::new(mask, shape), device));
    Group { first: spans[0].first, rows, tokens, keys, slots, mask }
}
