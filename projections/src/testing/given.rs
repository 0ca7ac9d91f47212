//! Histories for the tests of views, one event per line.

use crate::testing::sample::RULES;
use crate::{AsOf, CommitSource, History, Query, Report};
use domain::Commit;
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;
use std::sync::Arc;

/// When it was true (a day means noon), stream, type (`?` before it: a fixture), data.
pub type GivenLine<'a> = (&'a str, &'a str, &'a str, &'a str);

/// One commit per line, all recorded in 2026, long after they were true. `RULES` in the data stands
/// for [`RULES`], `H` in quotes for a hash.
pub fn commits(lines: &[GivenLine<'_>]) -> Vec<Arc<Commit>> {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut versions = BTreeMap::new();
    let encoded = (1_i64..).zip(lines).map(|(position, (at, stream, kind, data))| {
        let version = versions.entry(*stream).or_insert(0_u64);
        *version += 1;
        let recorded_at = start + position.minutes();
        let at = if at.contains('T') { (*at).to_owned() } else { format!("{at}T12:00:00Z") };
        let (kind, confidence) = match kind.strip_prefix('?') {
            Some(kind) => (kind, "fixture"),
            None => (*kind, "published"),
        };
        let zeros = "0".repeat(64);
        let data = data.replace("RULES", RULES).replace("\"H\"", &format!("\"{zeros}\""));
        let category = stream.split('-').next().unwrap();
        format!(
            r#"{{"actor":{{"id":"someone","role":"programme_officer"}},"command":"test.do","command_hash":"{zeros}","command_id":"test/{position}","commit_id":"0191dbf2-3c00-7a1b-8000-000000000000","decided_on":{{}},"events":[{{"data":{data},"effective_at":"{at}","schema_version":1,"stream":"{stream}","type":"{category}.{kind}","version":{version}}}],"evidence":{{"confidence":"{confidence}","source":"src"}},"position":{position},"received_at":"{recorded_at}","recorded_at":"{recorded_at}"}}"#,
        )
    });
    let decode = |json: String| match Commit::decode(json.as_bytes()) {
        Ok(commit) => Arc::new(commit),
        Err(error) => panic!("{error}: {json}"),
    };
    encoded.map(decode).collect()
}

/// What a view answers about such a history, as of the end of a day (or always).
pub fn report(view: &str, lines: &[GivenLine<'_>], day: Option<&str>) -> Report {
    let commits = commits(lines);
    let mut history = History::default();
    commits.iter().for_each(|commit| history.apply(commit));
    let as_of = day.map(|day| format!("{day}T23:59:59Z").parse().unwrap());
    let query = Query::at(AsOf { as_of, ..AsOf::NOW });
    let source: &dyn CommitSource = &commits;
    history.report(view, &query, source).unwrap().unwrap()
}

/// The rows of a table as text, cells between bars: easy to write by hand.
pub fn rows(report: &Report, table: &str) -> Vec<String> {
    let table = report.table(table).unwrap();
    let row = |cells: &Vec<crate::Cell>| {
        cells.iter().map(crate::Cell::to_text).collect::<Vec<_>>().join("|")
    };
    table.rows.iter().chain(&table.totals).map(row).collect()
}
