//! The README of a pack: what is claimed, and the commands that check it. A test runs them as they stand.

use crate::cli::audit::moment::Moment;
use domain::facts::documents;
use projections::audit::extent::Extent;

const HEAD: &str = include_str!("../../../../assets/pack/head.md");
const SMALL: &str = include_str!("../../../../assets/pack/small.md");
const ALL: &str = include_str!("../../../../assets/pack/all.md");
const REST: &str = include_str!("../../../../assets/pack/rest.md");

/// Fills in what differs from pack to pack.
pub fn readme(moment: &Moment, extent: &Extent, is_hidden: bool) -> String {
    let checkpoint = &moment.checkpoint;
    let as_of = moment.as_of;
    let (commits, claim) = if extent.is_all() {
        (ALL, "The commits are the whole log up to the checkpoint, none changed, missing or added.")
    } else {
        let claim = "The commits are in the log, unchanged, each at its position. That none which is about the \
                     scope was kept back, only a pack of all can show.";
        (SMALL, claim)
    };
    let people = if is_hidden {
        "In figures people are `person-1`, `person-2`, ...: names that are good for this pack only."
    } else {
        "In figures people have their ids."
    };
    let fields = documents::FIELDS.iter();
    let fields = fields.map(|field| format!("    ({:?}, {:?}),", field.event, field.pointer));
    let fields: Vec<String> = fields.collect();
    let text = [HEAD, commits, REST].concat();
    [
        ("{scope}", extent.scope().to_string()),
        ("{origin}", checkpoint.origin.clone()),
        ("{position}", moment.position.to_string()),
        ("{recorded_at}", moment.recorded_at.to_string()),
        ("{as_of}", as_of.map(|at| format!(", of what was true by {at}")).unwrap_or_default()),
        ("{as_of_flag}", as_of.map(|at| format!(" --as-of {at}")).unwrap_or_default()),
        ("{size}", checkpoint.size.to_string()),
        ("{root}", checkpoint.root.to_string()),
        ("{fields}", fields.join("\n")),
        ("{claim}", claim.to_owned()),
        ("{people}", people.to_owned()),
    ]
    .into_iter()
    .fold(text, |text, (place, value)| text.replace(place, &value))
}
