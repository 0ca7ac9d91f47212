//! `tranche serve` and `tranche demo`: long-running, with an engine of their own.

use super::document::DocumentsArgs;
use super::failure::Failure;
use super::out::Out;
use super::show::print_view;
use super::source::{LogPlace, Source};
use super::tree::open_tree;
use super::words::say;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tranche::clock::Clock;
use tranche::demo::{self, Milestone};
use tranche::desk::Desk;
use tranche::documents::Documents;
use tranche::engine::Engine;
use tranche::http::{Server, told_to_stop};
use tranche::proof::{Keeping, OpenAgain};
use tranche::roles::{Role, Roles};
use tranche::vault::{self, Vault};

/// Where the demo is kept when the call does not say.
const DEMO_DIRECTORY: &str = "demo.tranche";
/// Where the money is, and the compute time: what the demo shows at its end.
const DEMO_VIEWS: &[&str] = &["budget", "compute"];

/// How often everything is verified, in seconds.
const VERIFY_EVERY: u64 = 3600;

/// Holds the arguments of `tranche serve`.
#[derive(Args)]
pub struct ServeArgs {
    #[command(flatten)]
    listen: ListenArgs,
    /// Takes these roles, of writer, web, processes and relay; of several instances on one log one writes
    #[arg(long, value_name = "ROLES", default_value_t = Roles::default())]
    roles: Roles,
    #[command(flatten)]
    proof: ProofArgs,
    #[command(flatten)]
    documents: DocumentsArgs,
}

/// What is proven and verified while the log is served.
#[derive(Args)]
struct ProofArgs {
    /// Signs a checkpoint each day with the secret keys in this file, and serves proofs; by default
    /// nothing is signed (see `tranche proof key`)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Keeps the tree in this directory; by default in that of the embedded log
    #[arg(long, value_name = "DIR", requires = "key")]
    tree: Option<PathBuf>,
    /// Verifies all that is stored, at the start and then every so many seconds; 0 for never
    #[arg(long, value_name = "SECONDS", default_value_t = VERIFY_EVERY)]
    verify_every: u64,
}

impl ProofArgs {
    async fn keeping(&self, source: &Source) -> Result<Keeping, Failure> {
        let prover = match &self.key {
            Some(key) => Some(Arc::new(open_tree(source, key, self.tree.as_deref()).await?)),
            None => None,
        };
        let again = source.clone();
        let open: OpenAgain = Arc::new(move || {
            let source = again.clone();
            Box::pin(async move {
                source.open_unchecked().await.map_err(|failure| match failure {
                    Failure::Log(error) => error,
                    other => eventlog::Error::Unavailable(other.to_string()),
                })
            })
        });
        // A log in memory is another one each time it is opened.
        let is_kept = !matches!(source.required()?, LogPlace::Memory);
        let every = Some(self.verify_every).filter(|every| *every > 0 && is_kept);
        let kept = source.kept_tree()?;
        Ok(Keeping { prover, kept, open, every: every.map(Duration::from_secs) })
    }
}

/// Where a server listens.
#[derive(Args)]
pub struct ListenArgs {
    /// Listens on this address; any other than loopback needs --trust-network
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7410")]
    listen: SocketAddr,
    /// Allows an address that others can reach. There is no login: whoever reaches it may act as
    /// anybody, so put a proxy before it that knows who asks
    #[arg(long)]
    trust_network: bool,
}

impl ListenArgs {
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

/// Holds the arguments of `tranche demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// Ends after the story; by default serves it
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    documents: DocumentsArgs,
}

/// Serves the log until told to stop.
pub async fn serve(
    source: &Source,
    args: &ServeArgs,
    clock: Clock,
    json: bool,
) -> Result<(), Failure> {
    args.listen.check()?;
    let place = source.required()?;
    let vault = source.vault()?.map(Arc::new);
    let documents = args.documents.open().await?;
    let listener = args.listen.take_address().await?;
    let desk = place.desk(clock, &args.roles).await?;
    if let Some(vault) = &vault {
        tokio::spawn(vault::keep_swept(Arc::clone(vault), desk.reader()));
    }
    if args.roles.has(Role::Writer) {
        // Whoever comes first need not be told that nobody decides yet.
        desk.ready().await;
    }
    // Before anybody is answered: a log that is not what was signed is not served.
    let keeping = match args.proof.keeping(source).await {
        Ok(keeping) => keeping,
        Err(failure) => {
            desk.stop().await;
            return Err(failure);
        }
    };
    let beside = Beside { documents, keeping: Some(keeping), roles: &args.roles, vault };
    listen(desk, listener, args.listen.listen, beside, json).await
}

/// What a server has beside the log.
struct Beside<'a> {
    documents: Option<Documents>,
    keeping: Option<Keeping>,
    roles: &'a Roles,
    vault: Option<Arc<Vault>>,
}

async fn listen(
    desk: Desk,
    listener: TcpListener,
    address: SocketAddr,
    Beside { documents, keeping, roles, vault }: Beside<'_>,
    json: bool,
) -> Result<(), Failure> {
    let failure = |error| Failure::File { what: address.to_string(), error };
    let stop = told_to_stop().map_err(failure)?;
    let server = Server::on(listener, desk).map_err(failure)?.with_vault(vault);
    let server = if roles.has(Role::Web) { server } else { server.for_operators_only() };
    let server = match keeping {
        Some(keeping) => server.keeping(keeping),
        None => server,
    };
    let server = match documents {
        Some(documents) => server.with_documents(documents),
        None => server,
    };
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
    args.listen.check()?;
    let listener = if args.once { None } else { Some(args.listen.take_address().await?) };
    let documents = args.documents.open().await?;
    let place = source.place()?.unwrap_or_else(|| LogPlace::Directory(DEMO_DIRECTORY.into()));
    let (clock, _hands) = Clock::manual(demo::begins());
    let (desk, engine) = place.engine_alone(clock).await?;
    let played = demo::play(&engine).await;
    let shown = match played {
        Ok(milestones) => match keep_documents(&engine, documents.as_ref()).await {
            Ok(()) => tell(&engine, &milestones, json).await,
            Err(failure) => Err(failure),
        },
        Err(error) => Err(error.into()),
    };
    desk.stop().await;
    drop((desk, engine));
    shown?;
    let Some(listener) = listener else { return Ok(()) };
    // From here on the time is that of the machine.
    let roles = Roles::default();
    let desk = place.desk(Clock::system(), &roles).await?;
    let beside = Beside { documents, keeping: None, roles: &roles, vault: None };
    listen(desk, listener, args.listen.listen, beside, json).await
}

/// Keeps the documents that the story names.
async fn keep_documents(engine: &Engine, documents: Option<&Documents>) -> Result<(), Failure> {
    let Some(documents) = documents else { return Ok(()) };
    let reader = engine.reader();
    for position in 1..=reader.now().position() {
        let Some(stored) = reader.read_commit(position).await? else { break };
        for document in demo::documents(&stored.commit)? {
            documents.put(document).await?;
        }
    }
    Ok(())
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
