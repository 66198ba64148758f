//! Taps for someone who does not know the graph: one a block.
//!
//! A tensor that everything passes through on its way to the outputs separates what the network
//! did before from what it does after. Those tensors are found without names or patterns: in a
//! residual network they are the sums, in a plain one the layers, and never the parts of a branch
//! such as attention scores. Of those between two layers with weights the last is taken that is
//! no mere rearrangement, which is the one behind the activation.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Model;
use super::modules::module_of;
use super::onnx::NodeProto;
use super::walk::taken;

/// About as many as one picture can show.
const MOST: usize = 12;

/// So many outputs are results; more are states that a decoder keeps.
const FEW: usize = 4;

/// Operators that multiply by weights; a layer begins at each that has some.
const LAYERS: [&str; 19] = [
    "Conv",
    "ConvTranspose",
    "ConvInteger",
    "QLinearConv",
    "DeformConv",
    "Gemm",
    "MatMul",
    "MatMulInteger",
    "QLinearMatMul",
    "MatMulNBits",
    "FusedMatMul",
    "Einsum",
    "LSTM",
    "GRU",
    "RNN",
    "Gather",
    "If",
    "Loop",
    "Scan",
];

/// Operators whose results only rearrange or thin out values, or are no activations.
const REARRANGING: [&str; 30] = [
    "Reshape",
    "Transpose",
    "Cast",
    "CastLike",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Identity",
    "Dropout",
    "Pad",
    "Slice",
    "Split",
    "Expand",
    "Tile",
    "Gather",
    "GatherElements",
    "GatherND",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LpPool",
    "ReduceMean",
    "ReduceMax",
    "ReduceSum",
    "Resize",
    "Softmax",
    "LogSoftmax",
    "DepthToSpace",
    "QuantizeLinear",
];

/// Operators that tell something about a tensor, not its values.
const MEASURING: [&str; 13] = [
    "Shape",
    "Size",
    "ArgMax",
    "ArgMin",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Not",
    "And",
    "NonZero",
    "IsNaN",
];

/// Suggests up to about a dozen taps, in graph order; `shapes` holds what is known of the tensors' shapes.
#[must_use]
pub fn suggest_taps(model: &Model, shapes: &BTreeMap<String, Vec<Option<usize>>>) -> Vec<String> {
    let flow = Flow::new(model.main_nodes(), model);
    // Where the number of samples is open, the axis of the samples is: a tap has it first.
    let is_open = model.inputs().iter().any(|input| input.dims.first().is_some_and(Option::is_none));
    let enough_axes = |candidate: &&Candidate<'_>| {
        let is_tap = |shape: &Vec<Option<usize>>| {
            let is_told = shape.iter().any(Option::is_some);
            shape.len() > 1 && (!is_open || shape[0].is_none() && is_told)
        };
        shapes.get(candidate.name).is_none_or(is_tap)
    };
    let narrow: Vec<&Candidate<'_>> = flow.candidates.iter().filter(|candidate| candidate.is_narrow).collect();
    let mut chosen = one_a_block(narrow.into_iter().filter(enough_axes));
    if chosen.len() < 3 {
        // Connections around everything, as in a U-Net, leave nothing that all must pass.
        chosen = one_a_block(flow.candidates.iter().filter(|candidate| candidate.is_layer).filter(enough_axes));
    }
    if chosen.len() > MOST {
        chosen = one_a_module(chosen);
    }
    // Evenly, from the first to the last, which is the network's result.
    let count = chosen.len().min(MOST);
    let evenly = |place: usize| place * chosen.len().saturating_sub(1) / count.saturating_sub(1).max(1);
    (0..count).map(|place| chosen[evenly(place)].name.to_owned()).collect()
}

/// A tensor that depends on samples and on weights.
#[derive(Debug)]
struct Candidate<'a> {
    name: &'a str,
    /// The layer or merging node that it was made by, or made from without another such.
    block: usize,
    /// Whether everything passes through it.
    is_narrow: bool,
    /// Whether its block begins with a layer, not with a merging of two blocks.
    is_layer: bool,
    is_rearranged: bool,
    module: Option<String>,
}

struct Flow<'a> {
    candidates: Vec<Candidate<'a>>,
}

impl<'a> Flow<'a> {
    fn new(nodes: &'a [NodeProto], model: &'a Model) -> Self {
        let mut last_use = HashMap::new();
        for (place, node) in nodes.iter().enumerate() {
            last_use.extend(taken(node).into_iter().map(|name| (name, place)));
        }
        let outputs: HashSet<&str> = model.outputs().into_iter().collect();
        let is_used = |name: &str, place| last_use.get(name).is_some_and(|&last| last > place);
        // What depends on samples; and, once weights were met, of which block it is.
        let mut sampled: HashMap<&str, Option<usize>> =
            model.inputs().into_iter().map(|input| (input.name, None)).collect();
        let mut layers = vec![false; nodes.len()];
        let mut live: Vec<&str> = Vec::new();
        let mut candidates = Vec::new();
        for (place, node) in nodes.iter().enumerate() {
            live.retain(|name| is_used(name, place));
            let inputs: Vec<&str> = taken(node).into_iter().filter(|name| !name.is_empty()).collect();
            let mut blocks: Vec<usize> =
                inputs.iter().filter_map(|name| sampled.get(name).copied().flatten()).collect();
            blocks.sort_unstable();
            blocks.dedup();
            if !inputs.iter().any(|name| sampled.contains_key(name)) || MEASURING.contains(&node.op_type()) {
                continue;
            }
            layers[place] = LAYERS.contains(&node.op_type())
                && match node.op_type() {
                    // Of a table of weights, not of a layer's result.
                    "Gather" => inputs.first().is_some_and(|table| !sampled.contains_key(table)),
                    "If" | "Loop" | "Scan" => true,
                    _ => inputs.iter().any(|name| !sampled.contains_key(name)),
                };
            let block = match blocks[..] {
                _ if layers[place] => Some(place),
                [] => None,
                [block] => Some(block),
                _ => Some(place),
            };
            let made = node.output.iter().filter(|name| is_used(name, place) || outputs.contains(name.as_str()));
            let made: Vec<&str> = made.map(String::as_str).collect();
            sampled.extend(made.iter().map(|&name| (name, block)));
            let Some(block) = block else { continue };
            let is_narrow = live.is_empty() && made.len() == 1;
            candidates.extend(made.iter().map(|&name| Candidate {
                name,
                block,
                is_narrow: is_narrow || outputs.len() <= FEW && outputs.contains(name),
                is_layer: layers[block],
                is_rearranged: REARRANGING.contains(&node.op_type()) && block != place,
                module: module_of(node),
            }));
            live.extend(made.iter().filter(|name| is_used(name, place)));
        }
        Self { candidates }
    }
}

/// The last tensor of each block that is no mere rearrangement; a block's first never is.
fn one_a_block<'c, 'a>(candidates: impl Iterator<Item = &'c Candidate<'a>>) -> Vec<&'c Candidate<'a>> {
    let mut chosen: Vec<&Candidate<'a>> = Vec::new();
    let mut places = HashMap::new();
    for candidate in candidates {
        match places.get(&candidate.block) {
            None => {
                places.insert(candidate.block, chosen.len());
                chosen.push(candidate);
            }
            Some(&place) if !candidate.is_rearranged => chosen[place] = candidate,
            Some(_) => {}
        }
    }
    chosen
}

/// The last of those in a row that belong to one numbered module, such as `layers.3`.
fn one_a_module<'c, 'a>(candidates: Vec<&'c Candidate<'a>>) -> Vec<&'c Candidate<'a>> {
    let mut chosen: Vec<&Candidate<'a>> = Vec::new();
    for candidate in candidates {
        let module = candidate.module.as_deref().and_then(numbered);
        match chosen.last_mut() {
            Some(last) if module.is_some() && last.module.as_deref().and_then(numbered) == module => *last = candidate,
            _ => chosen.push(candidate),
        }
    }
    chosen
}

/// The path up to its first number.
fn numbered(module: &str) -> Option<&str> {
    let mut end = 0;
    for part in module.split('.') {
        end += part.len();
        if !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_digit()) {
            return module.get(..end);
        }
        end += 1;
    }
    None
}
