//! Rows of the tensors of Burn's CPU back end `flex`, where they lie.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Tensor};
use burn_flex::FlexTensor;

/// True if the CPU kernels can compute with this tensor: it is on the CPU back end, in 32 bits, and outside of training.
pub(crate) fn has_native_path<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device();
    tensor.dtype() == DType::F32 && !device.is_autodiff() && matches!(device.as_dispatch(), DispatchDevice::Flex(_))
}

/// A matrix whose rows are contiguous, however far apart: queries, keys and values are parts of one wider product.
pub(crate) struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
    pub width: usize,
}

impl Rows<'_> {
    pub fn row(&self, number: usize) -> &[f32] {
        &self.data[number * self.stride..][..self.width]
    }
}

/// `x` itself, or a copy if its rows are not contiguous.
pub(crate) fn with_rows(x: FlexTensor) -> FlexTensor {
    let strides = x.layout().strides();
    if strides[1] == 1 && strides[0] >= 0 { x } else { x.to_contiguous() }
}

/// The rows of a tensor of [`with_rows`].
pub(crate) fn rows(x: &FlexTensor) -> Rows<'_> {
    let (layout, data) = (x.layout(), x.storage::<f32>());
    Rows { data: &data[layout.start_offset()..], stride: layout.strides()[0] as usize, width: layout.shape()[1] }
}

/// `x` itself, or a copy if it is a part of another tensor.
pub(crate) fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() && x.layout().start_offset() == 0 { x } else { x.to_contiguous() }
}
