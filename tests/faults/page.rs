//! The page of faults: what was promised and what a run saw, in `ADR/faults.md`.

use super::stage::Seen;
use super::{CASES, Case, played, seed};
use std::path::PathBuf;
use tranche::bench::Machine;

/// With this in the environment the page is written by playing all cases.
const WRITE: (&str, &str) = ("FAULTS", "write");

/// How often the one that writes is killed for the page, and in other runs.
const KILLS: [usize; 2] = [50, 3];

fn is_writing() -> bool {
    std::env::var(WRITE.0).is_ok_and(|value| value == WRITE.1)
}

/// How often the one that writes is killed.
pub fn kills() -> usize {
    KILLS[usize::from(!is_writing())]
}

/// The distribution of the times of fail-over.
fn distribution(mut times: Vec<u64>) -> String {
    times.sort_unstable();
    let at = |percent: usize| {
        let last = times.len().saturating_sub(1);
        time(times.get((last * percent).div_ceil(100)).copied())
    };
    format!(
        "Fail-over, from the kill of the instance that writes to the first acknowledgement of a command \
         that was sent after it, over {} kills: least {}, p50 {}, p90 {}, p99 {}, most {}; wanted: p99 under \
         5 s. A lease lasts 2 s, and callers ask again every 0.1 s.\n",
        times.len(),
        at(0),
        at(50),
        at(90),
        at(99),
        at(100)
    )
}

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../ADR/faults.md"))
}

fn beginning_of_row(case: &Case) -> String {
    format!("| {} | {} |", case.fault, case.promised)
}

fn time(millis: Option<u64>) -> String {
    millis.map_or_else(
        || "-".to_owned(),
        |millis| format!("{}.{:01} s", millis / 1_000, millis % 1_000 / 100),
    )
}

fn row(case: &Case, seen: &Seen) -> String {
    let [before, during, after] = seen.acknowledged;
    let Seen { refused, unanswered, commits, .. } = seen;
    let (pause, first_after_end) = (time(Some(seen.pause)), time(seen.first_after_end));
    let beginning = beginning_of_row(case);
    format!(
        "{beginning} {before} | {during} | {after} | {refused} | {unanswered} | {pause} | \
         {first_after_end} | {commits} | 0 |\n"
    )
}

fn page(rows: &str, machine: &Machine) -> String {
    let server = eventlog::nats::server::version();
    let at = machine.at.strftime("%Y-%m-%d %H:%M UTC");
    let Machine { processor, cores, kernel, load_before, load_after, .. } = machine;
    let (seed, profile) = (seed(), machine.profile);
    format!(
        "# Faults

Made by `FAULTS=write cargo test --locked -p tests --features nats page_of_faults`; do not edit, run it again. Each row is a \
test of its own, too (`tests/faults.rs`), in every run of all tests: three real servers, each in a network of its own, \
`tranche serve` as a process of its own, and five callers over HTTP. Four of them ask again with the same id until a command is \
taken; the fifth gives up each that is not taken at once. Nothing is simulated.

At the end a judge that shares no code with the program reads the log from each node alone, while the others stand still. It wants: \
the same bytes from all three, and what each instance gives over HTTP a beginning of them; every acknowledged command in the \
log, once, at the position that was told; none that nobody gave; no gap; the invariants of the books; the views of a replay the \
same as those that are shown. A breach of any of it fails the test, so the last column can hold nothing but 0. A disk is full \
on a file system in memory; clocks are not moved, but one instance starts with a clock that stands in the past.

| | |
|---|---|
| seen | {at} |
| processor | {processor}, {cores} cores |
| kernel | {kernel} |
| load before, after | {load_before}, {load_after} |
| server | {server} |
| build, seed | {profile}, {seed} |

`before`, `during`, `after`: commands acknowledged. `503`: answers 503 with `Retry-After`, and `silent`: answers that did not come in \
3 s or broke off, both from the beginning of the fault on. `pause`: the longest time without an acknowledgement, from then on. \
`first after`: from the end of the fault to the first acknowledgement of a command that was sent after it; where servers are \
started again, the end is the moment before their start. `commits`: in the log at the end.

What an operator may take from it: a new leader takes nodes some seconds, and the program a few more to see it. A node that is cut off \
answers nobody, so the program leaves it after 3 s of silence and tries another. A node whose disk was full was started again after it had room; whether it \
     comes back without that was not tried. Where there is no majority, a command that is given after the fault has begun is not acknowledged before \
its end (the cases want it); `during` counts answers that were on their way.

| what goes wrong | promised | before | during | after | 503 | silent | pause | first after | commits | breaches |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{rows}"
    )
}

#[test]
fn the_page_of_faults_has_every_case() {
    if is_writing() {
        let mut machine = Machine::look(&std::env::temp_dir(), jiff::Timestamp::now());
        let play = |case: &Case| played(case.name).expect("we are outside");
        let seen: Vec<Seen> = CASES.iter().map(play).collect();
        let mut rows: String =
            CASES.iter().zip(&seen).map(|(case, seen)| row(case, seen)).collect();
        let fail_overs = seen.into_iter().flat_map(|seen| seen.fail_overs).collect();
        rows += &format!("\n{}", distribution(fail_overs));
        machine.look_after();
        std::fs::write(path(), page(&rows, &machine)).expect("ADR/faults.md can be written");
    }
    let page = std::fs::read_to_string(path()).expect("ADR/faults.md");
    let rows: Vec<&str> = page.lines().skip_while(|line| !line.starts_with("| what")).collect();
    let rows: Vec<&str> = rows.into_iter().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), CASES.len() + 2, "write the page again: see its first lines");
    for (case, row) in CASES.iter().zip(&rows[2..]) {
        assert!(row.starts_with(&beginning_of_row(case)), "write the page again: {row}");
    }
}
