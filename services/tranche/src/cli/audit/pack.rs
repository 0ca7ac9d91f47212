//! `tranche audit pack`: an archive for a stranger, who checks it offline (`tranche::pack`, ADR/0024).

mod contents;
mod readme;

use super::moment::moment;
use super::scope::{Asked, extent};
use crate::cli::document::DocumentsArgs;
use crate::cli::failure::Failure;
use crate::cli::out::{Out, counted, say};
use crate::cli::proof::ProvingArgs;
use crate::cli::source::Source;
use crate::cli::times::MomentArgs;
use clap::Args;
use contents::Contents;
use std::path::PathBuf;
use tranche_proof::pack::Archive;

const PACK_HELP: &str = "\
Scopes: all, call:ID, round:CALL/ROUND, grant:ID, period:FROM..TO (what was recorded or true in it; dates are \
whole days). Of all the archive has every commit and the tree; of the others their commits, a proof for each.

Everything is told as of the moment; without one, as of the newest signed checkpoint. The first recorded \
checkpoint that covers it is taken, so the same question gives the same bytes, also when the log has grown. \
There must be one: tranche proof record.

Examples:
  tranche audit pack --scope round:EUROHPC-2024-CEI-AI/R1 --public public --to r1.tar --data log
  tranche audit pack --scope period:2025-01-01..2025-12-31 --as-of 2025-12-31 --public public --to 2025.tar --data log";

/// What `tranche audit pack` is told.
#[derive(Args)]
#[command(after_help = PACK_HELP)]
pub struct PackArgs {
    /// What it is of: all, call:ID, round:CALL/ROUND, grant:ID or period:FROM..TO
    #[arg(long)]
    scope: Asked,
    #[command(flatten)]
    moment: MomentArgs,
    #[command(flatten)]
    tree: ProvingArgs,
    /// The new archive
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Documents that the commits name are taken along when the store is named
    #[command(flatten)]
    documents: DocumentsArgs,
    /// The certificate of the authority that has stamped the checkpoint, PEM, to be taken along
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// People by their ids in the tables, too; by names that are good for this pack only when absent
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
