//! Where the gradients of a pass are added up.

/// A sum for each parameter, in order.
pub(super) struct Sums(Vec<Vec<f32>>);

impl Sums {
    /// Zeros for parameters of these sizes.
    pub fn zeros(sizes: impl Iterator<Item = usize>) -> Sums {
        Sums(sizes.map(|size| vec![0.0; size]).collect())
    }

    /// The sum of the parameter at this place.
    pub fn of(&mut self, place: usize) -> &mut [f32] {
        &mut self.0[place]
    }

    pub fn into_inner(self) -> Vec<Vec<f32>> {
        self.0
    }
}
