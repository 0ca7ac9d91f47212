//! `tranche serve` and `tranche demo`: long-running, with an engine of their own.

use super::failure::Failure;
use super::out::{Out, say};
use super::show::print_view;
use super::source::{Place, Source, engine_on};
use clap::Args;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tranche::clock::Clock;
use tranche::demo::{self, Milestone};
use tranche::engine::Engine;
use tranche::http::{Server, told_to_stop};

/// Where the demo is kept when the call does not say.
const DEMO_DIRECTORY: &str = "demo.tranche";
/// Where the money is, and the compute time: what the demo shows at its end.
const DEMO_VIEWS: &[&str] = &["budget", "compute"];

/// What `tranche serve` is told.
#[derive(Args)]
pub struct ServeArgs {
    /// The address; other than on loopback it needs --trust-network
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7410")]
    listen: SocketAddr,
    /// There is no login yet: whoever reaches the address may act as anybody, in any role. This says
    /// that only those can reach it who may, such as a proxy that knows who is asking
    #[arg(long)]
    trust_network: bool,
}

impl ServeArgs {
    /// Refuses what would let everybody in, unless that was asked for in so many words.
    fn check(&self) -> Result<(), Failure> {
        if self.listen.ip().is_loopback() {
            return Ok(());
        }
        let Self { listen, trust_network } = self;
        let danger = format!(
            "{listen} can be reached from other machines, and there is no login yet: whoever reaches \
             it may act as anybody, in any role"
        );
        if !trust_network {
            let way_out = "listen on 127.0.0.1, or say --trust-network";
            return Err(Failure::Usage(format!("{danger}; {way_out}")));
        }
        say(format_args!("warning: {danger}"));
        Ok(())
    }

    /// Takes the address before a log is opened: when it is taken already, no log is made.
    async fn take_address(&self) -> Result<TcpListener, Failure> {
        let failure = |error| Failure::File { what: self.listen.to_string(), error };
        TcpListener::bind(self.listen).await.map_err(failure)
    }
}

/// What `tranche demo` is told.
#[derive(Args)]
pub struct DemoArgs {
    /// Ends after the story instead of serving it
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Serves the log until told to stop.
pub async fn serve(
    source: &Source,
    args: &ServeArgs,
    clock: Clock,
    json: bool,
) -> Result<(), Failure> {
    args.check()?;
    let place = source.required()?;
    let listener = args.take_address().await?;
    let engine = engine_on(place.open_to_write().await?, &place, clock).await?;
    listen(engine, listener, args.listen, json).await
}

async fn listen(
    engine: Engine,
    listener: TcpListener,
    address: SocketAddr,
    json: bool,
) -> Result<(), Failure> {
    let failure = |error| Failure::File { what: address.to_string(), error };
    let stop = told_to_stop().map_err(failure)?;
    let server = Server::on(listener, engine).map_err(failure)?;
    let url = format!("http://{}", server.address().map_err(failure)?);
    let mut out = Out::stdout();
    if json {
        out.json(&serde_json::json!({ "url": url }))?;
    } else {
        out.line(format_args!("serving {url}"))?;
    }
    out.finish()?;
    server.run(stop).await.map_err(failure)
}

/// Plays the real call, shows where the money is, and serves it.
pub async fn play(source: &Source, args: &DemoArgs, json: bool) -> Result<(), Failure> {
    args.serve.check()?;
    let listener = if args.once { None } else { Some(args.serve.take_address().await?) };
    let place = source.place()?.unwrap_or_else(|| Place::Directory(DEMO_DIRECTORY.into()));
    let log = place.open_to_write().await?;
    let (clock, _hands) = Clock::manual(demo::begins());
    let engine = engine_on(Arc::clone(&log), &place, clock).await?;
    let played = demo::play(&engine).await;
    let shown = match played {
        Ok(milestones) => tell(&engine, &milestones, json).await,
        Err(error) => Err(error.into()),
    };
    engine.stop().await;
    shown?;
    let Some(listener) = listener else { return Ok(()) };
    // From here on the time is that of the machine.
    let engine = engine_on(log, &place, Clock::system()).await?;
    listen(engine, listener, args.serve.listen, json).await
}

async fn tell(engine: &Engine, milestones: &[Milestone], json: bool) -> Result<(), Failure> {
    let mut out = Out::stdout();
    for Milestone { at, position, text } in milestones {
        if json {
            let line = serde_json::json!({ "at": at, "position": position, "text": text });
            out.json(&line)?;
        } else {
            let position = position.map_or_else(|| "-".to_owned(), |at| at.to_string());
            out.line(format_args!("{at}  {position:>7}  {text}"))?;
        }
    }
    for view in DEMO_VIEWS {
        if let Some(report) = engine.as_of(view, projections::AsOf::NOW).await? {
            if !json {
                out.line(format_args!(""))?;
            }
            print_view(&mut out, &report, json)?;
        }
    }
    out.finish()
}
