//! The bytes that sessions are made from.

use std::collections::BTreeSet;
use std::path::PathBuf;

use prost::Message;

use super::super::onnx::{GraphProto, ModelProto, ValueInfoProto};
use super::Model;
use super::input::take_values;
use super::prune::{prune, size};

/// A graph for a session, without the weights that the session is given.
#[derive(Clone, Debug)]
pub struct SessionGraph {
    /// The model that computes just what is asked for.
    pub bytes: Vec<u8>,
    /// The weights that must be given, in graph order: those to be fed that are needed.
    pub fed: Vec<String>,
}

/// The model file as it is, with more outputs.
#[derive(Clone, Debug)]
pub struct OriginalGraph {
    /// The model, its own weights in it or in files of `folder`.
    pub bytes: Vec<u8>,
    /// The taps that the file has, in the order given; others lie in functions, which are written out for replay.
    pub taps: Vec<String>,
    /// Where the files with its weights lie, if it has such.
    pub folder: Option<PathBuf>,
}

impl Model {
    /// The graph that computes taps and outputs and nothing else, without the values of the fed initializers.
    ///
    /// Other initializers keep their value. A model whose *other* weights pass 2 GB cannot be
    /// written; feed them their own values.
    #[must_use]
    pub fn session(&self, taps: &[&str], outputs: &[&str], fed: &BTreeSet<&str>) -> SessionGraph {
        self.session_of(self.graph.clone(), taps, outputs, fed)
    }

    /// As [`Model::session`], of a graph that was changed.
    pub(super) fn session_of(
        &self,
        mut graph: GraphProto,
        taps: &[&str],
        outputs: &[&str],
        fed: &BTreeSet<&str>,
    ) -> SessionGraph {
        let mut seen = BTreeSet::new();
        let wanted: Vec<&str> = taps.iter().chain(outputs).copied().filter(|name| seen.insert(*name)).collect();
        prune(&mut graph, &wanted);
        graph.output = wanted.iter().map(|name| self.output(name)).collect();
        let mut remaining = Vec::new();
        for tensor in &mut graph.initializer {
            // A tensor without elements has nothing to be fed.
            if let Some(bytes) = size(tensor).filter(|&bytes| bytes > 0 && fed.contains(tensor.name())) {
                remaining.push(tensor.name().to_owned());
                take_values(tensor, bytes);
            }
        }
        SessionGraph { bytes: self.encode(graph), fed: remaining }
    }

    /// The file as it is, with those taps as outputs that it has: functions may have been written out.
    ///
    /// Repeated parts of a message add up, so that appending is enough: the model is not encoded again.
    #[must_use]
    pub fn original(&self, taps: &[&str]) -> OriginalGraph {
        let present = taps.iter().copied().filter(|tap| self.original_tensors.contains(*tap));
        let taps: Vec<String> = present.map(str::to_owned).collect();
        let outputs = self.outputs();
        let missing = taps.iter().filter(|tap| !outputs.contains(&tap.as_str())).map(|tap| info(tap)).collect();
        let graph = GraphProto { output: missing, ..GraphProto::default() };
        let mut bytes = self.file.to_vec();
        bytes.extend(ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec());
        OriginalGraph { bytes, taps, folder: (!self.external.is_empty()).then(|| self.folder().to_owned()) }
    }

    /// An output as the graph describes it; a name is enough for others.
    fn output(&self, name: &str) -> ValueInfoProto {
        self.graph.output.iter().find(|output| output.name() == name).cloned().unwrap_or_else(|| info(name))
    }

    fn encode(&self, graph: GraphProto) -> Vec<u8> {
        ModelProto { graph: Some(graph), ..self.rest.clone() }.encode_to_vec()
    }
}

fn info(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: Some(name.to_owned()), ..ValueInfoProto::default() }
}
