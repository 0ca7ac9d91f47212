//! The Merkle tree of the log as strangers read it (c2sp.org/tlog-tiles): `/checkpoint` and `/tile/...`;
//! and `/proofs/{position}`, a proof of one commit that needs neither the log nor us (c2sp.org/tlog-proof).

use super::problem::Problem;
use super::{Shared, within};
use crate::proof::{ProofError, Prover};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use eventlog::tlog::tile::Tile;
use std::sync::Arc;

const TEXT: &str = "text/plain; charset=utf-8";
/// A tile never changes: a wider one has another address.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const NEVER: &str = "no-cache";

fn prover(shared: &Shared) -> Result<Arc<Prover>, Problem> {
    shared.prover.get().cloned().ok_or_else(|| {
        Problem::own("http.not_found", "this instance signs nothing: it was started without --key")
    })
}

fn failed(error: &ProofError) -> Problem {
    Problem::own("http.unavailable", error.to_string())
}

/// Signing writes to the disk, so it is done beside the threads that answer.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProofError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Problem::own("http.internal", error.to_string()))?;
    done.map_err(|error| failed(&error))
}

/// `GET /checkpoint`.
pub(super) async fn checkpoint(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let prover = prover(&shared)?;
    let (_, note) = apart(move || prover.checkpoint()).await?;
    Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NEVER)], note.to_string()).into_response())
}

/// `GET /tile/...`.
pub(super) async fn tile(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let prover = prover(&shared)?;
    let Path(path) = path.map_err(|error| Problem::own("http.bad_path", error.body_text()))?;
    let none = || Problem::own("http.not_found", "the tree has no such tile");
    let tile = Tile::parse(&format!("tile/{path}")).map_err(|_| none())?;
    let bytes = prover.tile(tile).await.map_err(|error| failed(&error))?.ok_or_else(none)?;
    let headers = [(CONTENT_TYPE, "application/octet-stream"), (CACHE_CONTROL, FOR_EVER)];
    Ok((headers, bytes).into_response())
}

/// `GET /proofs/{position}`.
pub(super) async fn proof(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<u64>, PathRejection>,
) -> Result<Response, Problem> {
    let prover = prover(&shared)?;
    let Path(position) = path.map_err(|error| Problem::own("http.bad_path", error.body_text()))?;
    let size = prover.size();
    let proof = prover.proof_of_stored(position).await.map_err(|error| failed(&error))?;
    let Some(proof) = proof else {
        within(position, size)?;
        return Err(Problem::own("http.not_found", format!("there is no position {position}")));
    };
    Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NEVER)], proof.to_string()).into_response())
}
