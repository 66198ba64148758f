//! Graphs made by hand: the few fields of ONNX's protocol buffers that they need.

/// Element types, as ONNX numbers them.
pub(crate) const FLOAT: u64 = 1;
pub(crate) const INT64: u64 = 7;
pub(crate) const BOOL: u64 = 9;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn text(field: u64, content: &str) -> Vec<u8> {
    bytes(field, content.as_bytes())
}

/// A node with integer attributes.
pub(crate) fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, u64)]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| text(1, input)).collect();
    node.extend([text(2, output), text(3, output), text(4, operator)].concat());
    for (name, value) in attributes {
        node.extend(bytes(5, &[text(1, name), number(3, *value), number(20, 2)].concat()));
    }
    bytes(1, &node)
}

/// A weight with its value.
pub(crate) fn initializer(name: &str, element: u64, shape: &[usize], values: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = shape.iter().flat_map(|&size| number(1, size as u64)).collect();
    bytes(5, &[dims, number(2, element), text(8, name), bytes(9, values)].concat())
}

/// An input (field 11) or output (field 12) of floats: samples × width.
fn value(field: u64, name: &str, width: usize) -> Vec<u8> {
    let shape = [bytes(1, &text(2, "samples")), bytes(1, &number(1, width as u64))].concat();
    let tensor = [number(1, FLOAT), bytes(2, &shape)].concat();
    bytes(field, &[text(1, name), bytes(2, &bytes(1, &tensor))].concat())
}

/// A model with an input `input` and an output `logits`.
pub(crate) fn model(parts: &[Vec<u8>], input: usize, output: usize) -> Vec<u8> {
    let graph = [parts.concat(), text(2, "hand"), value(11, "input", input), value(12, "logits", output)].concat();
    [number(1, 8), text(2, "hand"), bytes(7, &graph), bytes(8, &[text(1, ""), number(2, 17)].concat())].concat()
}
