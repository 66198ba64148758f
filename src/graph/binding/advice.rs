//! The export call that would have kept names and values.

/// What to export with, for the exporter that a model names as its producer.
pub(super) fn export(producer: &str) -> &'static str {
    match producer.to_ascii_lowercase() {
        name if name.contains("jax") => {
            "export a trained checkpoint with `jax2onnx.to_onnx(function, inputs)`, its parameters passed as they were saved"
        }
        name if name.contains("tf2onnx") || name.contains("keras") || name.contains("tensorflow") => {
            "export a trained checkpoint with `model.export(\"model.onnx\", format=\"onnx\")` on Keras's jax backend, which folds nothing"
        }
        // TorchScript and dynamo both say `pytorch`.
        _ => {
            "export a trained checkpoint with `torch.onnx.export(model.eval(), args, \"model.onnx\", dynamo=True, optimize=False)` \
             or `dynamo=False, do_constant_folding=False`"
        }
    }
}
