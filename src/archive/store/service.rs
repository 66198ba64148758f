//! The kinds of stores, how their URLs start, and what helps when they refuse.

use std::error::Error;

use object_store::Error as StoreError;

use super::super::ArchiveError;

/// The longest reason that an error repeats from a server.
const LONGEST: usize = 300;

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    Google,
    Azure,
    Http,
}

impl Service {
    /// The service that a URL's scheme names.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Url`] for any other scheme.
    pub(super) fn of(url: &str) -> Result<Self, ArchiveError> {
        match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("s3") => Ok(Self::S3),
            Some("gs") => Ok(Self::Google),
            Some("az" | "abfs" | "abfss") => Ok(Self::Azure),
            Some("http" | "https") => Ok(Self::Http),
            _ => Err(ArchiveError::Url {
                url: url.to_owned(),
                reason: "needed one that starts with `s3://`, `gs://`, `az://`, `abfss://`, `https://` or `http://`"
                    .to_owned(),
            }),
        }
    }

    /// What a store's refusal means for who started the run.
    pub(super) fn failure(self, url: &str, error: &StoreError) -> ArchiveError {
        let url = url.to_owned();
        match error {
            StoreError::NotFound { .. } => ArchiveError::Missing { url },
            // Of a listing the crate does not tell that the bucket is not there.
            StoreError::Generic { source, .. } if source.to_string().contains("404 Not Found") => {
                ArchiveError::Missing { url }
            }
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => ArchiveError::Store {
                url,
                reason: "the store refused access".to_owned(),
                remedy: self.remedy().to_owned(),
            },
            other => ArchiveError::Store { url, reason: reason(other), remedy: self.remedy().to_owned() },
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::S3 => {
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SKIP_SIGNATURE=true for a public bucket), \
                 AWS_REGION, and for another service than Amazon's AWS_ENDPOINT_URL (with AWS_ALLOW_HTTP=true if it \
                 has no TLS)"
            }
            Self::Google => {
                "check GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT (GOOGLE_SKIP_SIGNATURE=true for a public \
                 bucket)"
            }
            Self::Azure => {
                "check AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY \
                 (AZURE_SKIP_SIGNATURE=true for a public container)"
            }
            Self::Http => "check the URL, and that the server answers requests for ranges of bytes",
        }
    }
}

/// What a server said, on one line, without the queries of URLs: they may hold signatures.
fn reason(error: &StoreError) -> String {
    let mut text = error.to_string();
    // The last cause is the one that says something; not every layer repeats it.
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let last = cause.to_string();
    if !text.contains(&last) {
        text = format!("{text}: {last}");
    }
    let words = text.split_whitespace().map(|word| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => address,
        _ => word,
    });
    let mut line = words.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_check_and_keep_signatures_to_themselves() {
        let source = "Error performing GET https://a.blob.core.windows.net/c/x?sig=secret in 1s\n<Code>Busy</Code>";
        let error = StoreError::Generic { store: "MicrosoftAzure", source: source.into() };
        let text = Service::Azure.failure("az://c/x", &error).to_string();
        assert!(!text.contains("secret") && !text.contains('\n') && text.contains("<Code>Busy"), "{text}");
        assert!(text.contains("`az://c/x`") && text.contains("AZURE_STORAGE_ACCOUNT_NAME"), "{text}");
        let text = Service::of("ftp://host/x").unwrap_err().to_string();
        assert!(text.contains("`ftp://host/x`") && text.contains("`s3://`"), "{text}");
    }
}
