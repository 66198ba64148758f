//! The kinds of stores, how their URLs start, and what helps when they refuse.

use std::error::Error;

use object_store::Error as Answer;
use object_store::client::{HttpError, HttpErrorKind};

use super::StoreError;

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
    /// [`StoreError::Url`] for any other scheme.
    pub(super) fn of(url: &str) -> Result<Self, StoreError> {
        match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("s3") => Ok(Self::S3),
            Some("gs") => Ok(Self::Google),
            Some("az" | "abfs" | "abfss") => Ok(Self::Azure),
            Some("http" | "https") => Ok(Self::Http),
            _ => Err(StoreError::Url {
                url: url.to_owned(),
                reason: "needed one that starts with `s3://`, `gs://`, `az://`, `abfss://`, `https://` or `http://`"
                    .to_owned(),
            }),
        }
    }

    /// What a store's refusal of an `action` means for who started the run.
    pub(super) fn failure(self, url: &str, action: &'static str, error: &Answer) -> StoreError {
        let (url, remedy) = (url.to_owned(), self.remedy().to_owned());
        match error {
            Answer::NotFound { .. } => StoreError::Missing { url },
            // Of a listing the crate does not tell that the bucket is not there.
            Answer::Generic { source, .. } if source.to_string().contains("404 Not Found") => {
                StoreError::Missing { url }
            }
            Answer::PermissionDenied { .. } | Answer::Unauthenticated { .. } => {
                StoreError::Refused { url, action, reason: "the store refused access".to_owned(), remedy }
            }
            other if is_out_of_reach(other) => StoreError::Unreachable { url, action, reason: reason(other), remedy },
            other => StoreError::Refused { url, action, reason: reason(other), remedy },
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

/// Whether no answer came, or one that says that the server is at fault.
fn is_out_of_reach(error: &Answer) -> bool {
    let kinds = [HttpErrorKind::Connect, HttpErrorKind::Request, HttpErrorKind::Timeout, HttpErrorKind::Interrupted];
    // The crate keeps the status to itself. What a server does not implement (501), it will not tomorrow.
    let statuses = ["500", "502", "503", "504", "429", "408"].map(|status| format!("status code: {status}"));
    transport(error).is_some_and(|kind| kinds.contains(&kind))
        || causes(error).any(|cause| {
            let text = cause.to_string();
            statuses.iter().any(|status| text.contains(status))
        })
}

/// Whether a request may have been carried out, and only its answer was lost.
pub(super) fn was_cut(error: &Answer) -> bool {
    transport(error).is_some_and(|kind| [HttpErrorKind::Timeout, HttpErrorKind::Interrupted].contains(&kind))
}

/// What happened to the connection, if that was at fault.
fn transport(error: &Answer) -> Option<HttpErrorKind> {
    causes(error).find_map(|cause| cause.downcast_ref::<HttpError>().map(HttpError::kind))
}

/// An error, its cause, and so on.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause: &&'e (dyn Error + 'static)| cause.source())
}

/// What a server said, on one line, without the queries of URLs: they may hold signatures.
fn reason(error: &Answer) -> String {
    let mut text = error.to_string();
    // The last cause is the one that says something; not every layer repeats it.
    let last = causes(error).last().map(ToString::to_string).unwrap_or_default();
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
        let error = Answer::Generic { store: "MicrosoftAzure", source: source.into() };
        let text = Service::Azure.failure("az://c/x", "read", &error).to_string();
        assert!(!text.contains("secret") && !text.contains('\n') && text.contains("<Code>Busy"), "{text}");
        assert!(text.contains("`az://c/x`") && text.contains("AZURE_STORAGE_ACCOUNT_NAME"), "{text}");
        let status = |status: &str| {
            let source = format!("Server returned non-2xx status code: {status}: ");
            Service::S3.failure("s3://b/x", "write", &Answer::Generic { store: "S3", source: source.into() })
        };
        assert!(status("503 Service Unavailable").is_unreachable());
        assert!(!status("501 Not Implemented").is_unreachable());
        let text = Service::of("ftp://host/x").unwrap_err().to_string();
        assert!(text.contains("`ftp://host/x`") && text.contains("`s3://`"), "{text}");
    }
}
