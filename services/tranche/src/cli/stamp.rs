//! `tranche proof timestamp`: RFC 3161, over HTTP or with files that are carried.

use super::failure::Failure;
use super::out::{Out, told};
use super::source::Source;
use super::tree::TreeArgs;
use clap::Args;
use std::path::PathBuf;
use tranche::post::post;
use tranche::proof::stamp::{self, Kept, QUERY_TYPE, REPLY_BYTES_MAX, REPLY_TYPE, StampError};

/// Holds the arguments of `tranche proof timestamp`.
#[derive(Args)]
pub struct StampArgs {
    #[command(flatten)]
    tree: TreeArgs,
    #[command(flatten)]
    way: Way,
}

/// How request and reply travel.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Way {
    /// Asks the authority at this address, http://...
    #[arg(long, value_name = "URL")]
    tsa: Option<String>,
    /// Writes the request (.tsq) to this file, to be carried to the authority
    #[arg(long, value_name = "FILE")]
    request_out: Option<PathBuf>,
    /// Takes the reply (.tsr) that was brought back in this file
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
}

/// Does it.
pub async fn stamp(source: &Source, args: &StampArgs, json: bool) -> Result<(), Failure> {
    let prover = args.tree.open(source).await?;
    let shelf = prover.shelf();
    let (begun, reply) = if let Some(path) = &args.way.reply {
        (None, std::fs::read(path).map_err(|error| Failure::file(path, error))?)
    } else {
        let begun = stamp::begin(shelf, &prover.checkpoint()?.1)?;
        let request = begun.query.to_der();
        let Some(url) = &args.way.tsa else {
            let mut out = Out::to(args.way.request_out.as_deref())?;
            out.bytes(&request)?;
            return out.finish();
        };
        let answer = post(url, QUERY_TYPE, request, REPLY_BYTES_MAX).await?;
        if (answer.status, answer.content_type.as_str()) != (200, REPLY_TYPE) {
            let (status, kind) = (answer.status, answer.content_type);
            let why = format!("answered {status} with {kind:?}, not with a timestamp");
            return Err(Failure::File { what: url.clone(), error: std::io::Error::other(why) });
        }
        (Some(begun), answer.body.to_vec())
    };
    let Kept { begun, reply, time } = stamp::finish(shelf, begun, &reply)?;
    let (checkpoint, request) = (begun.checkpoint.display(), begun.request.display());
    let text = format!(
        "stamped at {time}: {reply}\n\
         the signature is for openssl to verify:\n  \
         openssl ts -verify -queryfile {request} -in {reply} -CAfile CA.pem\n  \
         openssl ts -verify -data {checkpoint} -in {reply} -CAfile CA.pem",
        reply = reply.display()
    );
    told(json, &text, || {
        serde_json::json!({
            "checkpoint": checkpoint.to_string(),
            "reply": reply.display().to_string(),
            "request": request.to_string(),
            "time": time,
        })
    })
}

impl From<StampError> for Failure {
    fn from(error: StampError) -> Self {
        match error {
            StampError::Proof(error) => error.into(),
            error => Self::Found(error.to_string()),
        }
    }
}
