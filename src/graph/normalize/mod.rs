//! Brings whatever an exporter wrote into one form, in which each weight is one initializer.
//!
//! | file | what it does |
//! |---|---|
//! | `external` | maps weights in other files |
//! | `tensor` | values as plain bytes |
//! | `functions` | writes out calls of functions |
//! | `names` | makes names unique over nested graphs |
//! | `hoist` | moves weights inside nodes to the main graph |
//! | `alias` | gives weights that were merged their own value again |

mod alias;
mod external;
mod functions;
mod hoist;
mod names;
mod tensor;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;

pub(super) use external::{ExternalFiles, map};
pub(super) use names::Names;
pub(super) use tensor::count;

use super::onnx::{GraphProto, ModelProto, TensorProto};
use super::walk::{DEPTH, depth, tensors_mut};

/// Since this version of the format, initializers need not be inputs of the graph as well.
const PLAIN_INITIALIZERS: i64 = 4;

/// Normalizes a model whose other files lie in `folder`; returns those files.
pub(super) fn normalize(model: &mut ModelProto, folder: &Path) -> Result<ExternalFiles, String> {
    let mut files = ExternalFiles::new();
    settle_tensors(model, folder, &mut files)?;
    functions::inline(model)?;
    // Nothing of this is run.
    model.training_info = Vec::new();
    model.ir_version = Some(model.ir_version().max(PLAIN_INITIALIZERS));
    let Some(graph) = model.graph.as_mut() else { return Ok(files) };
    if depth(&graph.node) > DEPTH {
        return Err(format!("found more than {DEPTH} graphs in one another; export the model again"));
    }
    let mut names = names::make_unique(graph);
    hoist::hoist(graph, &mut names)?;
    alias::split_aliases(graph);
    settle_initializers(graph)?;
    Ok(files)
}

/// Brings the values of all tensors into one form.
fn settle_tensors(model: &mut ModelProto, folder: &Path, files: &mut ExternalFiles) -> Result<(), String> {
    let mut settle = |name: &str, tensor: &mut TensorProto| {
        external::load(tensor, folder, files)
            .and_then(|()| tensor::make_raw(tensor))
            .map_err(|reason| format!("tensor `{name}`: {reason}"))
    };
    if let Some(graph) = &mut model.graph {
        for tensor in &mut graph.initializer {
            let name = tensor.name().to_owned();
            settle(&name, tensor)?;
        }
        tensors_mut(&mut graph.node, &mut settle)?;
    }
    for function in &mut model.functions {
        tensors_mut(&mut function.node, &mut settle)?;
    }
    Ok(())
}

/// Makes every initializer a constant, no input with a default, and refuses two of one name.
fn settle_initializers(graph: &mut GraphProto) -> Result<(), String> {
    let mut names = HashSet::new();
    for tensor in &graph.initializer {
        if !names.insert(tensor.name()) {
            return Err(format!(
                "tensor `{}`: found two initializers of this name, needed one; export the model again",
                tensor.name()
            ));
        }
    }
    graph.input.retain(|input| !names.contains(input.name()));
    Ok(())
}
