//! `/documents/{sha256}`: PUT keeps a document under its hash, GET gives it back unchanged or not at all.

use super::problem::Problem;
use super::{Shared, request};
use crate::documents::{DOCUMENT_BYTES_MAX, Documents, Error, Put};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::kernel::canonical::Sha256Hex;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// The most documents that are held in memory at once.
pub const DOCUMENTS_AT_ONCE: usize = 8;
/// How long a caller may take for a document.
pub const DOCUMENT_MAX: Duration = Duration::from_secs(300);
/// What has this hash never changes. It may be confidential, so nobody in between keeps it.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::TooLarge => Self::own("http.too_large", error.to_string()),
            Error::Changed { .. } => Self::own("http.damaged", error.to_string()),
            Error::File { .. } | Error::Unavailable(_) | Error::Address(_) => {
                tracing::warn!(%error, "documents");
                let detail = "the documents cannot be read or written now; nothing was recorded";
                Self::own("http.unavailable", detail)
            }
        }
    }
}

fn store(shared: &Shared) -> Result<&Documents, Problem> {
    shared.documents.get().ok_or_else(|| {
        let detail = "this instance keeps no documents: it was started without --documents";
        Problem::own("http.not_found", detail)
    })
}

fn place(shared: &Shared) -> Result<SemaphorePermit<'_>, Problem> {
    let busy = |_| Problem::own("http.busy", "too many documents come and go");
    shared.moving.try_acquire().map_err(busy)
}

fn hash(path: Result<Path<String>, PathRejection>) -> Result<Sha256Hex, Problem> {
    let Path(text) = path.map_err(|error| Problem::own("http.bad_path", error.body_text()))?;
    text.parse().map_err(|error: &str| Problem::own("http.bad_path", error))
}

/// `GET /documents/{sha256}`.
pub(super) async fn read(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let store = store(&shared)?;
    let sha256 = hash(path)?;
    let _place = place(&shared)?;
    let none = || Problem::own("http.not_found", format!("there is no document {sha256}"));
    let document = store.get(sha256).await?.ok_or_else(none)?;
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        // Never shown in place: it is what somebody has sent.
        (CONTENT_DISPOSITION, "attachment".to_owned()),
        (CACHE_CONTROL, FOR_EVER.to_owned()),
        (ETAG, format!("\"{sha256}\"")),
    ];
    Ok((headers, document).into_response())
}

/// `PUT /documents/{sha256}`.
pub(super) async fn keep(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let store = store(&shared)?;
    let sha256 = hash(path)?;
    let declared = request::parsed::<u64>(&headers, "content-length")?;
    if declared.is_some_and(|length| length > DOCUMENT_BYTES_MAX as u64) {
        return Err(Error::TooLarge.into());
    }
    let _place = place(&shared)?;
    let document = receive(body).await?;
    let found = Sha256Hex::of(&document);
    if found != sha256 {
        let detail = format!("the body has the hash {found}, not {sha256}; it was not kept");
        return Err(Problem::own("http.other_hash", detail));
    }
    let bytes = document.len();
    let (_, put) = store.put(document).await?;
    let status = if put == Put::Already { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(json!({ "bytes": bytes, "put": put, "sha256": sha256 }))).into_response())
}

async fn receive(body: Body) -> Result<Bytes, Problem> {
    let received = axum::body::to_bytes(body, DOCUMENT_BYTES_MAX);
    let received = tokio::time::timeout(DOCUMENT_MAX, received).await;
    let too_slow = |_| Problem::own("http.too_slow", "the document did not come in time");
    received.map_err(too_slow)?.map_err(|error| {
        let text = error.into_inner().to_string();
        if text.contains("limit") {
            Error::TooLarge.into()
        } else {
            Problem::own("http.bad_body", text)
        }
    })
}
