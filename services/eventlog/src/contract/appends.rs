//! What an append promises: all or nothing, one winner for each head, and that it stays.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Factory, Verdict, all, ensure, entries, numbered};
use crate::log::{Error, Group, Log, Position};

/// Appenders that fight for the same heads, and how often each must win.
const RIVALS: usize = 8;
const WINS_EACH: usize = 5;

pub(super) async fn appended_groups_read_back_as_they_were(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let groups = [entries(&["a"]), entries(&["b", "c", "d"]), entries(&["e", "f"])];
    let mut expected = Vec::<Group>::new();
    let mut head = 0;
    for entries in groups {
        expected.push(Group { first: head + 1, entries: entries.clone() });
        head = log.append(head, entries).await?;
        ensure!(head == expected[expected.len() - 1].last(), "the append returned {head}");
        ensure!(log.head().await? == head, "the head is not what the append returned");
    }
    let read = all(&*log).await?;
    ensure!(read == expected, "the groups read back as {read:?}");
    Ok(())
}

pub(super) async fn a_wrong_expected_head_is_a_conflict_and_changes_nothing(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let ahead = log.append(1, entries(&["x"])).await;
    ensure!(
        ahead == Err(Error::Conflict { expected: 1, actual: 0 }),
        "an append ahead of an empty log gave {ahead:?}"
    );
    log.append(0, numbered(1, 3)).await?;
    for expected in [0, 1, 2, 4, 1 << 40, i64::MAX as Position, Position::MAX] {
        let got = log.append(expected, entries(&["x", "y"])).await;
        ensure!(
            got == Err(Error::Conflict { expected, actual: 3 }),
            "expecting {expected} gave {got:?}"
        );
    }
    let read = all(&*log).await?;
    ensure!(
        read == [Group { first: 1, entries: numbered(1, 3) }],
        "a conflict changed the log to {read:?}"
    );
    ensure!(log.append(3, entries(&["x"])).await? == 4, "the right head after conflicts failed");
    Ok(())
}

pub(super) async fn of_concurrent_appenders_exactly_one_wins_each_head(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let rivals: Vec<_> = (0..RIVALS).map(|rival| tokio::spawn(fight(log.clone(), rival))).collect();
    let mut won = BTreeSet::new();
    for rival in rivals {
        for (first, group) in rival.await?? {
            ensure!(won.insert((first, group)), "two appends were told that they won {first}");
        }
    }
    let stored = all(&*log).await?;
    let mut next = 1;
    for group in &stored {
        ensure!(group.first == next, "there is a gap before {}", group.first);
        next = group.last() + 1;
    }
    let stored: BTreeSet<_> =
        stored.into_iter().map(|group| (group.first, group.entries)).collect();
    ensure!(stored == won, "what was stored is not what was acknowledged");
    Ok(())
}

/// Appends groups of two until it has won often enough, and tells what it won.
async fn fight(log: Arc<dyn Log>, rival: usize) -> Result<Vec<(Position, Vec<Bytes>)>, Error> {
    let mut won = Vec::new();
    while won.len() < WINS_EACH {
        let head = log.head().await?;
        let group = entries(&[&format!("{rival}, {}", won.len()), "second"]);
        match log.append(head, group.clone()).await {
            Ok(_) => won.push((head + 1, group)),
            Err(Error::Conflict { .. }) => tokio::task::yield_now().await,
            Err(error) => return Err(error),
        }
    }
    Ok(won)
}

pub(super) async fn a_dropped_append_is_stored_whole_or_not_at_all(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let dropped = {
        let log = log.clone();
        tokio::spawn(async move { log.append(0, numbered(1, 50)).await })
    };
    tokio::task::yield_now().await;
    dropped.abort();
    let _ = dropped.await;
    // Whatever became of it, the log goes on from its head.
    let head = loop {
        let head = log.head().await?;
        match log.append(head, entries(&["after"])).await {
            Ok(_) => break head,
            Err(Error::Conflict { .. }) => (),
            Err(error) => return Err(error.into()),
        }
    };
    ensure!(head == 0 || head == 50, "{head} of 50 entries of a dropped append were stored");
    Ok(())
}

pub(super) async fn a_reopened_log_holds_what_was_acknowledged(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    if !factory.persists() {
        return Ok(());
    }
    let mut expected = Vec::new();
    for opening in 0..4_u64 {
        let log = factory.open(name).await?;
        ensure!(log.head().await? == opening * 3, "the head was lost at opening {opening}");
        let read = all(&*log).await?;
        ensure!(read == expected, "opening {opening} found {read:?}");
        for (head, count) in [(opening * 3, 1), (opening * 3 + 1, 2)] {
            let entries = numbered(head + 1, count);
            log.append(head, entries.clone()).await?;
            expected.push(Group { first: head + 1, entries });
        }
    }
    Ok(())
}
