//! The training step that a checkpoint's name tells.

/// Words that announce a training step, the most telling first.
const KEYWORDS: [&str; 9] = ["global_step", "step", "iteration", "iter", "checkpoint", "ckpt", "batch", "epoch", "ep"];

/// File stems that say nothing about the step: the folder's name counts instead.
const GENERIC: [&str; 9] = [
    "model",
    "pytorch_model",
    "weights",
    "adapter_model",
    "diffusion_pytorch_model",
    "flax_model",
    "tf_model",
    "params",
    "consolidated",
];

/// The step that the name of a checkpoint tells, or none.
///
/// In the file's name a number after one of the keywords wins (`epoch=3-step=120` is 120), then a
/// number of its own at the end (`model_000500`).
/// Where the file's name says nothing the folders count, the nearest first: `checkpoint-500/model.safetensors`.
/// They count before a number at the end of such a name, too: `step_500/model_1.safetensors` is a second model.
/// A number with letters or a decimal point beside it (`step-10k`, `fp16`, `0.1`) is not taken.
#[must_use]
pub fn from_name(relative: &str) -> Option<u64> {
    let trimmed = relative.trim_end_matches(".index.json").trim_end_matches(".safetensors");
    let mut parts = trimmed.rsplit('/');
    let file = parts.next().unwrap_or_default();
    let in_file = if is_generic(file) { None } else { from_part(file) };
    let mut in_folders = || parts.find_map(of_folder);
    let stem = file.trim_end_matches(|letter: char| letter.is_ascii_digit()).trim_end_matches(['-', '_']);
    if is_generic(stem) { in_folders().or(in_file) } else { in_file.or_else(in_folders) }
}

/// The step that a folder's name tells: only if it says so, or is nothing but a number, since `seed_1` is no step.
pub(super) fn of_folder(folder: &str) -> Option<u64> {
    let lower = folder.to_ascii_lowercase();
    KEYWORDS.iter().find_map(|keyword| after_keyword(&lower, keyword)).or_else(|| folder.parse().ok())
}

fn is_generic(part: &str) -> bool {
    GENERIC.contains(&part) || part.contains("-of-")
}

fn from_part(part: &str) -> Option<u64> {
    let lower = part.to_ascii_lowercase();
    KEYWORDS.iter().find_map(|keyword| after_keyword(&lower, keyword)).or_else(|| at_end(&lower))
}

/// The number behind the last occurrence of a keyword that is a word of its own.
fn after_keyword(part: &str, keyword: &str) -> Option<u64> {
    part.rmatch_indices(keyword).find_map(|(place, _)| {
        let starts_word = !part[..place].ends_with(|letter: char| letter.is_ascii_alphabetic());
        let rest = &part[place + keyword.len()..];
        let rest = rest.strip_prefix(['-', '_', '=', '.', ' ']).unwrap_or(rest);
        if starts_word { leading_number(rest) } else { None }
    })
}

fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let runs_on = rest.starts_with(|letter: char| letter.is_alphanumeric())
        || rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
    if runs_on { None } else { digits.parse().ok() }
}

fn at_end(part: &str) -> Option<u64> {
    let start = part.rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |place| place + 1);
    // `fp16`, `v2` and `resnet50` end in digits that count nothing; `0.1` and `2024-05-17` are other numbers.
    let before = part[..start].strip_suffix(['-', '_', '=']);
    let alone = start == 0 || before.is_some_and(|before| !before.ends_with(|letter: char| letter.is_ascii_digit()));
    if alone { part[start..].parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::from_name;

    #[test]
    fn names_that_people_use_tell_their_step() {
        for (name, step) in [
            ("step-000123.safetensors", 123),
            ("checkpoint-500/model.safetensors", 500),
            ("epoch=3-step=120.safetensors", 120),
            ("global_step1000/model.safetensors.index.json", 1000),
            ("iter_0000100/model-00001-of-00002.safetensors", 100),
            ("ckpt_12.safetensors", 12),
            ("model_000500.safetensors", 500),
            ("000500.safetensors", 500),
            ("run7/step1000/weights.safetensors", 1000),
            ("500/model.safetensors", 500),
            ("seed1/weights_20.safetensors", 20),
            ("epoch-03.safetensors", 3),
            ("step_40.v2.safetensors", 40),
            ("resnet50-step20.safetensors", 20),
            ("step_500/model_1.safetensors", 500),
            ("1000/default/params.safetensors", 1000),
            ("step1000-tokens4B/model.safetensors", 1000),
            ("version_0/checkpoints/epoch=3-step=120.safetensors", 120),
            ("checkpoint-500/pytorch_model-00001-of-00002.safetensors", 500),
        ] {
            assert_eq!(from_name(name), Some(step), "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_steps_are_not_taken() {
        for name in [
            "step-10k.safetensors",
            "model.safetensors",
            "lr-0.1.safetensors",
            "final.safetensors",
            "footstep9x.safetensors",
            "model-fp16.safetensors",
            "best_v2.safetensors",
            "resnet50/final.safetensors",
            "seed_1/model.safetensors",
            "run-2024-05-17.safetensors",
            "models--org--name/snapshots/1a2b3c4d/model.safetensors",
            "checkpoints/final.safetensors",
        ] {
            assert_eq!(from_name(name), None, "{name}");
        }
    }
}
