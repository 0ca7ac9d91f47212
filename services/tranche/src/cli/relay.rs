//! `tranche relay`: the events of a log over NATS, one by one, for other systems.

use super::failure::Failure;
use super::source::Source;
#[cfg(feature = "nats")]
use super::{out::Out, source::LogPlace, words::say};
use clap::Args;
#[cfg(feature = "nats")]
use eventlog::Nats;
#[cfg(feature = "nats")]
use std::sync::Arc;
#[cfg(feature = "nats")]
use tranche::{
    http::told_to_stop,
    relay::{Metrics, Relay, RelayError, run},
};

/// Holds the arguments of `tranche relay`.
#[derive(Args, Debug)]
pub struct RelayArgs {
    /// Ends at the last commit of now; by default goes on
    #[arg(long)]
    once: bool,
    /// Deletes what was relayed, and begins again at position 1
    #[arg(long)]
    rebuild: bool,
}

/// How long to wait before a log that could not be opened is tried again.
#[cfg(feature = "nats")]
const OPEN_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);
const NEEDS_NATS: &str = "the relay needs a log over NATS: --log nats://HOST/STREAM";

/// Says what is wrong: a build without NATS has no such log.
#[cfg(not(feature = "nats"))]
pub async fn relay(source: &Source, args: &RelayArgs, _: bool) -> Result<(), Failure> {
    let RelayArgs { once: _, rebuild: _ } = args;
    source.required()?;
    Err(Failure::Usage(NEEDS_NATS.to_owned()))
}

/// Relays until told to stop.
#[cfg(feature = "nats")]
pub async fn relay(source: &Source, args: &RelayArgs, json: bool) -> Result<(), Failure> {
    let LogPlace::Nats { stream, .. } = source.required()? else {
        return Err(Failure::Usage(NEEDS_NATS.to_owned()));
    };
    let log = Arc::new(open(&stream, args.once).await?);
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

/// Opens the log. A relay that runs for ever waits for it, as it does through every outage later.
#[cfg(feature = "nats")]
async fn open(stream: &eventlog::nats::Options, is_once: bool) -> Result<Nats, Failure> {
    loop {
        match Nats::open_read_only(stream).await {
            Err(error @ eventlog::Error::Unavailable(_)) if !is_once => {
                say(format_args!("{error}; trying again"));
                tokio::time::sleep(OPEN_AGAIN).await;
            }
            opened => return Ok(opened?),
        }
    }
}

#[cfg(feature = "nats")]
fn unavailable(why: &impl ToString) -> Failure {
    eventlog::Error::Unavailable(why.to_string()).into()
}

#[cfg(feature = "nats")]
impl From<RelayError> for Failure {
    fn from(error: RelayError) -> Self {
        match error {
            RelayError::Log(error) | RelayError::Settings(error) => error.into(),
            RelayError::TooLarge { .. } => unavailable(&error),
            other => Self::Corrupt(other.to_string()),
        }
    }
}
