//! What was measured as tables, for the terminal and for the page that is kept.

use super::growing::Growing;
use super::lineage::Asked;
use super::measure::{Turn, grouped, median, percent, short};
use super::reading::{Past, Replay};
use super::verifying::Verifying;
use super::writing::{Crowd, Proven, Writing};
use super::{Options, Outcome, Question};
use clap::ValueEnum;
use serde::Serialize;
use std::fmt;

/// The number of clients that the targets of writing speak of.
const TARGET_CLIENTS: usize = 256;
/// In process, at least so many percent of the raw ceiling.
const ENGINE_TARGET: Target = Target::AtLeast(60);
/// Over HTTP, at least so many percent of an empty handler.
const HTTP_TARGET: Target = Target::AtLeast(50);
/// Replay, at least so many percent of decoding alone.
const REPLAY_TARGET: Target = Target::AtLeast(50);
/// A question about the past, at most so many percent of the shortest log's.
const PAST_TARGET: Target = Target::AtMost(150);

/// With proof, at least so many percent of the throughput without.
const PROVEN_TARGET: Target = Target::AtLeast(90);
/// A leaf of a large tree, at most so many percent of one of the smallest.
const LEAF_TARGET: Target = Target::AtMost(150);
/// A proof within so many nanoseconds, 99 of 100 times.
const PROOF_NANOS: u64 = 5_000_000;
/// How that is called.
const PROOF_TIME: &str = "5 ms, by p99";
/// Verification, at least so many percent of bare SHA-256.
const VERIFYING_TARGET: Target = Target::AtLeast(60);

/// What is wanted of a ratio, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The more the better.
    AtLeast(u64),
    /// The less the better.
    AtMost(u64),
}

impl Target {
    fn is_met(self, percent: u64) -> bool {
        match self {
            Self::AtLeast(least) => percent >= least,
            Self::AtMost(most) => percent <= most,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(percent) => write!(f, ">= {percent} %"),
            Self::AtMost(percent) => write!(f, "<= {percent} %"),
        }
    }
}

/// One contender.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Who, and under which circumstances.
    pub contender: String,
    /// The median of the rates of its turns.
    pub per_second: u64,
    /// The median of the turns' medians of the time of one thing, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<u64>,
    /// The same, of the time that 99 of 100 stayed within.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<u64>,
    /// What it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// A comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Against {
    /// With whom.
    pub whom: &'static str,
    /// How much of it was reached.
    pub percent: u64,
    /// What is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Whether it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_met: Option<bool>,
}

impl Line {
    pub(super) fn of(contender: impl Into<String>, turns: &[Turn]) -> Self {
        let at = |percent| {
            let each: Option<Vec<u64>> =
                turns.iter().map(|turn| turn.percentile(percent)).collect();
            each.filter(|each| !each.is_empty()).map(median)
        };
        Self {
            contender: contender.into(),
            per_second: median(rates(turns)),
            p50: at(50),
            p99: at(99),
            against: None,
        }
    }

    pub(super) fn against(
        mut self,
        whom: &'static str,
        percent: u64,
        target: Option<Target>,
    ) -> Self {
        let is_met = target.map(|target| target.is_met(percent));
        self.against = Some(Against { whom, percent, target, is_met });
        self
    }

    fn cells(&self) -> [String; 6] {
        let time = |nanos: Option<u64>| nanos.map(short).unwrap_or_default();
        let against = self.against.as_ref();
        let verdict = against.and_then(|against| Some((against.target?, against.is_met?)));
        [
            self.contender.clone(),
            grouped(self.per_second),
            time(self.p50),
            time(self.p99),
            against.map_or_else(String::new, |it| format!("{} % of {}", it.percent, it.whom)),
            verdict.map_or_else(String::new, |(target, is_met)| {
                format!("{target}: {}", if is_met { "met" } else { "missed" })
            }),
        ]
    }
}

/// How the page begins.
pub const PAGE_START: &str = "# Measurements";
/// What the columns hold.
const HEADINGS: [&str; 6] = ["contender", "per second", "p50", "p99", "ratio", "target"];
/// Columns of numbers, which stand right.
const NUMBERS: std::ops::Range<usize> = 1..4;

/// The answer to one question.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// What was measured.
    pub title: &'static str,
    /// How to read it.
    pub note: String,
    /// By contender.
    pub lines: Vec<Line>,
}

pub(super) fn rates(turns: &[Turn]) -> Vec<u64> {
    turns.iter().map(Turn::rate).collect()
}

/// Durable commands.
#[must_use]
pub fn writing(writing: &Writing) -> Section {
    let mut lines: Vec<Line> =
        writing.crowds.iter().flat_map(|crowd| self::crowd(crowd, &writing.sqlite)).collect();
    lines.push(Line::of("plain SQLite, 1 client", &writing.sqlite));
    Section {
        title: "Durable commands",
        note: "Every client waits for its answer before it gives the next command. `raw` writes \
               entries of the same length that are ready beforehand, whatever waits as one group, \
               with one `fdatasync` per group: the ceiling. `in process` \
               reads the payload, decides, makes durable in SQLite and shows in every view. `HTTP` \
               is the same through the server on loopback; `empty` is a handler on that server that \
               reads the body and answers as many bytes. Clients and server share the cores. `plain \
               SQLite` is one transaction per command, without any deciding."
            .to_owned(),
        lines,
    }
}

/// With proof and without.
#[must_use]
pub fn proven(crowds: &[Proven]) -> Section {
    let lines = crowds.iter().flat_map(|Proven { clients, off, on, .. }| {
        let name = |what: &str| named(what, *clients);
        let ratio = percent(&rates(on), &rates(off));
        let on = Line::of(name("with proof"), on);
        let on = on.against("without", ratio, Some(PROVEN_TARGET));
        [Line::of(name("without proof"), off), on]
    });
    let behind = crowds.iter().map(|Proven { clients, behind, .. }| {
        let commits = grouped(median(behind.iter().map(|turn| turn.done).collect()));
        let took = |turn: &Turn| u64::try_from(turn.took.as_nanos()).unwrap_or(u64::MAX);
        let took = short(median(behind.iter().map(took).collect()));
        format!("{commits} commits and {took} {}", named("with", *clients).replace(", ", " "))
    });
    Section {
        title: "Durable commands with proof",
        note: format!(
            "The engine in process, as above. `with proof` has beside it what `serve --key` has: the log \
             is read anew, every commit hashed into the tree, full tiles are written, a first checkpoint \
             is signed and recorded. Who goes first alternates. The tree follows the log, nobody waits \
             for it; when the clients stopped it was behind, and then had all after, by the median: {}.",
            behind.collect::<Vec<_>>().join(", ")
        ),
        lines: lines.collect(),
    }
}

/// What a leaf costs.
#[must_use]
pub fn growing(growing: &Growing) -> Section {
    let Growing { grown, entry_bytes, .. } = growing;
    let middles = |turns: &[Turn]| -> Vec<u64> {
        turns.iter().filter_map(|turn| turn.percentile(50)).collect()
    };
    let smallest = grown.first().map(|smallest| middles(&smallest.turns)).unwrap_or_default();
    let lines = grown.iter().enumerate().map(|(index, grown)| {
        let name = format!("a leaf at {} leaves", grouped(grown.leaves));
        let line = Line::of(name, &grown.turns);
        if index == 0 {
            return line;
        }
        let ratio = percent(&middles(&grown.turns), &smallest);
        line.against("the smallest, by p50", ratio, Some(LEAF_TARGET))
    });
    Section {
        title: "A commit in the tree",
        note: format!(
            "What a commit costs a tree of that size: its hash, on average one of nodes, and its part of \
             a tile of 256 on the disk. Entries of {entry_bytes} bytes on average are made up in memory \
             when they are read (which is in the time), so the log itself and the bundles of entries \
             are left out; the tree and all its tiles are on the disk. A turn appends 10 240; p50 and \
             p99 are of the 40 batches of 256 in it, divided."
        ),
        lines: lines.collect(),
    }
}

/// How long a proof takes.
#[must_use]
pub fn proofs(growing: &Growing) -> Section {
    let leaves = growing.grown.last().map_or(0, |largest| largest.leaves);
    let line = |name: &str, turns: &[Turn]| {
        let line = Line::of(name, turns);
        let p99 = line.p99.unwrap_or(u64::MAX);
        line.against(PROOF_TIME, p99.div_ceil(PROOF_NANOS / 100), Some(Target::AtMost(100)))
    };
    Section {
        title: "The proof of a commit",
        note: format!(
            "Of random commits of the tree of {} leaves. `made` is what a service answers from, with the \
             checkpoint signed; `made in a tree opened anew` is what a process does that has just begun: \
             it finds its tiles, takes in the rest of the log, holds the signed checkpoint against it, and \
             proves. Its files are in the memory of the operating system. `checked` reads the proof as a file and checks signature, \
             path and entry.",
            grouped(leaves)
        ),
        lines: vec![
            line("made", &growing.made),
            line("made in a tree opened anew", &growing.opened),
            line("checked", &growing.checked),
        ],
    }
}

/// Verification.
#[must_use]
pub fn verifying(verifying: &Verifying) -> Section {
    let Verifying { entries, bytes, bare, file, tree, log, everything, service } = verifying;
    let line = |name: &str, turns: &[Turn], target| {
        let ratio = percent(&rates(turns), &rates(bare));
        Line::of(name, turns).against("bare SHA-256", ratio, target)
    };
    let rate = median(rates(bare)).saturating_mul(*bytes) / (*entries).max(1) / 1_000_000;
    Section {
        title: "Verification of a whole log",
        note: format!(
            "Entries a second, of {} of {} bytes on average in an SQLite log with 256 in a group. `bare \
             SHA-256` is one hash over all bytes in memory, on one core: {} MB a second. `tree` is every \
             leaf and node from memory: 13 blocks of SHA-256 for an entry where bare has 10.5, so this \
             cannot be reached by one core. `tranche verify --bytes` opens the log, reads it, checks \
             the CRC of every row, and holds the tree against every tile and the signed checkpoint: who has \
             altered a byte is found by it. `tranche verify` does besides SQLite's own check of the file, \
             and holds every commit decoded and encoded again against its form, times, versions, ids and \
             sums, and the checkpoints in it; decoding alone takes a core several times as long as bare \
             SHA-256 (see replay), so two cores cannot reach its target. `a running service` holds the tree \
             and every view, folded anew, against the live ones. The file is in the memory of the operating system.",
            grouped(*entries),
            bytes / (*entries).max(1),
            grouped(rate)
        ),
        lines: vec![
            Line::of("bare SHA-256", bare),
            line("bare SHA-256 of the file", file, None),
            line("tree", tree, None),
            line("verify --bytes", log, Some(VERIFYING_TARGET)),
            line("verify", everything, Some(VERIFYING_TARGET)),
            line("a running service", service, None),
        ],
    }
}

fn named(what: &str, clients: usize) -> String {
    match clients {
        1 => format!("{what}, 1 client"),
        _ => format!("{what}, {clients} clients"),
    }
}

fn crowd(crowd: &Crowd, sqlite: &[Turn]) -> Vec<Line> {
    let Crowd { clients, raw, engine, empty, http } = crowd;
    let is_target = *clients == TARGET_CLIENTS;
    let name = |what: &str| named(what, *clients);
    let ratio = |ours: &[Turn], theirs: &[Turn]| percent(&rates(ours), &rates(theirs));
    let ours = Line::of(name("in process"), engine);
    let mut lines = vec![
        Line::of(name("raw"), raw).against("SQLite", ratio(raw, sqlite), None),
        ours.against("raw", ratio(engine, raw), is_target.then_some(ENGINE_TARGET)),
    ];
    if !http.is_empty() {
        let target = is_target.then_some(HTTP_TARGET);
        lines.push(Line::of(name("empty"), empty));
        lines.push(Line::of(name("HTTP"), http).against("empty", ratio(http, empty), target));
    }
    lines
}

/// Replay.
#[must_use]
pub fn replay(replay: &Replay) -> Section {
    let Replay { events, entry_bytes, untyped, typed, folded, pipelined } = replay;
    let target = Some(REPLAY_TARGET);
    let ratio = |turns: &[Turn], bare: &[Turn]| percent(&rates(turns), &rates(bare));
    Section {
        title: "Replay into every view",
        note: format!(
            "{} events of {entry_bytes} bytes on average, from memory. `typed` decoding, which \
             checks every field, is what the target calls bare decoding; `untyped` is into a tree \
             of JSON values. `on one thread` decodes and folds in turn; `on two` is how an engine \
             starts: one thread decodes, another folds.",
            grouped(*events)
        ),
        lines: vec![
            Line::of("untyped decoding", untyped),
            Line::of("typed decoding", typed).against("untyped", ratio(typed, untyped), None),
            Line::of("replay on one thread", folded).against("typed", ratio(folded, typed), target),
            Line::of("replay on two threads", pipelined).against(
                "typed",
                ratio(pipelined, typed),
                target,
            ),
        ],
    }
}

/// The past.
#[must_use]
pub fn past(past: &[Past]) -> Section {
    let middles = |turns: &[Turn]| -> Vec<u64> {
        turns.iter().filter_map(|turn| turn.percentile(50)).collect()
    };
    let first = past.first().map(|shortest| middles(&shortest.turns)).unwrap_or_default();
    let lines = past.iter().enumerate().map(|(index, log)| {
        let line = Line::of(format!("{} events", grouped(log.events as u64)), &log.turns);
        if index == 0 {
            return line;
        }
        let target = (index + 1 == past.len()).then_some(PAST_TARGET);
        line.against("the shortest", percent(&middles(&log.turns), &first), target)
    });
    Section {
        title: "The budget as of a random moment",
        note: "Half of the questions ask what was true by an instant, half what was known by it; \
               the instants lie all over the log. The ratio is that of the p50 of each turn. The \
               log is in memory; on a disk, reading the commits behind the nearest kept clone comes on \
               top."
            .to_owned(),
        lines: lines.collect(),
    }
}

/// The why of figures.
#[must_use]
pub fn why(asked: &[Asked]) -> Section {
    let events = asked.first().map_or(0, |asked| asked.events as u64);
    let line = |asked: &Asked| {
        let median = asked.folded.get(asked.folded.len() / 2).copied().unwrap_or(0);
        let name = format!("{}, {} commits", asked.name, grouped(median as u64));
        Line::of(name, &asked.turns)
    };
    Section {
        title: "The why of a figure",
        note: format!(
            "On a log of {} events in memory: 4 funds, 40 lines, 1 000 commitments, 10 000 grants, and \
             the steps of their payments. Random figures of each kind; the number of commits is the \
             median that one rests on, as far as they are folded. The index is there; making it from \
             nothing is its own line, per event. On a disk, reading these commits comes on top.",
            grouped(events)
        ),
        lines: asked.iter().map(line).collect(),
    }
}

/// The outcome as aligned text.
#[must_use]
pub fn text(outcome: &Outcome) -> String {
    let rows: Vec<_> = outcome.sections.iter().flat_map(|it| &it.lines).map(Line::cells).collect();
    let all = || std::iter::once(HEADINGS.map(str::to_owned)).chain(rows.iter().cloned());
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| all().map(|cells| cells[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for section in &outcome.sections {
        text += &format!("{}\n", section.title);
        let lines = section.lines.iter().map(Line::cells);
        for cells in std::iter::once(HEADINGS.map(str::to_owned)).chain(lines) {
            let padded = cells.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                if NUMBERS.contains(&column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            let line = padded.collect::<Vec<_>>().join("  ");
            text += &format!("  {}\n", line.trim_end());
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// The outcome as the page that is kept beside the decisions.
#[must_use]
pub fn markdown(outcome: &Outcome) -> String {
    let Outcome { machine, options, sections, .. } = outcome;
    let mut page = format!(
        "{PAGE_START}\n\nMade by `{command}`; do not edit, run it again with `--write \
         ADR/{page}` in a release build on the disk that matters. These are numbers that \
         were measured, nothing else; machines are noisy, so contenders take turns and medians of \
         {turns} turns are given. A ratio is the median of the ratios of each turn, so that a slow \
         moment of the machine counts for both.\n\n",
        command = command_line(options),
        page = match options.questions[..] {
            _ if options.is_of_servers() => "measurements-nats.md",
            [Question::Proof] => "measurements-proof.md",
            _ => "measurements.md",
        },
        turns = options.turns,
    );
    for warning in machine.warnings() {
        page += &format!("**Careful:** {warning}.\n\n");
    }
    let rows = [
        ("measured", machine.at.strftime("%Y-%m-%d %H:%M UTC").to_string()),
        ("processor", format!("{}, {} cores", machine.processor, machine.cores)),
        ("kernel", machine.kernel.clone()),
        ("filesystem", machine.filesystem.clone()),
        ("load before, after", format!("{}, {}", machine.load_before, machine.load_after)),
        ("build", machine.profile.to_owned()),
    ];
    page += "| | |\n|---|---|\n";
    for (what, value) in rows {
        page += &format!("| {what} | {value} |\n");
    }
    for Section { title, note, lines } in sections {
        page += &format!("\n## {title}\n\n{note}\n\n| {} |\n", HEADINGS.join(" | "));
        page += "|---|---:|---:|---:|---|---|\n";
        for line in lines {
            page += &format!("| {} |\n", line.cells().join(" | "));
        }
    }
    page += &format!("\n## What falls short\n\n{}\n", shortcomings(sections));
    for (name, micros) in core_times(sections, machine.cores as u64) {
        page += &format!("- {name}: at most {micros} us of a core for each\n");
    }
    page
}

/// The targets that were missed.
fn shortcomings(sections: &[Section]) -> String {
    let mut text = String::new();
    for line in sections.iter().flat_map(|section| &section.lines) {
        if let Some(Against { whom, percent, target: Some(target), is_met: Some(false) }) =
            &line.against
        {
            let name = &line.contender;
            text += &format!("- **{name}**: {percent} % of {whom}; wanted: {target}.\n");
        }
    }
    if text.is_empty() {
        return "No target was missed.".to_owned();
    }
    if core_times(sections, 1).is_empty() {
        return text;
    }
    text + "\nADR/0010 says what was found of the reasons. The times below say what there is to explain: \
            they are the cores divided by the rate, so waiting is in them too. `raw, 1 client` says \
            what one sync takes.\n"
}

/// Time of all cores per thing, idle or not, for the number of clients that the targets speak of.
fn core_times(sections: &[Section], cores: u64) -> Vec<(&str, String)> {
    let end = format!(", {TARGET_CLIENTS} clients");
    let lines = sections.iter().flat_map(|section| &section.lines);
    let lines = lines.filter(|line| line.contender.ends_with(&end));
    lines
        .map(|line| {
            let tenths = cores * 10_000_000 / line.per_second.max(1);
            (line.contender.as_str(), format!("{}.{}", tenths / 10, tenths % 10))
        })
        .collect()
}

/// How to ask for the same again; without the names of directories, which belong to one machine.
fn command_line(options: &Options) -> String {
    let quick = if options.is_quick { " --quick" } else { "" };
    let seconds = match options.turn.as_secs() {
        0 => String::new(),
        seconds => format!(" --seconds {seconds}"),
    };
    let program = if options.is_of_servers() { "tests/bench-nats" } else { "tranche bench" };
    let only = match options.questions[..] {
        [only] => only.to_possible_value().map(|only| format!(" --only {}", only.get_name())),
        _ => None,
    };
    format!("{program}{quick}{}{seconds} --turns {}", only.unwrap_or_default(), options.turns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn turn(done: u64, middle: u64) -> Turn {
        Turn { done, took: Duration::from_secs(1), latencies: vec![middle; 3] }
    }

    #[test]
    fn a_target_is_met_or_missed_at_its_number_of_clients_only() {
        let crowd = |clients, ours| Crowd {
            clients,
            raw: vec![turn(1_000, 1)],
            engine: vec![turn(ours, 1)],
            ..Crowd::default()
        };
        let crowds = vec![crowd(64, 600), crowd(256, 600), crowd(256, 599)];
        let writing = Writing { crowds, sqlite: vec![turn(100, 1)] };
        let lines = self::writing(&writing).lines;
        let met = |index: usize| lines[index].against.as_ref().unwrap().is_met;
        assert_eq!((met(1), met(3), met(5)), (None, Some(true), Some(false)));
        assert_eq!(lines[0].against.as_ref().unwrap().percent, 1_000);
    }

    #[test]
    fn the_past_is_flat_when_the_longest_log_takes_hardly_longer() {
        let log = |events, middle| Past { events, turns: vec![turn(1, middle)] };
        let lines = past(&[log(10, 100), log(100, 900), log(1_000, 151)]).lines;
        let met = |index: usize| lines[index].against.as_ref().and_then(|it| it.is_met);
        assert_eq!((met(0), met(1), met(2)), (None, None, Some(false)));
    }
}
