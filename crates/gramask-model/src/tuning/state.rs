//! What a training needs to go on exactly where it was: parameters, the optimiser's means, and the number of steps.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::TuningError;
use super::adamw::AdamW;
use super::adapter::{io, replace};
use super::model::{Tunable, numbers};

/// Writes the state at one stroke. `notes` are kept beside it as text.
///
/// # Errors
/// When the device fails or the file cannot be written.
pub fn write_state(
    path: &Path,
    model: &Tunable,
    optimiser: &AdamW,
    notes: &[(&str, String)],
) -> Result<(), TuningError> {
    let mut tensors = Vec::new();
    for (parameter, (first, second)) in model.parameters().iter().zip(&optimiser.means) {
        for (kind, tensor) in [("value", &parameter.value), ("first", first), ("second", second)] {
            let bytes: Vec<u8> = numbers(tensor.clone())?.iter().flat_map(|x| x.to_le_bytes()).collect();
            tensors.push((format!("{kind}.{}", parameter.name), bytes, tensor.dims().to_vec()));
        }
    }
    let wrong =
        |error: safetensors::SafeTensorError| TuningError::File { path: path.into(), message: error.to_string() };
    let views = tensors
        .iter()
        .map(|(name, bytes, shape)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(wrong)?;
    let mut about: HashMap<String, String> = notes.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
    about.insert("steps".into(), optimiser.steps.to_string());
    replace(path, &safetensors::serialize(views, Some(about)).map_err(wrong)?)
}

/// Reads a state into a model and an optimiser of the same shape; returns the notes.
///
/// # Errors
/// When the file cannot be read, or is another model's. Then nothing has changed.
pub fn read_state(
    path: &Path,
    model: &mut Tunable,
    optimiser: &mut AdamW,
) -> Result<HashMap<String, String>, TuningError> {
    let bytes = std::fs::read(path).map_err(|source| io("read", path, source))?;
    let wrong = |message: String| TuningError::File {
        path: path.into(),
        message: format!("{message}: this is no state of this training"),
    };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| wrong(error.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
    let notes = metadata.metadata().clone().unwrap_or_default();
    let steps = notes.get("steps").and_then(|steps| steps.parse().ok());
    let steps = steps.ok_or_else(|| wrong("no number of steps".into()))?;
    let read = |kind: &str, name: &str, like: &Tensor<2>| -> Result<Tensor<2>, TuningError> {
        let name = format!("{kind}.{name}");
        let view = file.tensor(&name).map_err(|error| wrong(error.to_string()))?;
        if view.shape() != like.dims() || view.dtype() != Dtype::F32 {
            return Err(wrong(format!("`{name}` is {:?} {:?}, not F32 {:?}", view.dtype(), view.shape(), like.dims())));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(Tensor::from_data(TensorData::new(values.collect(), like.dims()), (&like.device(), like.dtype())))
    };
    let mut found = Vec::new();
    for parameter in model.parameters() {
        let all = |kind| read(kind, &parameter.name, &parameter.value);
        found.push((all("value")?, (all("first")?, all("second")?)));
    }
    let (values, means): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    model.parameters_mut().iter_mut().zip(values).for_each(|(p, value)| p.value = value);
    optimiser.means = means;
    optimiser.steps = steps;
    Ok(notes)
}
