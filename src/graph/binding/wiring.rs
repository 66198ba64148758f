//! Who uses an initializer, and what stands beside it: how ties are broken.

use std::collections::HashMap;

use super::names::{Order, Role};
use crate::graph::{Model, Use};

/// Operators whose second input is a weight and whose third is a bias.
const LAYERS: [&str; 7] = [
    "Conv",
    "ConvTranspose",
    "Gemm",
    "BatchNormalization",
    "LayerNormalization",
    "InstanceNormalization",
    "GroupNormalization",
];

/// A node, as far as weights are concerned.
#[derive(Debug)]
struct Wire {
    operator: String,
    inputs: Vec<String>,
    module: Option<String>,
    transposes_weight: bool,
    /// Whether products are taken as they are.
    is_plain: bool,
}

/// The nodes of a model by place and by what they compute.
#[derive(Debug)]
pub(super) struct Wiring {
    wires: HashMap<usize, Wire>,
    producers: HashMap<String, usize>,
    outputs: HashMap<usize, String>,
    users: HashMap<String, Vec<Use>>,
}

impl Wiring {
    pub(super) fn new(model: &Model) -> Self {
        let (mut wires, mut producers, mut outputs) = (HashMap::new(), HashMap::new(), HashMap::new());
        for node in model.nodes() {
            for output in node.outputs {
                producers.insert(output.clone(), node.place);
            }
            if let Some(first) = node.outputs.first() {
                outputs.insert(node.place, first.clone());
            }
            let wire = Wire {
                operator: node.operator.clone(),
                inputs: node.inputs.to_vec(),
                module: node.module.clone(),
                transposes_weight: node.integer("transB").is_some_and(|value| value != 0),
                is_plain: ["alpha", "beta"]
                    .into_iter()
                    .all(|name| node.float(name).is_none_or(|value| value.to_bits() == 1_f32.to_bits())),
            };
            wires.insert(node.place, wire);
        }
        let users = model.all_uses().into_iter().map(|(name, uses)| (name.to_owned(), uses)).collect();
        Self { wires, producers, outputs, users }
    }

    pub(super) fn uses(&self, initializer: &str) -> &[Use] {
        self.users.get(initializer).map_or(&[], Vec::as_slice)
    }

    /// The module of the node that uses it, where the exporter recorded it.
    pub(super) fn module(&self, place: Use) -> Option<&str> {
        self.wires.get(&place.node)?.module.as_deref()
    }

    /// The first result of the node.
    pub(super) fn output(&self, node: usize) -> Option<&str> {
        self.outputs.get(&node).map(String::as_str)
    }

    /// The node that computes a tensor.
    pub(super) fn producer(&self, tensor: &str) -> Option<usize> {
        self.producers.get(tensor).copied()
    }

    /// What the operator takes the input for.
    pub(super) fn role(&self, place: Use) -> Option<Role> {
        let wire = self.wires.get(&place.node)?;
        match (wire.operator.as_str(), place.input) {
            ("BatchNormalization", 3) | ("Sub", 1) => Some(Role::Mean),
            ("BatchNormalization", 4) => Some(Role::Variance),
            ("Add", _) => Some(Role::Bias),
            ("MatMul" | "Mul" | "Gather", _) => Some(Role::Weight),
            (operator, 1) if LAYERS.contains(&operator) || operator == "RMSNormalization" => Some(Role::Weight),
            (operator, 2) if LAYERS.contains(&operator) => Some(Role::Bias),
            _ => None,
        }
    }

    /// What takes the weight: operator, input, and whether the operator transposes it.
    pub(super) fn manner(&self, place: Use) -> Option<String> {
        let wire = self.wires.get(&place.node)?;
        Some(format!("{} {} {}", wire.operator, place.input, wire.transposes_weight))
    }

    /// How the operator wants a matrix laid out.
    pub(super) fn order(&self, place: Use) -> Option<Order> {
        let wire = self.wires.get(&place.node)?;
        match (wire.operator.as_str(), place.input) {
            ("Gemm", 1) if wire.transposes_weight => Some(Order::OutputsFirst),
            // Of a normalization the weight is a vector: first or last is the same.
            ("Gemm" | "MatMul" | "LayerNormalization", 1) => Some(Order::OutputsLast),
            ("Conv", 1) => Some(Order::OutputsFirst),
            _ => None,
        }
    }

    /// The initializers beside this use: at the same node, and at the nodes whose result it is added to or multiplied with.
    pub(super) fn neighbors(&self, place: Use) -> Vec<&str> {
        /// Reshapes and casts that may stand between a product and its bias.
        const MOST_STEPS: usize = 4;
        let Some(wire) = self.wires.get(&place.node) else { return Vec::new() };
        let own = wire.inputs.get(place.input);
        let mut found: Vec<&str> = wire.inputs.iter().filter(|input| Some(*input) != own).map(String::as_str).collect();
        if matches!(wire.operator.as_str(), "Add" | "Mul" | "Sub" | "Div") {
            for input in found.clone() {
                let mut at = input;
                for _ in 0..MOST_STEPS {
                    let Some(wire) = self.producers.get(at).and_then(|node| self.wires.get(node)) else { break };
                    let weights: Vec<&str> =
                        wire.inputs.iter().map(String::as_str).filter(|name| self.users.contains_key(*name)).collect();
                    let passes =
                        matches!(wire.operator.as_str(), "Reshape" | "Transpose" | "Cast" | "Squeeze" | "Unsqueeze");
                    if !passes {
                        found.extend(weights);
                        break;
                    }
                    let Some(next) = wire.inputs.first() else { break };
                    at = next;
                }
            }
        }
        found.retain(|name| self.users.contains_key(*name));
        found
    }

    /// Whether the node takes the weight, and could take a bias that it lacks, to be added to its plain product.
    pub(super) fn takes_bias(&self, place: Use) -> bool {
        self.lacks_bias(place.node) && place.input == 1 && self.wires.get(&place.node).is_some_and(|wire| wire.is_plain)
    }

    /// Whether the node is one that a bias can be given back to.
    pub(super) fn lacks_bias(&self, node: usize) -> bool {
        let Some(wire) = self.wires.get(&node) else { return false };
        let has = |input: usize| wire.inputs.get(input).is_some_and(|name| !name.is_empty());
        match wire.operator.as_str() {
            "Conv" | "ConvTranspose" | "Gemm" | "LayerNormalization" => !has(2),
            "MatMul" => true,
            _ => false,
        }
    }
}
