//! The witness over HTTP: one address, `POST /add-checkpoint`.

use super::{Unsigned, Witness};
use crate::http::{self, BODY_MAX};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use eventlog::tlog::cosign::{PATH, REQUEST_BYTES_MAX, Refusal, SIZE_TYPE};
use std::sync::Arc;
use tokio::net::TcpListener;

const TEXT: &str = "text/plain; charset=utf-8";

/// Answers until `shutdown` is done, and then ends what has begun.
///
/// # Errors
/// When the limits of the server cannot be set up.
pub async fn serve(
    listener: TcpListener,
    witness: Witness,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let routes = Router::new().route(PATH, post(add)).with_state(Arc::new(witness));
    http::serve_routes(listener, routes, shutdown).await
}

async fn add(State(witness): State<Arc<Witness>>, request: Request) -> Response {
    let body = to_bytes(request.into_body(), REQUEST_BYTES_MAX);
    let body = match tokio::time::timeout(BODY_MAX, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let what = format!("the body is longer than {REQUEST_BYTES_MAX} bytes");
            return said(StatusCode::PAYLOAD_TOO_LARGE, TEXT, what);
        }
        Err(_) => {
            let what = format!("the body took longer than {} seconds", BODY_MAX.as_secs());
            return said(StatusCode::REQUEST_TIMEOUT, TEXT, what);
        }
    };
    // It waits for the disk.
    let judged = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
    match judged {
        Ok(Ok(lines)) => (StatusCode::OK, [(CONTENT_TYPE, TEXT)], lines).into_response(),
        Ok(Err(Unsigned::Refused(refusal))) => refused(&refusal),
        Ok(Err(Unsigned::NotKept(error))) => {
            tracing::error!(%error, "nothing is signed, since it cannot be kept");
            said(StatusCode::SERVICE_UNAVAILABLE, TEXT, "it cannot be kept here".to_owned())
        }
        Err(error) => {
            tracing::error!(%error, "a request was not judged to its end");
            said(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "something went wrong here".to_owned())
        }
    }
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    match refusal {
        Refusal::Stale(size) | Refusal::Split { size, .. } => {
            said(status, SIZE_TYPE, size.to_string())
        }
        _ => said(status, TEXT, refusal.to_string()),
    }
}

fn said(status: StatusCode, content_type: &'static str, what: String) -> Response {
    (status, [(CONTENT_TYPE, content_type)], what + "\n").into_response()
}
