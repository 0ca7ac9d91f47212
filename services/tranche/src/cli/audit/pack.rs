//! `tranche audit pack`: an archive for a stranger, who checks it offline (`tranche_proof::pack`, ADR/0024).

mod contents;
mod readme;

use super::moment::moment;
use super::scope::{Asked, extent};
use crate::cli::document::DocumentsArgs;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::source::Source;
use crate::cli::times::MomentArgs;
use crate::cli::tree::ProvingArgs;
use crate::cli::words::{counted, say};
use clap::Args;
use contents::Contents;
use std::path::PathBuf;
use tranche_proof::pack::Archive;

const PACK_HELP: &str = "\
Scopes: all, call:ID, round:CALL/ROUND, grant:ID, and period:FROM..TO, which takes what was
recorded or true from one day to another. A pack of all holds every commit and the tree; any
other holds its commits with a proof for each.

The pack shows the log as of the moment that you name; by default that of the newest signed
checkpoint. It uses the first recorded checkpoint that covers the moment, so the same question
gives the same bytes, also when the log has grown. If there is none yet, record one with
`tranche proof record`.

Examples:
  tranche audit pack --scope round:EUROHPC-2024-CEI-AI/R1 --public public --to r1.tar \\
    --data log
  tranche audit pack --scope period:2025-01-01..2025-12-31 --as-of 2025-12-31 \\
    --public public --to 2025.tar --data log";

/// Holds the arguments of `tranche audit pack`.
#[derive(Args)]
#[command(after_help = PACK_HELP)]
pub struct PackArgs {
    /// Packs this: all, call:ID, round:CALL/ROUND, grant:ID or period:FROM..TO
    #[arg(long)]
    scope: Asked,
    #[command(flatten)]
    moment: MomentArgs,
    #[command(flatten)]
    tree: ProvingArgs,
    /// Writes the archive to this new file
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Documents that the commits name are taken along when the store is named
    #[command(flatten)]
    documents: DocumentsArgs,
    /// Adds this certificate (PEM) of the authority that stamped the checkpoint
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Shows the ids of people in the tables; by default names that are good for this pack only
    #[arg(long)]
    with_ids: bool,
}

/// Makes it, whole or not at all.
pub async fn pack(source: &Source, args: &PackArgs) -> Result<(), Failure> {
    let prover = args.tree.open(source).await?;
    let follower = source.follow().await?;
    let reader = follower.reader();
    let scope = args.scope.of_world(&args.moment, reader.now().world())?;
    let moment = moment(&args.moment, &reader, &prover).await?;
    let (extent, people) = extent(source, scope, &moment).await?;
    let documents = args.documents.open().await?;
    let mtime = u64::try_from(moment.recorded_at.as_second()).unwrap_or(0);
    let out = Out::to(Some(&args.to))?;
    let contents = Contents {
        archive: Archive::new(out, mtime),
        moment: &moment,
        extent: &extent,
        people: (!args.with_ids).then_some(&people),
        prover: &prover,
        documents,
        args,
    };
    let (out, done) = contents.write(source, &reader).await?;
    out.finish()?;
    let documents = match done.not_included {
        0 => format!("{} missing", counted(done.missing, "document")),
        count => format!("{} not included (--documents)", counted(count, "document")),
    };
    let (size, position) = (moment.checkpoint.size, moment.position);
    // The tree is of the whole log, also when an earlier day is asked about.
    let rest = match extent.is_all().then(|| size.saturating_sub(done.commits as u64)) {
        Some(later) if later > 0 => format!(" and {later} for the tree alone"),
        _ => String::new(),
    };
    say(format_args!(
        "{}: {}, {} commits as of position {position}{rest}, under a checkpoint of {size}; {documents}",
        args.to.display(),
        counted(done.files, "file"),
        done.commits,
    ));
    say(format_args!("sha256 {}", done.sha256));
    Ok(())
}
