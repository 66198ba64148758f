//! Which module of the network a node came from, as far as its exporter tells.

use super::onnx::NodeProto;

/// What PyTorch calls a node that belongs to no module.
const NO_MODULE: &str = "_empty_nn_module_stack_from_metadata_hook";

/// The path of the innermost module, such as `layers.0.attn`; none for nodes of no submodule.
///
/// PyTorch's exporter lists the modules in the node's metadata. Others write them into the node's
/// name, before the operator: `/layers.0/attn/MatMul`, or `model/dense/MatMul` from TensorFlow.
pub(super) fn module_of(node: &NodeProto) -> Option<String> {
    let scopes = node.metadata_props.iter().find(|entry| entry.key() == "pkg.torch.onnx.name_scopes");
    let path = match scopes {
        Some(scopes) => {
            let mut names = text_list(scopes.value());
            names.pop();
            names.into_iter().rfind(|name| !name.is_empty() && name != NO_MODULE)?
        }
        None => path_of(node.name()),
    };
    (!path.is_empty()).then_some(path)
}

/// The elements of a list as Python prints it: `['', 'layers.0', 'linear']`.
fn text_list(text: &str) -> Vec<String> {
    let mut elements = Vec::new();
    let mut letters = text.chars();
    while let Some(quote) = letters.find(|letter| matches!(letter, '\'' | '"')) {
        let mut element = String::new();
        while let Some(letter) = letters.next().filter(|&letter| letter != quote) {
            element.extend(if letter == '\\' { letters.next() } else { Some(letter) });
        }
        elements.push(element);
    }
    elements
}

/// The modules in a node's name, joined by dots.
///
/// TorchScript repeats the name of a sequence before each of its parts: `/layer2/layer2.0/conv/Conv`.
fn path_of(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let Some((scopes, _)) = name.rsplit_once('/') else { return String::new() };
    for scope in scopes.split('/').filter(|scope| !scope.is_empty() && !scope.starts_with("StatefulPartitionedCall")) {
        if parts.last().is_some_and(|last| scope.strip_prefix(last).is_some_and(|rest| rest.starts_with('.'))) {
            parts.pop();
        }
        parts.push(scope);
    }
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::onnx::StringStringEntryProto;

    #[test]
    fn names_of_nodes_tell_the_module() {
        for (name, module) in [
            ("/layers.0/attn/MatMul_1", Some("layers.0.attn")),
            ("/layer2/layer2.0/short/short.0/Conv", Some("layer2.0.short.0")),
            ("/features/features.3/Relu", Some("features.3")),
            ("StatefulPartitionedCall/model/dense_1/MatMul", Some("model.dense_1")),
            ("/Relu", None),
            ("node_linear", None),
            ("", None),
        ] {
            let node = NodeProto { name: Some(name.to_owned()), ..NodeProto::default() };
            assert_eq!(module_of(&node).as_deref(), module, "{name}");
        }
    }

    #[test]
    fn metadata_tell_the_module_first() {
        for (scopes, module) in [
            ("['', 'layers.0', 'layers.0.qkv', 'linear']", Some("layers.0.qkv")),
            ("['', 'add_3']", None),
            (r#"["it's", 'linear']"#, Some("it's")),
            ("['_empty_nn_module_stack_from_metadata_hook', 'sym_size_int_1']", None),
            ("['unfinished", None),
            ("", None),
        ] {
            let entry = StringStringEntryProto {
                key: Some("pkg.torch.onnx.name_scopes".to_owned()),
                value: Some(scopes.to_owned()),
            };
            let node =
                NodeProto { name: Some("/other/Add".to_owned()), metadata_props: vec![entry], ..NodeProto::default() };
            assert_eq!(module_of(&node).as_deref(), module, "{scopes}");
        }
    }
}
