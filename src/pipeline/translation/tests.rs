use std::path::Path;

use ndarray::IxDyn;

use super::*;

/// The translation of a graph that ships with the repository, with its own weights.
fn translation(model: &str, output: &str) -> Result<Translation, String> {
    let model = Model::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(model)).unwrap();
    Translation::of(&model, output, &|name| {
        let own = model.initializers().into_iter().find(|own| own.name == name)?;
        ArrayD::from_shape_vec(IxDyn(&own.shape), own.values()?.doubles()).ok()
    })
}

fn output(model: &str) -> String {
    let model = Model::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(model)).unwrap();
    model.outputs()[0].to_owned()
}

#[test]
fn graphs_of_known_operators_are_translated() {
    for (model, first, layers) in [
        ("digits/model.onnx", "conv1.weight", 4),
        ("mnist/model.onnx", "conv1.weight", 5),
        ("tanh/model.onnx", "fc1.weight", 6),
        ("fashion-phases/model.onnx", "conv1.weight", 6),
        ("zoo/conv-bn/torchscript-unfolded.onnx", "conv1.weight", 4),
        ("zoo/keras-torch/keras.onnx", "onnx::Conv_180", 4),
    ] {
        let found = translation(model, &output(model)).unwrap_or_else(|reason| panic!("{model}: {reason}"));
        assert_eq!(found.ending, Ending::Logits, "{model}");
        let with_weights = |step: &&Step| matches!(step.operation, Operation::Linear(_) | Operation::Convolution(..));
        assert_eq!(found.steps.iter().filter(with_weights).count(), found.layers.len(), "{model}");
        assert_eq!((found.layers.len(), found.layers[0][0].as_str()), (layers, first), "{model}");
    }
}

#[test]
fn an_addition_behind_a_product_and_a_cast_is_its_intercepts() {
    let found = translation("zoo/keras-torch/keras.onnx", &output("zoo/keras-torch/keras.onnx")).unwrap();
    assert_eq!(found.layers[2], ["onnx::MatMul_251", "onnx::Add_252"]);
    let Some(Step { operation: Operation::Linear(last), .. }) = found.steps.last() else { panic!("{found:?}") };
    assert_eq!((last.weights.dim(), last.intercepts.as_ref().map(ndarray::ArrayBase::len)), ((16, 10), Some(10)));
}

#[test]
fn other_operators_are_refused_with_their_node() {
    let reason = translation("zoo/mlp/torchscript.onnx", &output("zoo/mlp/torchscript.onnx")).unwrap_err();
    assert!(reason.contains("is `LayerNormalization`: gradients are taken through Gemm"), "{reason}");
    assert!(reason.contains("`layers = \"last\"`"), "{reason}");
    let reason = translation("zoo/lstm/torchscript.onnx", &output("zoo/lstm/torchscript.onnx")).unwrap_err();
    assert!(reason.contains("is `ConstantOfShape`"), "{reason}");
    let reason = translation("digits/model.onnx", "no such tensor").unwrap_err();
    assert!(reason.contains("no layer with weights that leads to `no such tensor`"), "{reason}");
}
