//! A graph as steps that gradients can be taken through: for graphs of operators that are known, with the weights of one
//! checkpoint.

mod shapes;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn};

use crate::estimate::gradient::{Ending, Operation, Source, Step, Weights, Windows};
use crate::graph::{Model, Node};

/// The operators that are known.
const KNOWN: &str = "Gemm, MatMul, Conv, Add, Sub, Mul, Div, Relu, LeakyRelu, Tanh, Sigmoid, MaxPool, AveragePool, \
                     GlobalAveragePool, BatchNormalization, Flatten, Reshape, Transpose, Identity, Cast, Dropout, and Softmax \
                     or LogSoftmax at the end";

/// The kinds of floating-point numbers in the format.
const FLOATS: [i64; 4] = [1, 10, 11, 16];

/// A graph as steps.
#[derive(Clone, Debug)]
pub(super) struct Translation {
    pub steps: Vec<Step>,
    pub ending: Ending,
    /// The input of the graph that takes the samples.
    pub input: String,
    /// The initializers of each layer, the weights first, in the order of the steps.
    pub layers: Vec<Vec<String>>,
}

/// The values of a weight or constant.
type Values<'v> = &'v dyn Fn(&str) -> Option<ArrayD<f64>>;

struct Translator<'t> {
    model: &'t Model,
    values: Values<'t>,
    done: Translation,
    /// What each tensor that was computed so far is.
    known: HashMap<String, Source>,
    /// The shapes that were computed so far.
    shapes: HashMap<String, Vec<i64>>,
    /// How often each tensor is taken.
    uses: HashMap<&'t str, usize>,
}

impl Translation {
    /// Translates what leads to an output.
    ///
    /// # Errors
    ///
    /// What cannot be translated, with the node and what to do.
    pub(super) fn of(model: &Model, output: &str, values: Values<'_>) -> Result<Self, String> {
        let inputs = model.inputs();
        let [input] = &inputs[..] else {
            return Err(format!("found a graph with {} inputs, needed one; {REMEDY}", inputs.len()));
        };
        let all: Vec<Node<'_>> = model.nodes().collect();
        let mut needed: HashSet<&str> = HashSet::from([output]);
        for node in all.iter().rev() {
            if node.outputs.iter().any(|made| needed.contains(made.as_str())) {
                needed.extend(node.inputs.iter().map(String::as_str));
            }
        }
        let mut uses = HashMap::new();
        for name in all.iter().flat_map(|node| node.inputs) {
            *uses.entry(name.as_str()).or_default() += 1;
        }
        let known = HashMap::from([(input.name.to_owned(), Source::Input)]);
        let done = Self { steps: Vec::new(), ending: Ending::Logits, input: input.name.to_owned(), layers: Vec::new() };
        let mut translator = Translator { model, values, done, known, shapes: HashMap::new(), uses };
        for node in &all {
            let leads = node.outputs.first().is_some_and(|made| needed.contains(made.as_str()));
            if leads {
                translator.add(node, output).map_err(|reason| {
                    format!("the graph's node `{}` is `{}`: {reason}; {REMEDY}", label(node), node.operator)
                })?;
            }
        }
        let Translator { done, known, .. } = translator;
        match known.get(output) {
            Some(Source::Step(place)) if *place + 1 == done.steps.len() && !done.layers.is_empty() => Ok(done),
            _ => Err(format!("found no layer with weights that leads to `{output}`; {REMEDY}")),
        }
    }
}

/// What helps where a graph cannot be translated.
const REMEDY: &str = "gradients of the last layer (`layers = \"last\"`) need none of this";

fn label<'n>(node: &Node<'n>) -> &'n str {
    if node.name.is_empty() { node.outputs.first().map_or("", String::as_str) } else { node.name }
}

impl Translator<'_> {
    /// Translates a node.
    fn add(&mut self, node: &Node<'_>, output: &str) -> Result<(), String> {
        let made = node.outputs.first().cloned().unwrap_or_default();
        if let Some(shape) = self.computed_shape(node) {
            self.shapes.insert(made, shape);
            return Ok(());
        }
        let operation = match node.operator.as_str() {
            "Constant" => return self.number(node, made),
            "Identity" | "Dropout" => return self.alias(node, made),
            "Cast" if node.integer("to").is_some_and(|to| FLOATS.contains(&to)) => return self.alias(node, made),
            "Softmax" | "LogSoftmax" => return self.end(node, made, output),
            "Gemm" => return self.gemm(node, made),
            "MatMul" => return self.product(node, made),
            "Conv" => return self.convolution(node, made),
            "BatchNormalization" => return self.normalization(node, made),
            "Add" if self.is_intercept(node) => return self.intercept(node, made),
            "Add" => Operation::Add,
            "Sub" => Operation::Subtract,
            "Mul" => Operation::Multiply,
            "Div" => Operation::Divide,
            "Relu" => Operation::Rectify(0.0),
            "LeakyRelu" => Operation::Rectify(f64::from(node.float("alpha").unwrap_or(0.01))),
            "Tanh" => Operation::Tanh,
            "Sigmoid" => Operation::Sigmoid,
            "MaxPool" => Operation::MaxPool(windows(node, node.integers("kernel_shape").unwrap_or_default())?),
            "AveragePool" => {
                let windows = windows(node, node.integers("kernel_shape").unwrap_or_default())?;
                Operation::AveragePool(windows, node.integer("count_include_pad").unwrap_or(0) != 0)
            }
            "GlobalAveragePool" => Operation::GlobalAveragePool,
            "Flatten" if node.integer("axis").unwrap_or(1) == 1 => Operation::Reshape(vec![-1]),
            "Reshape" => Operation::Reshape(self.shape_behind_samples(node)?),
            "Transpose" => {
                let order = node.integers("perm").unwrap_or_default();
                let order: Vec<usize> = order.iter().filter_map(|&axis| usize::try_from(axis).ok()).collect();
                if order.first() != Some(&0) {
                    return Err(format!("found the order {order:?}, needed the samples to stay first"));
                }
                Operation::Transpose(order)
            }
            _ => return Err(format!("gradients are taken through {KNOWN} only")),
        };
        let count = if matches!(operation, Operation::Reshape(_)) { 1 } else { node.inputs.len() };
        let sources = node.inputs[..count].iter().map(|name| self.source(name)).collect::<Result<Vec<_>, _>>()?;
        if sources.iter().all(|source| matches!(source, Source::Constant(_))) {
            return Err("found constants only, needed what the network computes".to_owned());
        }
        self.push(operation, sources, made);
        Ok(())
    }

    fn push(&mut self, operation: Operation, sources: Vec<Source>, made: String) {
        self.done.steps.push(Step { operation, sources });
        self.known.insert(made, Source::Step(self.done.steps.len() - 1));
    }

    fn source(&self, name: &str) -> Result<Source, String> {
        let constant = || (self.values)(name).map(Source::Constant);
        self.known.get(name).cloned().or_else(constant).ok_or_else(|| format!("nothing is known of its input `{name}`"))
    }

    /// What the network computes.
    fn computed(&self, name: &str) -> Result<Source, String> {
        match self.source(name)? {
            Source::Constant(_) => Err(format!("its input `{name}` is a constant, needed what the network computes")),
            source => Ok(source),
        }
    }

    /// Weights that nothing else takes.
    fn weights(&self, name: &str) -> Result<ArrayD<f64>, String> {
        let values = (self.values)(name).filter(|_| self.model.has_initializer(name));
        let values = values.ok_or_else(|| format!("its weights `{name}` are no initializer of the graph"))?;
        match self.uses.get(name) {
            Some(1) => Ok(values),
            count => Err(format!("its weights `{name}` are used {} times, needed once", count.unwrap_or(&0))),
        }
    }

    /// A constant of one number; others are initializers.
    fn number(&mut self, node: &Node<'_>, made: String) -> Result<(), String> {
        let whole = node.integer("value_int").or_else(|| node.integers("value_ints")?.first().copied());
        let float = || node.float("value_float").map(f64::from);
        let tensor = || self.model.value_of(&made)?.doubles().first().copied();
        let value = whole.map(|value| value as f64).or_else(float).or_else(tensor);
        let value = value.ok_or("found no number in it, needed one")?;
        self.known.insert(made, Source::Constant(ArrayD::from_elem(IxDyn(&[]), value)));
        Ok(())
    }

    fn alias(&mut self, node: &Node<'_>, made: String) -> Result<(), String> {
        let source = self.source(&node.inputs[0])?;
        self.known.insert(made, source);
        Ok(())
    }

    /// What comes behind the logits, over the classes.
    fn end(&mut self, node: &Node<'_>, made: String, output: &str) -> Result<(), String> {
        if made != output || !matches!(node.integer("axis").unwrap_or(-1), -1 | 1) {
            return Err("needed at the end only, over the last axis".to_owned());
        }
        self.done.ending = if node.operator == "Softmax" { Ending::Softmax } else { Ending::LogSoftmax };
        self.alias(node, made)
    }

    fn gemm(&mut self, node: &Node<'_>, made: String) -> Result<(), String> {
        let is_one = |name: &str| node.float(name).is_none_or(|value| (value - 1.0).abs() < f32::EPSILON);
        if !is_one("alpha") || !is_one("beta") || node.integer("transA").unwrap_or(0) != 0 {
            return Err("found `alpha`, `beta` or `transA`, needed none".to_owned());
        }
        let source = self.computed(&node.inputs[0])?;
        let mut weights = matrix(self.weights(&node.inputs[1])?)?;
        if node.integer("transB").unwrap_or(0) != 0 {
            weights = weights.reversed_axes();
        }
        let intercepts = self.intercepts(node.inputs.get(2), weights.ncols())?;
        let names = node.inputs[1..].iter().filter(|name| !name.is_empty()).cloned().collect();
        self.done.layers.push(names);
        self.push(Operation::Linear(Weights { weights, intercepts }), vec![source], made);
        Ok(())
    }

    fn product(&mut self, node: &Node<'_>, made: String) -> Result<(), String> {
        let source = self.computed(&node.inputs[0])?;
        let weights = matrix(self.weights(&node.inputs[1])?)?;
        self.done.layers.push(vec![node.inputs[1].clone()]);
        self.push(Operation::Linear(Weights { weights, intercepts: None }), vec![source], made);
        Ok(())
    }

    /// Whether an addition gives a product that nothing else takes its intercepts.
    fn is_intercept(&self, node: &Node<'_>) -> bool {
        self.with_intercept(node).is_some()
    }

    /// The step of the product, and the name of the intercepts.
    fn with_intercept(&self, node: &Node<'_>) -> Option<(usize, String)> {
        let [a, b] = node.inputs else { return None };
        let (product, name) = if self.known.contains_key(a) { (a, b) } else { (b, a) };
        let Some(Source::Step(place)) = self.known.get(product) else { return None };
        let Operation::Linear(weights) = &self.done.steps[*place].operation else { return None };
        let values = (self.values)(name).filter(|_| self.model.has_initializer(name))?;
        let fits = values.shape() == [weights.weights.ncols()] && weights.intercepts.is_none();
        let is_it = |source: &Source| matches!(source, Source::Step(other) if other == place);
        // It may have several names, one for each cast.
        let mut names = self.known.iter().filter(|(_, source)| is_it(source)).map(|(name, _)| name.as_str());
        (fits && names.all(|name| self.uses.get(name) == Some(&1))).then(|| (*place, name.clone()))
    }

    fn intercept(&mut self, node: &Node<'_>, made: String) -> Result<(), String> {
        let (place, name) = self.with_intercept(node).ok_or("found no product")?;
        let values = self.intercepts(Some(&name), (self.values)(&name).map_or(0, |values| values.len()))?;
        if let Operation::Linear(weights) = &mut self.done.steps[place].operation {
            weights.intercepts = values;
        }
        let is_layer = |step: &&Step| matches!(step.operation, Operation::Linear(_) | Operation::Convolution(..));
        let layer = self.done.steps[..place].iter().filter(is_layer).count();
        self.done.layers[layer].push(name);
        self.known.insert(made, Source::Step(place));
        Ok(())
    }

    /// Intercepts of so many outputs, if there are any.
    fn intercepts(&self, name: Option<&String>, outputs: usize) -> Result<Option<Array1<f64>>, String> {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(None) };
        let values = self.weights(name)?;
        if values.len() != outputs {
            return Err(format!("its intercepts `{name}` are {}, needed {outputs}", values.len()));
        }
        Ok(Some(values.into_iter().collect()))
    }

    fn convolution(&mut self, node: &Node<'_>, made: String) -> Result<(), String> {
        if node.integer("group").unwrap_or(1) != 1 {
            return Err("found several groups of channels, needed one".to_owned());
        }
        let source = self.computed(&node.inputs[0])?;
        let kernel = self.weights(&node.inputs[1])?;
        let sizes: Vec<i64> = kernel.shape()[2..].iter().filter_map(|&size| i64::try_from(size).ok()).collect();
        let windows = windows(node, &sizes)?;
        let outputs = kernel.shape()[0];
        let rows = kernel.len() / outputs.max(1);
        let weights = kernel.as_standard_layout().into_owned().into_shape_with_order((outputs, rows));
        let weights = weights.map_err(|error| error.to_string())?.reversed_axes();
        let intercepts = self.intercepts(node.inputs.get(2), outputs)?;
        let names = node.inputs[1..].iter().filter(|name| !name.is_empty()).cloned().collect();
        self.done.layers.push(names);
        self.push(Operation::Convolution(Weights { weights, intercepts }, windows), vec![source], made);
        Ok(())
    }

    /// A normalization by moments that were learned: a factor and an offset for each channel.
    fn normalization(&mut self, node: &Node<'_>, made: String) -> Result<(), String> {
        if node.integer("training_mode").unwrap_or(0) != 0 {
            return Err("found `training_mode`, needed moments that were learned".to_owned());
        }
        let source = self.computed(&node.inputs[0])?;
        let of = |place: usize| -> Result<Array1<f64>, String> {
            let name = node.inputs.get(place).ok_or("found too few inputs")?;
            let values = (self.values)(name).ok_or_else(|| format!("nothing is known of its input `{name}`"))?;
            Ok(values.into_iter().collect())
        };
        let [scale, offset, mean, variance] = [of(1)?, of(2)?, of(3)?, of(4)?];
        let epsilon = f64::from(node.float("epsilon").unwrap_or(1e-5));
        let factor = &scale / &variance.mapv(|value| (value + epsilon).sqrt());
        let offset = offset - &factor * &mean;
        // One axis less than the tensor has would put the channels last; the tensor's rank is not known here.
        let rank = self.rank(&node.inputs[0]).ok_or("the number of its input's axes is not known")?;
        let along_channels = |values: Array1<f64>| -> Result<Source, String> {
            let mut shape = vec![1; rank - 1];
            shape[0] = values.len();
            let values = values.into_dyn().into_shape_with_order(IxDyn(&shape)).map_err(|error| error.to_string())?;
            Ok(Source::Constant(values.insert_axis(Axis(0))))
        };
        let (factor, offset) = (along_channels(factor)?, along_channels(offset)?);
        self.done.steps.push(Step { operation: Operation::Multiply, sources: vec![source, factor] });
        let scaled = Source::Step(self.done.steps.len() - 1);
        self.push(Operation::Add, vec![scaled, offset], made);
        Ok(())
    }

    /// The number of axes of a tensor.
    fn rank(&self, name: &str) -> Option<usize> {
        let source = self.known.get(name)?;
        self.rank_of(source)
    }

    fn rank_of(&self, source: &Source) -> Option<usize> {
        let Source::Step(place) = source else {
            let inputs = self.model.inputs();
            return inputs.first().map(|input| input.dims.len()).filter(|&rank| rank > 0);
        };
        let step = &self.done.steps[*place];
        match &step.operation {
            Operation::Convolution(_, windows) | Operation::MaxPool(windows) | Operation::AveragePool(windows, _) => {
                Some(windows.kernel.len() + 2)
            }
            Operation::Reshape(shape) => Some(shape.len() + 1),
            Operation::Transpose(order) => Some(order.len()),
            _ => step
                .sources
                .iter()
                .find(|source| !matches!(source, Source::Constant(_)))
                .and_then(|it| self.rank_of(it)),
        }
    }
}

fn matrix(values: ArrayD<f64>) -> Result<Array2<f64>, String> {
    let shape = values.shape().to_vec();
    values.into_dimensionality().map_err(|_| format!("found weights of shape {shape:?}, needed a matrix"))
}

/// The windows of a node with a kernel of these sizes.
fn windows(node: &Node<'_>, kernel: &[i64]) -> Result<Windows, String> {
    let padding = node.text("auto_pad").unwrap_or("NOTSET");
    if !matches!(padding, "NOTSET" | "VALID") || node.integer("ceil_mode").unwrap_or(0) != 0 {
        return Err(format!("found `auto_pad` {padding} or `ceil_mode`, needed stated pads and whole windows"));
    }
    let axes = kernel.len();
    let sizes = |name: &str, count: usize, default: usize| -> Result<Vec<usize>, String> {
        let found = node.integers(name).unwrap_or_default();
        if found.is_empty() {
            return Ok(vec![default; count]);
        }
        let sizes: Vec<usize> = found.iter().filter_map(|&size| usize::try_from(size).ok()).collect();
        if sizes.len() == count { Ok(sizes) } else { Err(format!("found `{name}` {found:?}, needed {count} sizes")) }
    };
    let pads = sizes("pads", 2 * axes, 0)?;
    let kernel: Vec<usize> =
        kernel.iter().filter_map(|&size| usize::try_from(size).ok()).filter(|&size| size > 0).collect();
    if kernel.is_empty() || kernel.len() != axes {
        return Err("found no `kernel_shape`, needed the sizes of a window".to_owned());
    }
    let (strides, dilations) = (sizes("strides", axes, 1)?, sizes("dilations", axes, 1)?);
    if strides.contains(&0) || dilations.contains(&0) {
        return Err("found a stride or dilation of zero, needed one at least".to_owned());
    }
    Ok(Windows { kernel, strides, pads: (0..axes).map(|axis| (pads[axis], pads[axes + axis])).collect(), dilations })
}
