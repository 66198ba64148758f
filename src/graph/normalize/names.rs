//! Names that no other tensor has, and renaming along the scopes of nested graphs.

use std::collections::HashMap;

use super::super::onnx::{GraphProto, NodeProto, ValueInfoProto};
use super::super::walk::{bodies_mut, nodes};

/// The names that are taken.
#[derive(Debug, Default)]
pub(in super::super) struct Names {
    /// Each with the last number that was tried behind it.
    taken: HashMap<String, usize>,
}

impl Names {
    /// Everything that a graph and the graphs inside it speak of.
    pub(in super::super) fn of(graph: &GraphProto) -> Self {
        let mut names = Self::defined(graph);
        for node in nodes(&graph.node) {
            names.take_all(node.input.iter().chain(&node.output));
        }
        for body in nodes(&graph.node).flat_map(super::super::walk::bodies) {
            names.take_all(definitions(body));
        }
        names
    }

    /// What the graph itself defines.
    pub(super) fn defined(graph: &GraphProto) -> Self {
        let mut names = Self::default();
        names.take_all(definitions(graph));
        names
    }

    /// The wanted name, or one like it that is free; it is taken afterwards.
    pub(in super::super) fn fresh(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = self.taken.get(wanted).copied();
        while self.taken.contains_key(&name) {
            let next = number.map_or(2, |number| number + 1);
            number = Some(next);
            name = format!("{wanted}_{next}");
        }
        if let Some(number) = number {
            self.taken.insert(wanted.to_owned(), number);
        }
        self.taken.insert(name.clone(), 1);
        name
    }

    pub(super) fn take_all<'n>(&mut self, names: impl Iterator<Item = &'n String>) {
        for name in names {
            if !self.taken.contains_key(name) {
                self.taken.insert(name.clone(), 1);
            }
        }
    }
}

/// The names that a graph defines.
fn definitions(graph: &GraphProto) -> impl Iterator<Item = &String> {
    let inputs = graph.input.iter().filter_map(|input| input.name.as_ref());
    let initializers = graph.initializer.iter().filter_map(|tensor| tensor.name.as_ref());
    inputs.chain(initializers).chain(graph.node.iter().flat_map(|node| &node.output)).filter(|name| !name.is_empty())
}

/// New names for what a graph or function defines; what it does not define, the outer scope does.
#[derive(Debug, Default)]
pub(super) struct Scope<'o> {
    outer: Option<&'o Scope<'o>>,
    names: HashMap<String, String>,
}

impl Scope<'_> {
    /// A scope of its own, for a function.
    pub(super) fn new(names: HashMap<String, String>) -> Self {
        Self { outer: None, names }
    }

    fn rename(&self, name: &mut String) {
        let mut scope = Some(self);
        while let Some(current) = scope {
            if let Some(new) = current.names.get(name.as_str()) {
                new.clone_into(name);
                return;
            }
            scope = current.outer;
        }
    }

    fn rename_all(&self, infos: &mut [ValueInfoProto]) {
        infos.iter_mut().filter_map(|info| info.name.as_mut()).for_each(|name| self.rename(name));
    }
}

/// Renames what nodes take and make; every definition inside their graphs becomes unique.
pub(super) fn rename(nodes: &mut [NodeProto], scope: &Scope<'_>, names: &mut Names) {
    for node in nodes {
        node.input.iter_mut().chain(&mut node.output).for_each(|name| scope.rename(name));
        for body in bodies_mut(node) {
            let mut inner = Scope { outer: Some(scope), names: HashMap::new() };
            for name in definitions(body) {
                if !inner.names.contains_key(name) {
                    inner.names.insert(name.clone(), names.fresh(name));
                }
            }
            inner.rename_all(&mut body.input);
            inner.rename_all(&mut body.output);
            inner.rename_all(&mut body.value_info);
            body.initializer.iter_mut().filter_map(|tensor| tensor.name.as_mut()).for_each(|name| inner.rename(name));
            rename(&mut body.node, &inner, names);
        }
    }
}

/// Makes every name unique over the whole model, so that later steps need no scopes.
///
/// Branches of an `If` may use the same name for different tensors. Names of the main graph stay.
pub(super) fn make_unique(graph: &mut GraphProto) -> Names {
    let mut names = Names::defined(graph);
    rename(&mut graph.node, &Scope::default(), &mut names);
    names
}
