//! A linear layer with its adapter, forward and backward.
//!
//! With `W' = W + s B A` the forward pass is `y = x W'^T` and the gradient of the input `dx = dy W'`. The gradients of the
//! factors are two thin products each: with `n = x A^T` and `m = s dy B` they are `dB = s dy^T n` and `dA = m^T x`.
//! Under dropout `A` has an input of its own, and the adapter is computed beside `W`.

use super::gradients::Sums;
use super::product::{Matrix, Output, multiply};
use super::weights::{Factors, Linear, Part};
use crate::tuning::Target;
use crate::tuning::dropout::Dropout;

/// A pass over one linear layer.
pub(super) struct Applied<'a> {
    pub linear: &'a Linear,
    pub layer: usize,
    /// Rows of the input.
    pub rows: usize,
    /// The tokens of the rows, where they are not all of a pack's `tokens`.
    pub only: Option<&'a [usize]>,
    /// Tokens of the pack.
    pub tokens: usize,
    /// None where the adapter is merged.
    pub dropout: Option<Dropout<'a>>,
}

impl Applied<'_> {
    /// `out = x W^T`, or that added to `out`. `x` is `[rows, inputs]`, `out` `[rows, outputs]`.
    pub fn forward(&self, x: &[f32], out: &mut [f32], mut add: bool) {
        let Linear { inputs, outputs, ref weight, ref bias, .. } = *self.linear;
        if !bias.is_empty() {
            for row in out.chunks_exact_mut(outputs) {
                match add {
                    true => row.iter_mut().zip(bias).for_each(|(y, b)| *y += b),
                    false => row.copy_from_slice(bias),
                }
            }
            add = true;
        }
        let weight = Matrix::dense(weight, outputs, inputs).transposed();
        let input = Matrix::dense(x, self.rows, inputs);
        multiply(Output { data: out, stride: outputs, add }, 1.0, input, weight, true);
        for (part, factors) in self.separate() {
            let (a, b) = factors.matrices(part.rows.len(), inputs);
            let dropped = self.dropped(x, part.target);
            let mut narrow = vec![0.0; self.rows * factors.rank];
            let input = Matrix::dense(dropped.as_deref().unwrap_or(x), self.rows, inputs);
            multiply(Output::new(&mut narrow, factors.rank), factors.scale, input, a.transposed(), true);
            let narrow = Matrix::dense(&narrow, self.rows, factors.rank);
            multiply(Output::sum(&mut out[part.rows.start..], outputs), 1.0, narrow, b.transposed(), true);
        }
    }

    /// The gradients, from `given` `[rows, outputs]`, that of the result. `back` gets that of the input; None where nothing
    /// that is learnt comes before.
    pub fn backward(&self, x: &[f32], given: &[f32], back: Option<&mut [f32]>, sums: &mut Sums) {
        let Linear { inputs, outputs, ref weight, .. } = *self.linear;
        let rows = self.rows;
        let mut back = back;
        if let Some(back) = back.as_deref_mut() {
            let weight = Matrix::dense(weight, outputs, inputs);
            multiply(Output::new(back, inputs), 1.0, Matrix::dense(given, rows, outputs), weight, true);
        }
        let input = Matrix::dense(x, rows, inputs);
        for part in &self.linear.parts {
            let given = Matrix::new(&given[part.rows.start..], rows, part.rows.len(), outputs);
            if let Some(sum) = part.weight.map(|place| sums.of(place)) {
                multiply(Output::sum(sum, inputs), 1.0, given.transposed(), input, true);
            }
            if let Some(sum) = part.bias.map(|place| sums.of(place)) {
                given.each_row(|row| sum.iter_mut().zip(row).for_each(|(sum, g)| *sum += g));
            }
            let Some(factors) = &part.factors else { continue };
            let left_out = self.left_out(part.target);
            let dropped = left_out.as_ref().map(|factors| product(x, factors));
            let input = Matrix::dense(dropped.as_deref().unwrap_or(x), rows, inputs);
            let slim = self.factors_back(part, factors, input, given, sums);
            if let (Some(back), false) = (back.as_deref_mut(), self.linear.merged) {
                let slim = Matrix::dense(&slim, rows, factors.rank);
                let (a, _) = factors.matrices(part.rows.len(), inputs);
                match left_out {
                    None => multiply(Output::sum(back, inputs), 1.0, slim, a, true),
                    Some(kept) => {
                        let mut through = vec![0.0; rows * inputs];
                        multiply(Output::new(&mut through, inputs), 1.0, slim, a, true);
                        let pairs = through.iter().zip(&kept);
                        back.iter_mut().zip(pairs).for_each(|(back, (x, kept))| *back += x * kept);
                    }
                }
            }
        }
    }

    /// The gradients of `A` and `B`, and `s dy B`.
    fn factors_back(
        &self,
        part: &Part,
        factors: &Factors,
        input: Matrix<'_>,
        given: Matrix<'_>,
        sums: &mut Sums,
    ) -> Vec<f32> {
        let (inputs, rows, rank) = (self.linear.inputs, self.rows, factors.rank);
        let (a, b) = factors.matrices(part.rows.len(), inputs);
        let (mut narrow, mut slim) = (vec![0.0; rows * rank], vec![0.0; rows * rank]);
        multiply(Output::new(&mut narrow, rank), 1.0, input, a.transposed(), true);
        multiply(Output::new(&mut slim, rank), factors.scale, given, b, true);
        if let Some(sum) = factors.b.place.map(|place| sums.of(place)) {
            let narrow = Matrix::dense(&narrow, rows, rank);
            multiply(Output::sum(sum, rank), factors.scale, given.transposed(), narrow, true);
        }
        if let Some(sum) = factors.a.place.map(|place| sums.of(place)) {
            multiply(Output::sum(sum, inputs), 1.0, Matrix::dense(&slim, rows, rank).transposed(), input, true);
        }
        slim
    }

    /// The projections whose adapter is not in the weights.
    fn separate(&self) -> impl Iterator<Item = (&Part, &Factors)> {
        let parts = self.linear.parts.iter().filter(|_| !self.linear.merged);
        parts.filter_map(|part| Some((part, part.factors.as_ref()?)))
    }

    /// The factors of the adapter's inputs, `[rows, inputs]`: those of all tokens are drawn, whichever rows there are.
    fn left_out(&self, target: Target) -> Option<Vec<f32>> {
        let inputs = self.linear.inputs;
        let all = self.dropout?.factors(self.layer, target, self.tokens * inputs);
        let Some(only) = self.only else { return Some(all) };
        Some(only.iter().flat_map(|&token| &all[token * inputs..][..inputs]).copied().collect())
    }

    fn dropped(&self, x: &[f32], target: Target) -> Option<Vec<f32>> {
        self.left_out(target).map(|factors| product(x, &factors))
    }
}

fn product(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}
