//! Which of the files in a folder are checkpoints: the same rules for a disk and an object store.
//!
//! | layout | example |
//! |---|---|
//! | flat | `step-000123.safetensors`, `epoch=3-step=120.safetensors` |
//! | a folder for each step | `checkpoint-500/model.safetensors`, `step1000/model.safetensors.index.json` |
//! | folders in it, at most two levels | `1000/default/params.safetensors` |
//! | a folder of nothing but such a series | `revisions/step1000/...`, `version_0/checkpoints/...` |
//!
//! Where a folder has an index, that is its checkpoint. Names with a leading dot and those of
//! unfinished files (`tmp-...`, `*.tmp`, `*.lock`) are left out before.

use std::collections::BTreeMap;

use super::folder::{is_index, is_safetensors};
use super::pattern::Pattern;
use super::{ArchiveError, step};

/// How many folders deep the checkpoint of a step may lie in the folder of that step.
pub(super) const NESTED: usize = 2;
/// How many folders deep a folder is looked through: two that hold only the series, that of a step,
/// and those in it.
pub(super) const DEEPEST: usize = 3 + NESTED;

/// The checkpoint files of a folder by their path in the folder that names are relative to.
#[derive(Debug, Default)]
pub(super) struct Folder {
    path: String,
    files: Vec<String>,
    folders: BTreeMap<String, Folder>,
}

impl Folder {
    /// Sorts names into folders.
    pub(super) fn of(names: Vec<String>) -> Self {
        let mut root = Self::default();
        for name in names {
            let mut folder = &mut root;
            for (end, _) in name.match_indices('/') {
                let part = name[folder.path.len()..end].trim_start_matches('/').to_owned();
                folder = folder.folders.entry(part).or_default();
                name[..end].clone_into(&mut folder.path);
            }
            folder.files.push(name);
        }
        root
    }

    /// The checkpoints of a folder: its files, and those of the folders in it.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Ambiguous`] for the folder of a step that holds several, and when there is
    /// nothing but several such folders.
    pub(super) fn series(&self) -> Result<Vec<String>, ArchiveError> {
        let mut found: Vec<String> = self.own().into_iter().cloned().collect();
        let is_whole = self.index().is_some();
        let mut others = Vec::new();
        for (name, folder) in &self.folders {
            match folder.single()? {
                // Beside an index lie other forms of the same weights, unless they are those of a step.
                Single::One(_) if is_whole && step::of_folder(name).is_none() => {}
                Single::One(checkpoint) => found.push(checkpoint.to_owned()),
                Single::Several => others.push(folder),
                Single::None => {}
            }
        }
        match (found.is_empty(), others.as_slice()) {
            (true, [only]) => only.series(),
            (true, [first, ..]) => Err(first.ambiguous()),
            // Folders of other things, such as recorded activations, lie beside the checkpoints.
            _ => Ok(found),
        }
    }

    /// The checkpoints whose own path or that of whose folder matches.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Ambiguous`] as for [`Folder::series`].
    pub(super) fn matching(&self, glob: &Pattern) -> Result<Vec<String>, ArchiveError> {
        let (mut found, mut others) = (Vec::new(), Vec::new());
        self.collect(glob, &mut found, &mut others)?;
        found.sort();
        found.dedup();
        match (found.is_empty(), others.first()) {
            (true, Some(first)) => Err(first.ambiguous()),
            _ => Ok(found),
        }
    }

    fn collect<'a>(
        &'a self,
        glob: &Pattern,
        found: &mut Vec<String>,
        others: &mut Vec<&'a Self>,
    ) -> Result<(), ArchiveError> {
        for file in self.files.iter().filter(|file| glob.matches(file)) {
            // A shard stands for the whole checkpoint that its index joins.
            let index = self.index().filter(|_| is_shard(file));
            found.push(index.unwrap_or(file).clone());
        }
        for folder in self.folders.values() {
            if glob.matches(&folder.path) {
                match folder.single()? {
                    Single::One(checkpoint) => found.push(checkpoint.to_owned()),
                    Single::Several => others.push(folder),
                    Single::None => {}
                }
            }
            folder.collect(glob, found, others)?;
        }
        Ok(())
    }

    /// The one checkpoint that a folder is.
    fn single(&self) -> Result<Single<'_>, ArchiveError> {
        match self.within(NESTED).as_slice() {
            [] => Ok(Single::None),
            [one] => Ok(Single::One(one)),
            _ if step::of_folder(self.name()).is_some() => Err(self.ambiguous()),
            _ => Ok(Single::Several),
        }
    }

    /// The folder's own checkpoints, or where it has none those in the folders below.
    fn within(&self, depth: usize) -> Vec<&String> {
        let own = self.own();
        if own.is_empty() && depth > 0 {
            return self.folders.values().flat_map(|folder| folder.within(depth - 1)).collect();
        }
        own
    }

    /// The indexes in the folder, or where there is none its files.
    fn own(&self) -> Vec<&String> {
        let indexes: Vec<&String> = self.files.iter().filter(|file| is_index(file)).collect();
        if indexes.is_empty() { self.files.iter().filter(|file| is_safetensors(file)).collect() } else { indexes }
    }

    /// The only index in the folder.
    fn index(&self) -> Option<&String> {
        let mut indexes = self.files.iter().filter(|file| is_index(file));
        indexes.next().filter(|_| indexes.next().is_none())
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn ambiguous(&self) -> ArchiveError {
        let within = self.within(NESTED);
        let inside: Vec<&str> = within.iter().map(|name| name[self.path.len() + 1..].as_ref()).collect();
        let named: Vec<String> = inside.iter().take(3).map(|name| format!("`{name}`")).collect();
        let more = if inside.len() > named.len() { ", ..." } else { "" };
        // What helps for one step helps for all; a folder that is no step's may be a series of its own.
        let example = match self.path.rsplit_once('/') {
            _ if step::of_folder(self.name()).is_none() => self.path.clone(),
            Some((parent, _)) => format!("{parent}/*/{}", likeliest(&inside)),
            None => format!("*/{}", likeliest(&inside)),
        };
        let found = format!("{} safetensors files ({}{more})", inside.len(), named.join(", "));
        ArchiveError::Ambiguous { folder: self.path.clone(), found, example }
    }
}

/// The file that most tools give a model's weights, or else the first; shards need an index.
fn likeliest<'a>(files: &[&'a str]) -> &'a str {
    let usual = files.iter().find(|file| file.ends_with("model.safetensors") && !file.contains("adapter"));
    let first = files.first().copied().unwrap_or_default();
    usual.copied().unwrap_or(if is_shard(first) { "model.safetensors.index.json" } else { first })
}

/// How many checkpoints a folder is.
enum Single<'a> {
    None,
    One(&'a str),
    Several,
}

/// Whether a file is one of several by its name, such as `model-00001-of-00002.safetensors`.
fn is_shard(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.contains("-of-") && is_safetensors(name)
}
