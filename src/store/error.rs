use thiserror::Error;

/// Why an object store gave or took nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The URL names nothing that can be used.
    #[error("`{url}`: not a usable URL: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// What was found and what was needed.
        reason: String,
    },
    /// The store has nothing there.
    #[error("`{url}`: found no such object or bucket; check the URL, or copy the object back")]
    Missing {
        /// The object, or the prefix that was to be listed.
        url: String,
    },
    /// The store was reached, and says no.
    #[error("`{url}`: cannot {action}: {reason}; {remedy}")]
    Refused {
        /// The object, or the prefix that was to be listed.
        url: String,
        /// What was tried: `read` or `write`.
        action: &'static str,
        /// What the store said.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// No answer of use came from the store, however often it was asked: later there may be one.
    #[error(
        "`{url}`: cannot {action}: the store is out of reach: {reason}; run the same command again later, or {remedy}"
    )]
    Unreachable {
        /// The object, or the prefix that was to be listed.
        url: String,
        /// What was tried: `read` or `write`.
        action: &'static str,
        /// What the last attempt ended with.
        reason: String,
        /// What to check if it stays so.
        remedy: String,
    },
    /// An object is another one than at opening.
    #[error(
        "`{url}`: found another object than when it was opened; needed one that stays as it is; it was overwritten meanwhile, so run again once it is complete"
    )]
    Changed {
        /// The object.
        url: String,
    },
    /// An answer ended too early.
    #[error("`{url}`: found {found} of the {needed} bytes that were asked for; they are cut short; run again")]
    CutShort {
        /// The object.
        url: String,
        /// The bytes that came.
        found: u64,
        /// The bytes that were asked for.
        needed: u64,
    },
    /// An object is larger than the memory.
    #[error("`{url}`: found {bytes} bytes to load; needed as much free memory; use a larger machine or fewer threads")]
    Memory {
        /// The object.
        url: String,
        /// How many bytes were to be loaded at once.
        bytes: u64,
    },
    /// A copy on this machine cannot be written.
    #[error("`{path}`: cannot copy: {source}; TMPDIR names another disk to copy to")]
    Copy {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refused what a connection needs, or to read what is to be written.
    #[error("`{path}`: {source}")]
    System {
        /// The URL, or the file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl StoreError {
    /// Whether the same command may succeed later: the store did not answer, rather than said no.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
