//! What a reader may count on: whole groups in order, bounded reads, and being told of new ones.

use std::sync::Arc;

use super::{Factory, Verdict, all, ensure, numbered, rest};
use crate::log::{Error, Group, Log, Position};
use crate::tail::tail;

pub(super) async fn a_new_log_is_empty(factory: &dyn Factory, name: &str) -> Verdict {
    let log = factory.open(name).await?;
    ensure!(log.head().await? == 0, "the head of a new log is not 0");
    ensure!(log.wait_for(0).await? == 0, "waiting for 0 is not answered at once");
    for from in [0, 1, 2, i64::MAX as Position, Position::MAX] {
        let read = log.read(from, 1 << 20).await?;
        ensure!(read.is_empty(), "reading an empty log from {from} gave {read:?}");
    }
    Ok(())
}

/// Appends groups of 1, 2, 3 and so on entries.
async fn stairs(log: &dyn Log, groups: usize) -> Result<Position, Error> {
    let mut head = 0;
    for count in 1..=groups {
        head = log.append(head, numbered(head + 1, count)).await?;
    }
    Ok(head)
}

pub(super) async fn a_read_from_the_middle_of_a_group_is_trimmed(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let head = stairs(&*log, 5).await?;
    let whole = all(&*log).await?;
    for from in 1..=head {
        let read = rest(&*log, from).await?;
        let expected: Vec<Group> = whole
            .iter()
            .filter(|group| group.last() >= from)
            .map(|group| group.clone().trimmed(from))
            .collect();
        ensure!(read == expected, "reading from {from} gave {read:?}");
    }
    ensure!(rest(&*log, 0).await? == whole, "reading from 0 is not reading from 1");
    ensure!(log.read(head + 1, 1 << 20).await?.is_empty(), "there is something past the head");
    Ok(())
}

pub(super) async fn a_read_is_bounded_and_always_gets_on(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let head = stairs(&*log, 8).await?;
    let whole = all(&*log).await?;
    for bytes_max in [0, 1, 10, 50, 100, 1_000, usize::MAX] {
        let mut read = Vec::<Group>::new();
        while read.last().map_or(0, Group::last) < head {
            let from = read.last().map_or(1, |group| group.last() + 1);
            let more = log.read(from, bytes_max).await?;
            ensure!(!more.is_empty(), "reading {bytes_max} bytes from {from} does not get on");
            let bytes: usize = more.iter().flat_map(|group| &group.entries).map(|e| e.len()).sum();
            ensure!(
                more.len() == 1 || bytes <= bytes_max,
                "reading {bytes_max} bytes from {from} gave {bytes}"
            );
            read.extend(more);
        }
        ensure!(read == whole, "reads of {bytes_max} bytes are not the whole log");
    }
    Ok(())
}

pub(super) async fn waiting_ends_when_the_head_is_reached(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let waiting: Vec<_> = [1, 2, 3, 5]
        .into_iter()
        .map(|position| {
            let log = log.clone();
            (position, tokio::spawn(async move { log.wait_for(position).await }))
        })
        .collect();
    tokio::task::yield_now().await;
    log.append(0, numbered(1, 2)).await?;
    log.append(2, numbered(3, 1)).await?;
    log.append(3, numbered(4, 2)).await?;
    for (position, waiter) in waiting {
        let head = waiter.await??;
        ensure!(head >= position, "waiting for {position} ended at {head}");
    }
    ensure!(log.wait_for(4).await? == 5, "waiting for the past does not tell the head");
    Ok(())
}

pub(super) async fn a_tail_sees_every_entry_once_and_in_order(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    const GROUPS: usize = 40;
    let log = factory.open(name).await?;
    let follow = |log: Arc<dyn Log>| async move {
        let mut tail = tail(log, 1);
        let mut seen = Vec::new();
        while seen.len() < GROUPS {
            seen.push(tail.next_group().await?);
        }
        Ok::<_, Error>(seen)
    };
    let followers = [tokio::spawn(follow(log.clone())), tokio::spawn(follow(log.clone()))];
    stairs(&*log, GROUPS).await?;
    let late = tokio::spawn(follow(log.clone()));
    let whole = all(&*log).await?;
    for follower in followers.into_iter().chain([late]) {
        ensure!(follower.await?? == whole, "a tail did not see what the log holds");
    }
    Ok(())
}

pub(super) async fn a_tail_can_start_in_the_middle(factory: &dyn Factory, name: &str) -> Verdict {
    let log = factory.open(name).await?;
    stairs(&*log, 3).await?;
    let mut tail = tail(log.clone(), 5);
    let first = tail.next_group().await?;
    ensure!(first == Group { first: 5, entries: numbered(5, 2) }, "it began with {first:?}");
    log.append(6, numbered(7, 2)).await?;
    let next = tail.next_group().await?;
    ensure!(next == Group { first: 7, entries: numbered(7, 2) }, "it went on with {next:?}");
    Ok(())
}
