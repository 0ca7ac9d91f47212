//! The judge: reads the log by itself, from each node alone, and holds it against what callers were
//! told. It shares no code with the program.

use super::load::Told;
use crate::invariants::Checker;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a node may take for one part of an answer.
const ANSWER_WAIT: Duration = Duration::from_millis(300);
/// So often is asked: servers pass a question on to any node that may answer, and the others stand
/// still.
const TRIES: usize = 40;
/// So many messages are asked for at once.
const BATCH: u64 = 1_000;

/// What came for one question.
#[derive(Default)]
struct Batch {
    bodies: Vec<String>,
    is_last: bool,
}

/// The entries of a log as one node hands them out, a line each.
pub fn read_node(node: (Ipv4Addr, u16), stream: &str) -> io::Result<String> {
    let (mut log, mut next) = (String::new(), 1_u64);
    loop {
        let batch = (1..TRIES).find_map(|_| ask(node, stream, next).ok());
        let batch = batch.map_or_else(|| ask(node, stream, next), Ok)?;
        next += batch.bodies.len() as u64;
        log.extend(batch.bodies.iter().map(String::as_str));
        if batch.is_last || batch.bodies.is_empty() {
            return Ok(log);
        }
    }
}

fn ask(node: (Ipv4Addr, u16), stream: &str, from: u64) -> io::Result<Batch> {
    let connection = TcpStream::connect_timeout(&SocketAddr::from(node), ANSWER_WAIT)?;
    connection.set_read_timeout(Some(ANSWER_WAIT))?;
    let mut answers = BufReader::new(connection.try_clone()?);
    let ask = json!({ "seq": from, "next_by_subj": format!("{stream}.log"), "batch": BATCH });
    let ask = ask.to_string();
    write!(
        &connection,
        "CONNECT {{\"verbose\":false,\"headers\":true,\"no_responders\":true}}\r\n\
         SUB _INBOX.judge 1\r\n\
         PUB $JS.API.DIRECT.GET.{stream} _INBOX.judge {}\r\n{ask}\r\n",
        ask.len()
    )?;
    let mut batch = Batch::default();
    while take(&mut answers, from, &mut batch)? {}
    Ok(batch)
}

/// Takes the next message; false at the end of the batch.
fn take(answers: &mut impl BufRead, from: u64, batch: &mut Batch) -> io::Result<bool> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    if answers.read_line(&mut line)? == 0 || line.starts_with("-ERR") {
        return Err(wrong(&line));
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["HMSG", _, _, head, all] = words[..] else { return Ok(true) };
    let number = |text: &str| text.parse::<usize>().map_err(|_| wrong("no length"));
    let (head, all) = (number(head)?, number(all)?);
    let mut bytes = vec![0; all + 2];
    answers.read_exact(&mut bytes)?;
    let headers = String::from_utf8_lossy(&bytes[..head]).into_owned();
    match headers.lines().next().unwrap_or_default().trim_start_matches("NATS/1.0").trim() {
        "" => {
            // A node that is still catching up may have later messages and not this one.
            let sequence = format!("Nats-Sequence: {}\r", from + batch.bodies.len() as u64);
            if !headers.contains(&sequence) {
                return Err(wrong("a message is missing"));
            }
            let body = String::from_utf8(bytes[head..all].to_vec());
            let mut body = body.map_err(|_| wrong("a body that is no text"))?;
            // A mark of a writer that took over has no entries, and so no line.
            if !body.is_empty() {
                body.push('\n');
            }
            batch.bodies.push(body);
            Ok(true)
        }
        // The end of the batch, and "no such message".
        end if end.starts_with("204") || end.starts_with("404") => {
            batch.is_last = end.starts_with("404") || headers.contains("Nats-Num-Pending: 0\r");
            Ok(false)
        }
        other => Err(wrong(other)),
    }
}

/// Everything that must hold between a log and what callers were told.
pub fn judge(log: &str, told: &Told) -> Result<(), String> {
    let mut checker = Checker::default();
    let mut stored: BTreeMap<String, u64> = BTreeMap::new();
    for line in log.lines() {
        // No gap, no command twice, versions, books.
        checker.check(line)?;
        let commit: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let id = commit["command_id"].as_str().ok_or("a commit without a command")?;
        stored.insert(id.to_owned(), commit["position"].as_u64().ok_or("no position")?);
    }
    for (id, place) in &told.places {
        match stored.get(id) {
            Some(found) if found == place => (),
            found => return Err(format!("{id} was acknowledged at {place} and lies at {found:?}")),
        }
    }
    let abandoned: BTreeSet<&String> = told.abandoned.iter().collect();
    let mut unknown = stored.keys().filter(|id| !told.places.contains_key(*id));
    match unknown.find(|id| !abandoned.contains(id)) {
        Some(id) => Err(format!("{id} is in the log, and nobody has given it")),
        None => Ok(()),
    }
}

#[test]
fn the_judge_sees_what_is_wrong() {
    let commit = |position: u64, id: &str| {
        let event = json!({
            "stream": "fund-F", "type": "fund.AppropriationVoted", "version": position,
            "data": { "fund": "F", "line": "l", "source": "s", "amount": "EUR 1.00" },
        });
        let at = format!("2026-01-01T00:00:0{position}Z");
        let commit = json!({
            "position": position, "recorded_at": at, "command_id": id, "events": [event],
        });
        format!("{commit}\n")
    };
    let told = |places: &[(&str, u64)]| Told {
        places: places.iter().map(|(id, at)| ((*id).to_owned(), *at)).collect(),
        abandoned: vec!["left".to_owned()],
        ..Told::default()
    };
    let log = commit(1, "a") + &commit(2, "left") + &commit(3, "b");
    assert_eq!(judge(&log, &told(&[("a", 1), ("b", 3)])), Ok(()));
    for (log, places, breach) in [
        (commit(1, "a"), vec![("a", 1), ("b", 2)], "b was acknowledged at 2 and lies at None"),
        (log.clone(), vec![("a", 1), ("b", 2)], "b was acknowledged at 2 and lies at Some(3)"),
        (log, vec![("a", 1)], "b is in the log, and nobody has given it"),
        (commit(1, "a") + &commit(2, "a"), vec![("a", 1)], "decided twice"),
        (commit(1, "a") + &commit(3, "b"), vec![("a", 1)], "a gap"),
    ] {
        let said = judge(&log, &told(&places)).unwrap_err();
        assert!(said.contains(breach), "{said}");
    }
}
