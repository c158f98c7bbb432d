//! Dropout of an adapter's inputs (Srivastava et al. 2014, "Dropout").

use super::Target;
use gramask_random::Rng;

/// The address of what dropout leaves out in a pass: other numbers, other inputs. None: nothing is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draw(pub Vec<u64>);

/// Which inputs of adapters are left out in a pass.
#[derive(Clone, Copy)]
pub(super) struct Dropout<'a> {
    pub probability: f64,
    pub draw: &'a Draw,
}

impl Dropout<'_> {
    /// The factor of each input of one adapter: 0, or `1 / (1 - p)`.
    pub fn factors(&self, layer: usize, target: Target, count: usize) -> Vec<f32> {
        let address: Vec<u64> = self.draw.0.iter().copied().chain([layer as u64, target as u64]).collect();
        let mut random = Rng::at(&address);
        let kept = (1.0 / (1.0 - self.probability)) as f32;
        (0..count).map(|_| if random.unit() < self.probability { 0.0 } else { kept }).collect()
    }
}
