//! `tranche relay`: the events of a log over NATS, one by one, for other systems.

use super::failure::Failure;
use super::out::{Out, say};
use super::source::{Place, Source};
use clap::Args;
use eventlog::Nats;
use std::sync::Arc;
use tranche::http::told_to_stop;
use tranche::relay::{Error, Metrics, Relay, run};

/// What `tranche relay` is told.
#[derive(Args, Debug)]
pub struct RelayArgs {
    /// Up to the head of the log as it is now, then end
    #[arg(long)]
    once: bool,
    /// Delete what was relayed, and begin at position 1
    #[arg(long)]
    rebuild: bool,
}

/// Relays until told to stop.
pub async fn relay(source: &Source, args: &RelayArgs, json: bool) -> Result<(), Failure> {
    let Place::Nats { stream, .. } = source.required()? else {
        let what = "the relay needs a log over NATS: --log nats://HOST/STREAM";
        return Err(Failure::Usage(what.to_owned()));
    };
    let log = Arc::new(Nats::open_read_only(&stream).await?);
    let metrics = Metrics::new().map_err(|error| unavailable(&error))?;
    let relay = Relay::new(log.wire(), stream.replicas, log.clone(), metrics);
    if args.rebuild {
        relay.delete().await?;
    }
    if !args.once {
        let failure = |error| Failure::File { what: "signals".to_owned(), error };
        let stop = told_to_stop().map_err(failure)?;
        say(format_args!("relaying to {}.events.>", stream.stream));
        return Ok(run(&relay, stop).await?);
    }
    let done = relay.once().await?;
    let mut out = Out::stdout();
    if json {
        out.json(&serde_json::json!({ "events": done.events, "position": done.position }))?;
    } else {
        out.line(format_args!("relayed {} events, up to position {}", done.events, done.position))?;
    }
    out.finish()
}

fn unavailable(why: &impl ToString) -> Failure {
    eventlog::Error::Unavailable(why.to_string()).into()
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Log(error) | Error::Settings(error) => error.into(),
            Error::TooLarge { .. } => unavailable(&error),
            other => Self::Corrupt(other.to_string()),
        }
    }
}
