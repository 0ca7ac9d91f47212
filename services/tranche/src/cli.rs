//! The command line: what may be said, who does it, and how it ends.

mod act;
mod audit;
mod bench;
mod catalogue;
mod document;
mod envelope;
mod explain;
mod export;
mod failure;
mod log;
mod out;
mod proof;
mod relay;
mod replay;
mod rules;
mod schema;
mod schemas;
mod serve;
mod show;
mod source;
mod stamp;
mod subject;
mod times;
mod tree;
mod verify;
mod why;
mod witness;
mod words;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use failure::{EXIT_CODES, Exit, Failure};
use jiff::Timestamp;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Public grants from the call to the last report, in one log that anyone can check
#[derive(Parser)]
#[command(name = "tranche", version, after_help = EXIT_CODES, max_term_width = 90)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    task: Task,
}

/// What every sub-command takes.
#[derive(clap::Args)]
struct Global {
    #[command(flatten)]
    source: source::Source,
    /// Writes JSON instead of text, for data and for errors
    #[arg(long, global = true)]
    json: bool,
    /// Starts a clock at this instant that moves by hand, for tests and demonstrations
    #[arg(long, global = true, hide = true, value_name = "INSTANT")]
    clock: Option<Timestamp>,
}

#[derive(Subcommand)]
enum Task {
    /// Plays the real AI Factories call, shows where the money is, and serves it
    Demo(serve::DemoArgs),
    /// Gives a command: decides by the rules and records what follows
    Do(act::DoArgs),
    /// Explains the code of a refusal: what it says, its rule, and which commands answer it
    Explain(explain::ExplainArgs),
    /// Shows the commits of the log, a line each (with --json the stored bytes)
    Log(Box<log::LogArgs>),
    /// Shows a view, now or as of any moment of the past
    Show(Box<show::ShowArgs>),
    /// Tells where a figure comes from: the events that changed it, who did it, and proofs
    Why(Box<why::WhyArgs>),
    /// Tells what changed in a view between two moments, and by which commands
    Diff(Box<why::DiffArgs>),
    /// Folds the log from its first commit and compares with what is shown
    Replay(replay::ReplayArgs),
    /// Checks everything that the log can be checked for, and reports all that is wrong
    Verify(verify::VerifyArgs),
    /// Proves to strangers what is in the log: keys, checkpoints, proofs, tiles
    #[command(subcommand)]
    Proof(proof::ProofTask),
    /// Cosigns the checkpoints of logs, so that all readers are shown the same history
    #[command(subcommand)]
    Witness(witness::WitnessTask),
    /// Writes the stored commits byte for byte, or a view as CSV or JSON
    Export(Box<export::ExportArgs>),
    /// Samples, projects, tests the journal and exports, for auditors
    #[command(subcommand)]
    Audit(audit::AuditTask),
    /// Shows, exports and erases what is kept about a person
    #[command(subcommand)]
    Subject(subject::SubjectTask),
    /// Keeps and checks the documents that events name by their hash
    #[command(subcommand)]
    Document(document::DocumentTask),
    /// Checks, lists and prints rules documents
    #[command(subcommand)]
    Rules(rules::RulesTask),
    /// Lists, prints and writes the JSON Schemas of the events, in every version
    #[command(subcommand)]
    Schema(schemas::SchemaTask),
    /// Takes commands and shows views over HTTP, until told to stop
    Serve(serve::ServeArgs),
    /// Publishes the events of a log one by one over NATS, as CloudEvents
    Relay(relay::RelayArgs),
    /// Prints the OpenAPI document of the server
    Openapi,
    /// Prints the AsyncAPI document of what is published over NATS
    Asyncapi,
    /// Measures the speed on this machine, and compares with the best that the machine can do
    Bench(bench::BenchArgs),
    /// Prints a completion script for a shell
    Completions {
        /// Writes the script for this shell
        shell: Shell,
    },
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    start_tracing();
    let json = cli.global.json;
    let result = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::File { what: "the threads of the program".to_owned(), error })
        .and_then(|runtime| runtime.block_on(run(cli)));
    let exit = match result {
        Ok(()) => Exit::Done,
        Err(failure) => {
            failure.tell(json);
            failure.exit()
        }
    };
    ExitCode::from(exit as u8)
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let Global { source, json, clock } = cli.global;
    match cli.task {
        Task::Demo(args) => serve::play(&source, &args, json).await,
        Task::Do(act::DoArgs::List) => catalogue::list(json),
        Task::Do(act::DoArgs::Give(entry, given)) => {
            act::give(entry, &given, &source, &source::clock(clock), json).await
        }
        Task::Explain(args) => explain::explain(&args, json),
        Task::Show(args) => show::show(&source, &args, json).await,
        Task::Why(args) => why::why(&source, &args, json).await,
        Task::Diff(args) => why::diff(&source, &args, json).await,
        Task::Replay(args) => replay::replay(&source, &args, json).await,
        Task::Log(args) => log::log(&source, &args, json).await,
        Task::Verify(args) => verify::verify(&source, &args, json).await,
        Task::Proof(task) => proof::proof(&source, &task, source::clock(clock), json).await,
        Task::Witness(task) => witness::witness(&task, source::clock(clock), json).await,
        Task::Export(args) => export::export(&source, &args).await,
        Task::Audit(task) => audit::audit(&source, &task, json).await,
        Task::Subject(task) => subject::subject(&source, &task, clock, json).await,
        Task::Document(task) => {
            document::document(&source, &task, &source::clock(clock), json).await
        }
        Task::Rules(task) => rules::rules(&task, json),
        Task::Schema(task) => schemas::schemas(&task, json),
        Task::Serve(args) => serve::serve(&source, &args, source::clock(clock), json).await,
        Task::Relay(args) => relay::relay(&source, &args, json).await,
        Task::Openapi => print(tranche::http::openapi().as_bytes()),
        Task::Asyncapi => print(tranche::asyncapi::DOCUMENT.as_bytes()),
        Task::Bench(args) => bench::bench(&args, &source::clock(clock), json).await,
        Task::Completions { shell } => completions(shell),
    }
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tranche", &mut script);
    print(&script)
}

fn print(data: &[u8]) -> Result<(), Failure> {
    let mut out = out::Out::stdout();
    out.bytes(data)?;
    out.finish()
}

/// Help and version are answers; everything else that clap says is a mistake in the call.
fn not_understood(error: &clap::Error) -> ExitCode {
    let asks_for_json = std::env::args_os().any(|arg| arg == "--json");
    if error.use_stderr() && asks_for_json {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        Failure::Usage(text.to_owned()).tell(true);
    } else {
        // Whoever closed the pipe has seen enough.
        let _ = error.print();
    }
    ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Done } as u8)
}

/// The program's own log lines go to standard error: warnings, or what RUST_LOG asks for.
fn start_tracing() {
    // The clients of servers shout at each attempt to connect. The log tells it when it matters.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,async_nats=off,eventstore=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(
            std::io::IsTerminal::is_terminal(&std::io::stderr())
                && std::env::var_os("NO_COLOR").is_none(),
        )
        .init();
}
