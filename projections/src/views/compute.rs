//! Compute time: offered, awarded, used and left, by offer, partition and access mode. Seconds of
//! different units or partitions are never added.

use crate::folds::compute::{Allocation, Compute as Facts};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::kernel::compute::{ComputeTime, Unit};
use domain::kernel::ids::{AccessMode, ContestantKey, PartitionKey};
use std::collections::BTreeMap;

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Compute;

/// A unit of a partition: sums never cross it.
type Measure = (PartitionKey, Unit);

/// Sums of one measure, in seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    awarded: i64,
    count: u64,
    requested: i64,
    used: i64,
}

impl View for Compute {
    type Facts = Facts;
    const NAME: &'static str = "compute";
    const SUMMARY: &'static str = "Compute time offered, awarded, used and left";

    fn report(facts: &Facts, _: &Query) -> Report {
        Report::new(Self::NAME, "Compute time")
            .with(facts.offers())
            .with(facts.partitions())
            .with(facts.modes())
            .with(facts.allocations())
            .with(facts.prizes())
            .note("Different units are never added, so there are no totals.")
            .note("A pool of several partitions goes under its own name.")
    }
}

impl Allocation {
    /// Whether more is used than awarded, and whether somebody said why.
    fn overrun(&self) -> Option<&'static str> {
        self.left().filter(|left| left.seconds < 0)?;
        Some(if self.overrun { "explained" } else { "not explained" })
    }

    fn system(&self) -> String {
        match &*self.places {
            [] => String::new(),
            [place] => place.system.to_string(),
            places => {
                let systems: std::collections::BTreeSet<&str> =
                    places.iter().map(|place| place.system.as_str()).collect();
                systems.into_iter().collect::<Vec<_>>().join(" + ")
            }
        }
    }

    fn add_to(&self, sums: &mut BTreeMap<Measure, Sums>) {
        let waits = self.requested.as_ref().filter(|_| self.awarded.is_none() && !self.is_over());
        let first = self.awarded.as_ref().or(waits);
        let measure = |time: &ComputeTime| (time.partition.clone(), time.unit);
        let Some(first) = first else { return };
        sums.entry(measure(first)).or_default().count += 1;
        if let Some(time) = waits {
            let sums = sums.entry(measure(time)).or_default();
            sums.requested = sums.requested.saturating_add(time.seconds);
        }
        if let (Some(time), Some(used)) = (&self.awarded, self.used()) {
            let sums = sums.entry(measure(time)).or_default();
            sums.awarded = sums.awarded.saturating_add(time.seconds);
            sums.used = sums.used.saturating_add(used.seconds);
        }
    }
}

impl Facts {
    fn offers(&self) -> Table {
        let mut table = Table::new(
            "offers",
            "By offer",
            &[
                ("system", "System", Kind::Text),
                ("country", "Country", Kind::Text),
                ("partition", "Partition", Kind::Text),
                ("offer", "Offer", Kind::Text),
                ("offered", "Offered", Kind::Compute),
                ("awarded", "Awarded", Kind::Compute),
                ("left", "Left", Kind::Compute),
            ],
        )
        .named_by(&["system", "country", "partition", "offer"]);
        for (id, system) in &self.systems {
            for (partition, offers) in &system.offers {
                for (key, offer) in offers {
                    let (offered, unit) = offer.offered.unwrap_or_default();
                    let time = |seconds| match unit {
                        Some(unit) => time(partition, unit, seconds),
                        None => Cell::Unknown,
                    };
                    table.push([
                        Cell::text(id),
                        system.country.map_or(Cell::Unknown, Cell::text),
                        Cell::text(partition),
                        Cell::text(key),
                        time(offered),
                        time(offer.drawn),
                        time(offered.saturating_sub(offer.drawn)),
                    ]);
                }
            }
        }
        table
    }

    fn partitions(&self) -> Table {
        let columns = [("system", "System", Kind::Text)];
        let table = self.sums("partitions", "By partition", &columns, |it| vec![it.system()]);
        table.named_by(&["system", "partition"])
    }

    fn modes(&self) -> Table {
        let columns = [("call", "Call", Kind::Text), ("mode", "Mode", Kind::Text)];
        let table = self.sums("modes", "By call and access mode", &columns, |it| {
            let direct = || "granted directly".to_owned();
            let call = it.call.as_ref().map(ToString::to_string).unwrap_or_default();
            vec![call, it.mode.as_ref().map_or_else(direct, ToString::to_string)]
        });
        table.named_by(&["call", "mode", "partition"])
    }

    fn sums(
        &self,
        key: &'static str,
        title: &str,
        names: &[(&'static str, &'static str, Kind)],
        of: impl Fn(&Allocation) -> Vec<String>,
    ) -> Table {
        let mut columns = names.to_vec();
        columns.extend([
            ("partition", "Partition", Kind::Text),
            ("allocations", "Allocations", Kind::Count),
            ("requested", "Requested", Kind::Compute),
            ("awarded", "Awarded", Kind::Compute),
            ("used", "Used", Kind::Compute),
            ("left", "Awarded - used", Kind::Compute),
        ]);
        let mut groups: BTreeMap<Vec<String>, BTreeMap<Measure, Sums>> = BTreeMap::new();
        for allocation in self.allocations.values() {
            allocation.add_to(groups.entry(of(allocation)).or_default());
        }
        let mut table = Table::new(key, title, &columns);
        for (names, measures) in groups {
            for ((partition, unit), sums) in measures {
                let mut row: Vec<Cell> = names.iter().map(|name| name.as_str().into()).collect();
                row.extend([
                    Cell::text(&partition),
                    sums.count.into(),
                    time(&partition, unit, sums.requested),
                    time(&partition, unit, sums.awarded),
                    time(&partition, unit, sums.used),
                    time(&partition, unit, sums.awarded.saturating_sub(sums.used)),
                ]);
                table.rows.push(row);
            }
        }
        table
    }

    fn allocations(&self) -> Table {
        let mut table = Table::new(
            "allocations",
            "Allocations",
            &[
                ("allocation", "Allocation", Kind::Text),
                ("holder", "Holder", Kind::Text),
                ("mode", "Mode", Kind::Text),
                ("system", "System", Kind::Text),
                ("partition", "Partition", Kind::Text),
                ("state", "State", Kind::Text),
                ("requested", "Requested", Kind::Compute),
                ("awarded", "Awarded", Kind::Compute),
                ("used", "Used", Kind::Compute),
                ("left", "Left", Kind::Compute),
                ("ends", "Ends", Kind::Date),
                ("overrun", "Overrun", Kind::Text),
            ],
        )
        .named_by(&["allocation"]);
        for (id, it) in &self.allocations {
            let state: &'static str = it.phase.into();
            let partition = it.awarded.as_ref().or(it.requested.as_ref()).map(|it| &it.partition);
            let left = it.left().filter(|_| !it.is_over());
            table.push([
                Cell::text(id),
                it.holder.as_deref().map_or(Cell::Unknown, Cell::from),
                Cell::maybe(it.mode.as_ref().map(AccessMode::as_str)),
                it.system().into(),
                Cell::maybe(partition.map(PartitionKey::as_str)),
                state.into(),
                Cell::maybe(it.requested.clone()),
                Cell::maybe(it.awarded.clone()),
                Cell::maybe(it.used()),
                Cell::maybe(left),
                Cell::maybe(it.ends),
                Cell::maybe(it.overrun()),
            ]);
        }
        table
    }

    fn prizes(&self) -> Table {
        let mut table = Table::new(
            "prizes",
            "Hours of prizes",
            &[
                ("prize", "Prize", Kind::Text),
                ("contestant", "Contestant", Kind::Text),
                ("offered", "Offered", Kind::Compute),
                ("awarded", "Awarded", Kind::Compute),
                ("extra", "From another pool", Kind::Compute),
            ],
        )
        .named_by(&["prize", "contestant"]);
        for (id, prize) in &self.prizes {
            table.push([Cell::text(id), Cell::Empty, Cell::maybe(prize.offered.clone())]);
            let contestants: std::collections::BTreeSet<&ContestantKey> =
                prize.parts.keys().chain(prize.extra.keys()).collect();
            for contestant in contestants {
                table.push([
                    Cell::text(id),
                    Cell::text(contestant),
                    Cell::Empty,
                    Cell::maybe(prize.parts.get(contestant).cloned()),
                    Cell::maybe(prize.extra.get(contestant).cloned()),
                ]);
            }
        }
        table
    }
}

fn time(partition: &PartitionKey, unit: Unit, seconds: i64) -> Cell {
    ComputeTime { partition: partition.clone(), seconds, unit }.into()
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{GivenLine, report, rows};

    const DAY: &str = "2025-06-01";

    fn requested<'a>(stream: &'a str, data: &'a str) -> GivenLine<'a> {
        (DAY, stream, "Requested", data)
    }

    fn history() -> Vec<GivenLine<'static>> {
        vec![
            (DAY, "system-LUMI", "Registered", r#"{"country":"FI","partitions":[]}"#),
            (
                DAY,
                "system-LUMI",
                "Offered",
                r#"{"min_seconds":0,"offer":"O","partition":"LUMI-G","seconds":360000,"unit":"node"}"#,
            ),
            (
                DAY,
                "system-LUMI",
                "OfferDrawn",
                r#"{"allocation":"A1","offer":"O","partition":"LUMI-G","seconds":180000}"#,
            ),
            (
                DAY,
                "system-LUMI",
                "OfferReturned",
                r#"{"allocation":"A1","offer":"O","partition":"LUMI-G","seconds":36000}"#,
            ),
            requested(
                "allocation-A1",
                r#"{"applicant":"a","call":"C","mode":"Playground","months":3,"place":{"conversion":1,"partition":"LUMI-G","system":"LUMI"},"purpose":"p","time":{"partition":"LUMI-G","seconds":72000,"unit":"gpu"}}"#,
            ),
            (
                DAY,
                "allocation-A1",
                "Awarded",
                r#"{"ends":"2025-12-31","place":{"conversion":1,"partition":"LUMI-G","system":"LUMI"},"starts":"2025-06-01","time":{"partition":"LUMI-G","seconds":36000,"unit":"gpu"}}"#,
            ),
            (
                DAY,
                "allocation-A1",
                "UsageRecorded",
                r#"{"period":"2025-06","reported":{"partition":"LUMI-G","seconds":7200,"unit":"gpu"},"source":"H","time":{"partition":"LUMI-G","seconds":7200,"unit":"gpu"}}"#,
            ),
            (
                DAY,
                "allocation-A1",
                "UsageCorrected",
                r#"{"period":"2025-06","reason":"r","reported":{"partition":"LUMI-G","seconds":3600,"unit":"gpu"},"time":{"partition":"LUMI-G","seconds":3600,"unit":"gpu"},"was":{"partition":"LUMI-G","seconds":7200,"unit":"gpu"}}"#,
            ),
            requested(
                "allocation-A2",
                r#"{"applicant":"b","call":"C","mode":"Playground","months":3,"place":{"conversion":1,"partition":"LUMI-G","system":"LUMI"},"purpose":"p","time":{"partition":"LUMI-G","seconds":18000,"unit":"node"}}"#,
            ),
        ]
    }

    #[test]
    fn units_of_one_partition_are_never_added() {
        let now = report("compute", &history(), None);
        // Ten GPU-hours awarded, one used after the correction; five node-hours still asked for.
        let gpu = "LUMI-G|1|0 GPU-h|10 GPU-h|1 GPU-h|9 GPU-h";
        let node = "LUMI-G|1|5 node-h|0 node-h|0 node-h|0 node-h";
        let by = |names: &str| [format!("{names}|{node}"), format!("{names}|{gpu}")];
        assert_eq!(rows(&now, "partitions"), by("LUMI"));
        assert_eq!(rows(&now, "modes"), by("C|Playground"));
        // Of 100 node-hours, 50 were drawn and 10 came back.
        assert_eq!(rows(&now, "offers"), ["LUMI|FI|LUMI-G|O|100 node-h|40 node-h|60 node-h"]);
    }

    #[test]
    fn more_used_than_awarded_is_said_and_whether_it_was_explained() {
        let mut lines = history();
        lines.push((DAY, "allocation-A1", "UsageRecorded", r#"{"period":"2025-07","reported":{"partition":"LUMI-G","seconds":36000,"unit":"gpu"},"source":"H","time":{"partition":"LUMI-G","seconds":36000,"unit":"gpu"}}"#));
        let row =
            "A1|a|Playground|LUMI|LUMI-G|awarded|20 GPU-h|10 GPU-h|11 GPU-h|-1 GPU-h|2025-12-31";
        let now = report("compute", &lines, None);
        assert_eq!(rows(&now, "allocations")[0], format!("{row}|not explained"));
        lines.push((DAY, "allocation-A1", "Overrun", r#"{"by":{"partition":"LUMI-G","seconds":3600,"unit":"gpu"},"reason":"r","tolerance":{"partition":"LUMI-G","seconds":0,"unit":"gpu"}}"#));
        let now = report("compute", &lines, None);
        assert_eq!(rows(&now, "allocations")[0], format!("{row}|explained"));
    }

    #[test]
    fn the_hours_of_a_prize_are_shown_by_winner() {
        let opened = r#"{"compute":{"partition":"pool","seconds":28800000000,"unit":"gpu"},"money":"EUR 1000000","rules":RULES,"title":"t","winners_max":4}"#;
        let lines = [
            (DAY, "prize-P", "Opened", opened),
            (
                DAY,
                "prize-P",
                "Awarded",
                r#"{"split":[{"compute":{"partition":"pool","seconds":7200000000,"unit":"gpu"},"contestant":"W1","money":"EUR 250000"}]}"#,
            ),
            (
                DAY,
                "prize-P",
                "ExtraAwarded",
                r#"{"compute":{"partition":"LUMI-G","seconds":3600,"unit":"gpu"},"contestant":"W5"}"#,
            ),
        ];
        let now = report("compute", &lines, None);
        assert_eq!(
            rows(&now, "prizes"),
            ["P||8 000 000 GPU-h||", "P|W1||2 000 000 GPU-h|", "P|W5|||1 GPU-h"]
        );
    }
}
