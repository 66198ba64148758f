//! Names of tensors, whatever framework wrote them.
//!
//! | framework | a weight | a normalization |
//! |---|---|---|
//! | PyTorch | `layers.0.fc.weight` | `bn.weight`, `bn.bias`, `bn.running_mean`, `bn.running_var` |
//! | Flax | `params/Dense_0/kernel` | `params/BatchNorm_0/scale`, `batch_stats/BatchNorm_0/mean` |
//! | Haiku | `mlp/~/linear_0/w` | `bn/~/scale`, `bn/~/offset` |
//! | Keras 3 | `sequential/dense/kernel` | `gamma`, `beta`, `moving_mean`, `moving_variance` |
//! | TensorFlow | `dense/kernel:0`, `dense/kernel/.ATTRIBUTES/VARIABLE_VALUE` | as Keras |
//!
//! Wrappers put `module.`, `model.`, `_orig_mod.` or `params/` in front.

/// What a tensor is to its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Weight,
    Bias,
    Mean,
    Variance,
}

/// How the last part of a name tells that a matrix is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Outputs first, as PyTorch: `[out, in]`, `[out, in, height, width]`.
    OutputsFirst,
    /// Outputs last, as Flax, Haiku and Keras: `[in, out]`, `[height, width, in, out]`.
    OutputsLast,
}

impl Order {
    /// The order of axes that makes this layout of the other one.
    pub(super) fn turned(self, axes: usize) -> Vec<usize> {
        match self {
            // [spatial…, in, out] becomes [out, in, spatial…].
            Self::OutputsFirst => [axes - 1, axes - 2].into_iter().chain(0..axes - 2).collect(),
            Self::OutputsLast => (2..axes).chain([1, 0]).collect(),
        }
    }
}

/// A name taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The path of the module, without what wrappers and collections put in front.
    pub module: Vec<String>,
    /// What the tensor is to its module, where the last part tells.
    pub role: Option<Role>,
    /// How the framework of this name lays out matrices.
    pub order: Option<Order>,
    /// The last part as it stands, for tensors of no known role.
    leaf: String,
}

const WRAPPERS: [&str; 9] =
    ["module", "model", "_orig_mod", "params", "batch_stats", "state", "state_dict", "variables", "~"];
const TAILS: [&str; 3] = [".ATTRIBUTES", "VARIABLE_VALUE", "value"];

impl Name {
    pub(super) fn new(text: &str) -> Self {
        let text = text.strip_suffix(":0").unwrap_or(text);
        // `.ATTRIBUTES` has a separator of its own in it.
        let text = text.replace("/.ATTRIBUTES/VARIABLE_VALUE", "");
        let mut parts: Vec<String> =
            text.split(['/', '.']).filter(|part| !part.is_empty() && *part != "~").map(str::to_owned).collect();
        while parts.len() > 1 && parts.last().is_some_and(|part| TAILS.contains(&part.as_str())) {
            parts.pop();
        }
        let leaf = parts.pop().unwrap_or_default();
        let wrappers = parts.iter().take_while(|part| WRAPPERS.contains(&part.as_str())).count();
        let module = parts.split_off(wrappers);
        let (role, order) = match leaf.as_str() {
            "weight" => (Some(Role::Weight), Some(Order::OutputsFirst)),
            "kernel" | "w" => (Some(Role::Weight), Some(Order::OutputsLast)),
            "scale" | "gamma" | "embedding" | "embeddings" => (Some(Role::Weight), None),
            "bias" | "beta" | "offset" | "b" => (Some(Role::Bias), None),
            "running_mean" | "moving_mean" | "mean" => (Some(Role::Mean), None),
            "running_var" | "moving_variance" | "var" | "variance" => (Some(Role::Variance), None),
            _ => (None, None),
        };
        Self { module, role, order, leaf }
    }

    /// Whether two names mean the same tensor in different styles.
    pub(super) fn means(&self, other: &Self) -> bool {
        let same_part = if self.role.is_some() { self.role == other.role } else { self.leaf == other.leaf };
        same_part && self.module == other.module
    }

    /// Whether two tensors belong to the same module.
    pub(super) fn beside(&self, other: &Self) -> bool {
        self.module == other.module
    }

    /// Whether the tensor lies in the module of just this path.
    pub(super) fn is_in(&self, module: &str) -> bool {
        module_path(module).eq(self.module.iter().map(String::as_str))
    }

    /// Whether the tensor lies in the module of this path, which may lack outer parts, or have more of them.
    pub(super) fn lies_in(&self, module: &str) -> bool {
        let path: Vec<&str> = module_path(module).collect();
        let shared = path.len().min(self.module.len());
        shared > 0 && path[path.len() - shared..] == self.module[self.module.len() - shared..]
    }

    /// How many parts two names share, counted from the end, and in any place.
    pub(super) fn likeness(&self, other: &Self) -> usize {
        let tail = self.module.iter().rev().zip(other.module.iter().rev()).take_while(|(a, b)| a == b).count();
        let anywhere = self.module.iter().filter(|part| other.module.contains(part)).count();
        let same_role = self.role.is_some() && self.role == other.role || self.leaf == other.leaf;
        if tail + anywhere == 0 { 0 } else { 2 * tail + anywhere + usize::from(same_role) }
    }
}

fn module_path(module: &str) -> impl Iterator<Item = &str> {
    module.split(['/', '.']).filter(|part| !WRAPPERS.contains(part) && !part.is_empty())
}

/// Why a tensor of this name does not matter to what the network computes, if its name tells.
pub(super) fn bystander(name: &str) -> Option<&'static str> {
    let parts: Vec<&str> = name.split(['/', '.']).collect();
    let any = |known: &[&str]| parts.iter().any(|part| known.contains(part));
    if any(&["num_batches_tracked"]) {
        return Some("counts batches; evaluation does not use it");
    }
    let of_optimizer =
        ["optimizer", "opt_state", "optimizer_state", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer"];
    any(&of_optimizer).then_some("state of the optimizer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_frameworks_are_taken_apart() {
        for (text, module, role) in [
            ("module.layers.0.fc.weight", "layers.0.fc", Role::Weight),
            ("_orig_mod.model.fc.bias", "fc", Role::Bias),
            ("params/Dense_0/kernel", "Dense_0", Role::Weight),
            ("batch_stats/BatchNorm_0/mean", "BatchNorm_0", Role::Mean),
            ("mlp/~/linear_0/w", "mlp.linear_0", Role::Weight),
            ("sequential/dense/kernel:0", "sequential.dense", Role::Weight),
            ("dense/bias/.ATTRIBUTES/VARIABLE_VALUE", "dense", Role::Bias),
            ("bn.running_var", "bn", Role::Variance),
        ] {
            let name = Name::new(text);
            assert_eq!((name.module.join("."), name.role), (module.to_owned(), Some(role)), "{text}");
        }
    }

    #[test]
    fn styles_of_one_tensor_mean_the_same() {
        assert!(Name::new("model.fc1.weight").means(&Name::new("params/fc1/kernel")));
        assert!(!Name::new("fc1.weight").means(&Name::new("fc1.bias")));
        assert!(!Name::new("layers.1.weight").means(&Name::new("layers.11.weight")));
        assert!(Name::new("model.encoder.norm1.weight").lies_in("encoder.norm1"));
        assert!(Name::new("norm1.weight").lies_in("encoder.norm1"));
        assert!(!Name::new("encoder.norm1.weight").lies_in("encoder.norm11"));
    }

    #[test]
    fn bystanders_are_told_by_their_names() {
        assert!(bystander("bn.num_batches_tracked").is_some());
        assert!(bystander("opt_state/0/mu/params/Dense_0/kernel").is_some());
        assert!(bystander("fc.weight").is_none());
    }
}
