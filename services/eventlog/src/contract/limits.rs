//! What may be stored: the limits of entries and groups, and every text within them.

use bytes::Bytes;

use super::{Factory, Verdict, all, ensure, entries};
use crate::log::{ENTRY_BYTES_MAX, Error, GROUP_BYTES_MAX, GROUP_ENTRIES_MAX};

pub(super) async fn entries_that_are_not_one_line_of_text_are_refused(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let good = Bytes::from_static(b"good");
    let bad: [(&str, &'static [u8]); 4] = [
        ("an empty entry", b""),
        ("a newline within", b"one\ntwo"),
        ("a newline at the end", b"one\n"),
        ("bytes that are not UTF-8", b"\xff\xfe"),
    ];
    for (what, entry) in bad {
        let got = log.append(0, vec![good.clone(), Bytes::from_static(entry)]).await;
        ensure!(matches!(got, Err(Error::BadEntry { index: 1, .. })), "{what} gave {got:?}");
    }
    let got = log.append(0, Vec::new()).await;
    ensure!(matches!(got, Err(Error::BadEntry { index: 0, .. })), "no entries gave {got:?}");
    ensure!(log.head().await? == 0, "a refused group moved the head");
    ensure!(all(&*log).await?.is_empty(), "a refused group was stored");
    Ok(())
}

pub(super) async fn entries_and_groups_over_a_limit_are_refused(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let long = vec![Bytes::from("x".repeat(ENTRY_BYTES_MAX + 1))];
    let many = vec![Bytes::from_static(b"x"); GROUP_ENTRIES_MAX + 1];
    let heavy =
        vec![Bytes::from("x".repeat(ENTRY_BYTES_MAX)); GROUP_BYTES_MAX / ENTRY_BYTES_MAX + 1];
    for (what, group) in [("entry", long), ("number of entries", many), ("group", heavy)] {
        let got = log.append(0, group).await;
        ensure!(matches!(got, Err(Error::TooLarge { .. })), "too large a {what} gave {got:?}");
    }
    ensure!(log.head().await? == 0, "a refused group moved the head");
    ensure!(all(&*log).await?.is_empty(), "a refused group was stored");
    Ok(())
}

pub(super) async fn the_largest_entries_and_groups_are_stored(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let many = vec![Bytes::from_static(b"x"); GROUP_ENTRIES_MAX];
    let mut heavy =
        vec![Bytes::from("x".repeat(ENTRY_BYTES_MAX)); GROUP_BYTES_MAX / ENTRY_BYTES_MAX];
    let used = heavy.len() * (ENTRY_BYTES_MAX + 1);
    heavy.push(Bytes::from("y".repeat(GROUP_BYTES_MAX - used)));
    let mut head = 0;
    for group in [many, heavy] {
        let new_head = log.append(head, group.clone()).await?;
        let read = log.read(head + 1, GROUP_BYTES_MAX).await?;
        ensure!(read.len() == 1 && read[0].entries == group, "a large group reads back changed");
        head = new_head;
    }
    ensure!(all(&*log).await?.len() == 2, "two large groups are {head} entries in two groups");
    Ok(())
}

pub(super) async fn limits_are_checked_before_the_head(
    factory: &dyn Factory,
    name: &str,
) -> Verdict {
    let log = factory.open(name).await?;
    let got = log.append(7, entries(&[""])).await;
    ensure!(matches!(got, Err(Error::BadEntry { .. })), "a bad entry at a bad head gave {got:?}");
    Ok(())
}

pub(super) async fn any_text_reads_back_as_it_was(factory: &dyn Factory, name: &str) -> Verdict {
    let log = factory.open(name).await?;
    let texts = entries(&[
        "{\"title\":\"Ünïcödé, ελληνικά, العربية, 漢字, 🇪🇺\"}",
        "combining: e\u{301}, bidirectional: \u{202e}abc, byte order mark: \u{feff}",
        "carriage return \r, tab \t, nul \0, delete \u{7f}, line separator \u{2028}",
        "quotes ' \" ` \\ -- ; ? % ?1 :a @b",
        " ",
        "0",
    ]);
    log.append(0, texts.clone()).await?;
    for (index, text) in texts.iter().enumerate() {
        log.append((texts.len() + index) as u64, vec![text.clone()]).await?;
    }
    let read: Vec<Bytes> = all(&*log).await?.into_iter().flat_map(|group| group.entries).collect();
    ensure!(read == [texts.clone(), texts].concat(), "text was changed: {read:?}");
    Ok(())
}
