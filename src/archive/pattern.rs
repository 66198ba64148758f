//! A glob below a folder.

use globset::{Glob, GlobBuilder, GlobMatcher};

use super::ArchiveError;
use super::folder::is_checkpoint;
use super::layout::NESTED;

/// How deep `**` looks: deeper than anyone keeps checkpoints, and not for ever where links form a ring.
const ANY_DEPTH: usize = 16;

/// A path with wildcards, split where the first one is.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The longest folder without wildcards.
    pub(super) base: String,
    /// How many folders below it a checkpoint may lie.
    pub(super) depth: usize,
    glob: GlobMatcher,
    /// What the folders on the way to a match are called, as far as that is known.
    ways: Vec<GlobMatcher>,
}

impl Pattern {
    /// Splits the path that `whole`, the text of the pipeline file, ends with.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Pattern`] for a path that is no glob.
    pub(super) fn parse(whole: &str, path: &str) -> Result<Self, ArchiveError> {
        let wild = path.split('/').position(is_wild).unwrap_or_else(|| path.matches('/').count());
        let start = path.split('/').take(wild).map(|part| part.len() + 1).sum();
        let (base, rest) = path.split_at(start);
        let glob = matcher(rest)
            .map_err(|error| ArchiveError::Pattern { pattern: whole.to_owned(), reason: error.to_string() })?;
        let levels: Vec<usize> = rest.match_indices('/').map(|(place, _)| place).chain([rest.len()]).collect();
        let deep = rest.contains("**");
        // What braces hold may span levels: then every folder may be on the way.
        let ways = levels.iter().map_while(|&end| matcher(&rest[..end]).ok().filter(|_| !deep)).collect();
        // A pattern that a folder may match means the checkpoint in it.
        let inside = if is_checkpoint(rest) { 0 } else { NESTED + 1 };
        let depth = if deep { ANY_DEPTH } else { levels.len() - 1 + inside };
        let base = if base == "/" { base } else { base.trim_end_matches('/') };
        Ok(Self { base: base.to_owned(), depth, glob, ways })
    }

    /// Whether a path below the base matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.glob.is_match(path)
    }

    /// Whether a folder below the base may lead to a match.
    pub(super) fn enters(&self, folder: &str) -> bool {
        self.ways.get(folder.matches('/').count()).is_none_or(|way| way.is_match(folder))
    }
}

/// Whether a path or a part of one holds a wildcard.
pub(super) fn is_wild(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

fn matcher(glob: &str) -> Result<GlobMatcher, globset::Error> {
    GlobBuilder::new(glob).literal_separator(true).build().map(|glob: Glob| glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_on_the_way_to_a_match_are_entered() {
        let pattern = Pattern::parse("", "/runs/a/seed_*/checkpoint-[0-9]*").unwrap();
        assert_eq!((pattern.base.as_str(), pattern.depth), ("/runs/a", 4));
        assert!(pattern.enters("seed_1") && pattern.enters("seed_1/checkpoint-5"));
        assert!(pattern.enters("seed_1/checkpoint-5/default"), "inside a match everything counts");
        assert!(!pattern.enters("home") && !pattern.enters("seed_1/logs"));
        assert!(pattern.matches("seed_1/checkpoint-5") && !pattern.matches("seed_1/checkpoint-5/x"));
        let file = Pattern::parse("", "step-*.safetensors").unwrap();
        assert_eq!((file.base.as_str(), file.depth), ("", 0));
        assert!(Pattern::parse("", "**/x").unwrap().enters("any/where"));
        assert!(Pattern::parse("", "{a/b,c}/x*").unwrap().enters("any"));
        assert_eq!(Pattern::parse("", "/*").unwrap().base, "/");
        assert!(Pattern::parse("p", "a/[").unwrap_err().to_string().starts_with("`p`: not a valid glob"));
    }
}
