//! Faults of real servers, networks, disks and processes under load, and a judge of its own for what
//! was acknowledged. `ADR/faults.md` is what a run saw: see its first lines.

mod cases;
mod check;
mod load;
mod page;
mod place;
mod stage;

use stage::Seen;

/// One thing that can go wrong.
struct Case {
    /// The name of its test.
    name: &'static str,
    /// What goes wrong.
    fault: &'static str,
    /// What is promised.
    promised: &'static str,
    play: fn(u64) -> Seen,
}

/// Each case is a test of its own, and a row of the page.
macro_rules! cases {
    ($($name:ident: $fault:literal, $promised:literal;)*) => {
        const CASES: &[Case] = &[$(Case {
            name: stringify!($name),
            fault: $fault,
            promised: $promised,
            play: cases::$name,
        }),*];

        $(#[test]
        fn $name() {
            played(stringify!($name));
        })*
    };
}

cases! {
    leader_killed: "kill -9 of the node that leads the log", "another leads; nothing is lost";
    follower_killed: "kill -9 of another node", "the work goes on";
    two_killed: "kill -9 of two nodes of three, then back", "503 with Retry-After meanwhile; then everything is there";
    all_killed: "kill -9 of all nodes at once, then back", "503 meanwhile; then everything is there";
    leader_cut_off: "the leading node is cut off from both others", "the others go on; the old leader takes nothing";
    follower_cut_off: "another node is cut off from both others", "the work goes on";
    all_cut_apart: "no node sees another", "503 meanwhile; then everything is there";
    program_with_the_minority: "the program and the leading node are cut off together", "503 meanwhile: nothing is acknowledged by a minority";
    disk_of_the_leader_full: "the disk of the leading node is full", "another leads; the node is back when it has room and is started again";
    all_disks_full: "the disks of all nodes are full", "503 meanwhile; then everything is there";
    leader_slow: "the leading node stands still for 90 ms of every 100 ms", "slower, or another leads; nothing is lost";
    writer_stopped: "SIGSTOP of one of two instances of the program, for 5 s", "the other goes on; nothing of the first gets in between when it wakes up";
    writer_killed: "kill -9 of one of two instances of the program", "the other goes on";
    writer_killed_again_and_again: "kill -9 of the instance that writes, again and again", "the other goes on each time";
    clock_behind: "kill -9 of one instance; the clock of the other stands in 2020", "the other goes on; recorded times still grow";
    late_syncs: "a node comes back that syncs late", "an opening is refused that names it; an open log goes on";
    bit_flipped: "a bit of a stored command flips on a node that is down", "it is healed from the others";
}

/// Plays a case in a process of its own, and gives what it saw.
fn played(name: &str) -> Option<Seen> {
    const ROW: &str = "seen: ";
    let case = CASES.iter().find(|case| case.name == name).expect("a case of the table");
    let seed = seed();
    let said = place::inside(&format!("faults::{name}"), || {
        tell(&format!("{name}: SEED={seed}: {}; promised: {}", case.fault, case.promised));
        let seen = (case.play)(seed);
        tell(&format!("{ROW}{}", serde_json::to_string(&seen).expect("JSON")));
    })?;
    tell(&said);
    let row = said.lines().find_map(|line| line.strip_prefix(ROW)).expect("what was seen");
    Some(serde_json::from_str(row).expect("JSON"))
}

#[expect(clippy::print_stdout, reason = "what is promised and what is seen is told")]
fn tell(what: &str) {
    println!("{what}");
}

fn seed() -> u64 {
    std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}
