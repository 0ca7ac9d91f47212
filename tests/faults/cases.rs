//! The cases: what goes wrong, when, and when it is over.

use super::place::{NODES, fill, make_room, signal};
use super::stage::{Seen, Stage, at_last};
use std::time::{Duration, Instant};

/// So many commands are acknowledged while a fault lasts that must not stop the work.
const ENOUGH: usize = 50;
/// So many answers 503 show that a fault has stopped the work.
const REFUSALS: usize = 10;
/// How long a fault lasts that does not show by itself; a lease lasts about 2 s.
const A_WHILE: Duration = Duration::from_secs(5);
/// The size of a small disk, in megabytes.
const SMALL_DISK: u32 = 48;

pub fn leader_killed(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let (leader, _) = stage.leader();
    stage.fault_begins();
    stage.cluster.servers[leader].kill();
    stage.wait_for_acknowledgements(ENOUGH);
    stage.fault_ends();
    stage.cluster.servers[leader].start_again();
    stage.finish()
}

pub fn follower_killed(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let (_, [follower, _]) = stage.leader();
    stage.fault_begins();
    stage.cluster.servers[follower].kill();
    stage.wait_for_acknowledgements(ENOUGH);
    stage.fault_ends();
    stage.cluster.servers[follower].start_again();
    stage.finish()
}

pub fn two_killed(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let (leader, [follower, _]) = stage.leader();
    stage.cluster.servers[leader].kill();
    stage.cluster.servers[follower].kill();
    stage.fault_begins();
    stage.wait_for_refusals(REFUSALS);
    stage.nothing_was_acknowledged();
    stage.fault_ends();
    stage.cluster.start_all_again();
    stage.finish()
}

pub fn all_killed(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    stage.cluster.servers.iter_mut().for_each(|server| server.kill());
    stage.fault_begins();
    stage.wait_for_refusals(REFUSALS);
    stage.nothing_was_acknowledged();
    stage.fault_ends();
    stage.cluster.start_all_again();
    stage.finish()
}

/// The program is connected to that node, and could reach the others.
pub fn leader_cut_off(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let (leader, _) = stage.leader();
    stage.move_instance(0, leader);
    stage.wait_for_acknowledgements(ENOUGH);
    let (leader, others) = stage.leader();
    others.iter().for_each(|other| stage.network.cut(leader, *other));
    stage.fault_begins();
    stage.wait_for_acknowledgements(ENOUGH);
    stage.fault_ends();
    others.iter().for_each(|other| stage.network.heal(leader, *other));
    stage.finish()
}

pub fn follower_cut_off(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let (leader, [follower, other]) = stage.leader();
    [leader, other].iter().for_each(|node| stage.network.cut(follower, *node));
    stage.fault_begins();
    stage.wait_for_acknowledgements(ENOUGH);
    let until = Instant::now() + A_WHILE;
    at_last("a while is over", || (Instant::now() >= until).then_some(()));
    stage.fault_ends();
    [leader, other].iter().for_each(|node| stage.network.heal(follower, *node));
    stage.finish()
}

pub fn all_cut_apart(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let pairs = [(0, 1), (1, 2), (2, 0)];
    pairs.iter().for_each(|(node, other)| stage.network.cut(*node, *other));
    stage.fault_begins();
    stage.wait_for_refusals(REFUSALS);
    stage.nothing_was_acknowledged();
    stage.fault_ends();
    pairs.iter().for_each(|(node, other)| stage.network.heal(*node, *other));
    stage.finish()
}

/// The program sees the leader only, and the leader nobody else.
pub fn program_with_the_minority(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let (leader, others) = stage.leader();
    for other in others {
        stage.network.cut(leader, other);
        stage.network.cut_from_program(other);
    }
    stage.fault_begins();
    stage.wait_for_refusals(REFUSALS);
    stage.nothing_was_acknowledged();
    stage.fault_ends();
    for other in others {
        stage.network.heal(leader, other);
        stage.network.heal_to_program(other);
    }
    stage.finish()
}

pub fn disk_of_the_leader_full(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], Some(SMALL_DISK));
    let (leader, _) = stage.leader();
    stage.fault_begins();
    fill(stage.cluster.servers[leader].store());
    stage.wait_for_acknowledgements(ENOUGH);
    let until = Instant::now() + A_WHILE;
    at_last("a while is over", || (Instant::now() >= until).then_some(()));
    stage.wait_for_acknowledgements(ENOUGH);
    stage.fault_ends();
    make_room(stage.cluster.servers[leader].store());
    stage.cluster.servers[leader].kill();
    stage.cluster.servers[leader].start_again();
    stage.finish()
}

pub fn all_disks_full(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], Some(SMALL_DISK));
    stage.fault_begins();
    stage.cluster.servers.iter().for_each(|server| fill(server.store()));
    stage.wait_for_refusals(REFUSALS);
    stage.cluster.servers.iter().for_each(|server| make_room(server.store()));
    for server in &mut stage.cluster.servers {
        server.kill();
    }
    stage.fault_ends();
    stage.cluster.start_all_again();
    stage.finish()
}

/// It stands still for 90 ms of every 100 ms.
pub fn leader_slow(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let (leader, _) = stage.leader();
    let pid = stage.cluster.servers[leader].pid().expect("it runs");
    stage.fault_begins();
    let until = Instant::now() + A_WHILE;
    while Instant::now() < until {
        signal(pid, "STOP");
        std::thread::sleep(Duration::from_millis(90));
        signal(pid, "CONT");
        std::thread::sleep(Duration::from_millis(10));
    }
    stage.fault_ends();
    stage.finish()
}

pub fn writer_stopped(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[], &[]], None);
    let pid = stage.instances[0].as_ref().expect("it runs").pid();
    stage.fault_begins();
    signal(pid, "STOP");
    let until = Instant::now() + A_WHILE;
    at_last("a while is over", || (Instant::now() >= until).then_some(()));
    stage.wait_for_acknowledgements(ENOUGH);
    stage.fault_ends();
    signal(pid, "CONT");
    stage.finish()
}

pub fn writer_killed(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[], &[]], None);
    stage.fault_begins();
    stage.instances[0] = None;
    stage.wait_for_acknowledgements(ENOUGH);
    stage.fault_ends();
    stage.finish()
}

/// Two instances in turn; the one that is left goes on before the other is there again.
pub fn writer_killed_again_and_again(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[], &[]], None);
    stage.fault_begins();
    for kill in 0..super::page::kills() {
        let writer = kill % 2;
        stage.kill_and_time(writer);
        stage.start_again(writer, &[]);
    }
    stage.fault_ends();
    stage.finish()
}

/// The clock of the one that takes over stands in the past.
pub fn clock_behind(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[], &["--clock", "2020-01-01T00:00:00Z"]], None);
    stage.fault_begins();
    stage.instances[0] = None;
    stage.wait_for_acknowledgements(ENOUGH);
    stage.fault_ends();
    stage.finish()
}

pub fn late_syncs(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let (_, [follower, _]) = stage.leader();
    let settings = eventlog::nats::server::THREE_NODES;
    stage.fault_begins();
    let server = &mut stage.cluster.servers[follower];
    server.replace_settings(&settings.replace("sync_interval: always", ""));
    server.kill();
    server.start_again();
    let said = at_last("the opening is refused", || {
        let output = stage.program(&["verify"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code() == Some(4) && said.contains("sync_interval")).then_some(said)
    });
    assert!(said.contains(&format!("server {}", NODES[follower])), "{said}");
    let server = &mut stage.cluster.servers[follower];
    server.replace_settings(settings);
    server.kill();
    server.start_again();
    stage.fault_ends();
    stage.finish()
}

/// One bit of a stored command, on the disk of a node that stood still meanwhile.
pub fn bit_flipped(seed: u64) -> Seen {
    let mut stage = Stage::set(seed, &[&[]], None);
    let (_, [follower, _]) = stage.leader();
    stage.fault_begins();
    let server = &mut stage.cluster.servers[follower];
    server.kill();
    let block = server.store().join("jetstream/TRANCHE/streams/faults/msgs/1.blk");
    let mut bytes = std::fs::read(&block).expect("the messages of the node");
    let place = bytes.windows(12).rposition(|part| part == b"command_id\":").expect("a command");
    bytes[place] ^= 1;
    std::fs::write(&block, bytes).expect("tests can write to their directory");
    server.start_again();
    stage.wait_for_acknowledgements(ENOUGH);
    // Should it ever lead, it says until its next start that it dropped bytes, and no log opens on it: so
    // whoever runs it starts it once more.
    let server = &mut stage.cluster.servers[follower];
    server.kill();
    server.start_again();
    stage.wait_for_acknowledgements(ENOUGH);
    stage.fault_ends();
    stage.finish()
}
