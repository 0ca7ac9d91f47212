//! Where money goes: the bank accounts of grants, by key, with who named and who confirmed each, and the
//! orders to pay them.

use crate::folds::payees::{Order, PayeeAccount, Payees as Facts};
use crate::query::Query;
use crate::report::{Cell, Kind, Report, Table};
use crate::view::View;
use domain::kernel::ids::{GrantId, PaymentId, StreamKey};

/// The view.
#[derive(Clone, Copy, Debug)]
pub struct Payees;

impl View for Payees {
    type Facts = Facts;
    const NAME: &'static str = "payees";
    const SUMMARY: &'static str = "Bank accounts of grants, by key, and the orders to pay them";

    fn report(facts: &Facts, query: &Query) -> Report {
        let asked = query.stream.as_ref();
        // Of a payment also its grant, and the other way round.
        let order = asked.and_then(PaymentId::of_stream).and_then(|id| facts.orders.get(&id));
        let grant = order.map(|order| order.order.grant.stream());
        let grant = grant.as_ref().or(asked);
        let is_of_grant = |id: &GrantId| grant.is_none_or(|grant| *grant == id.stream());
        let is_order =
            |id: &PaymentId| order.is_none() || asked.is_some_and(|it| *it == id.stream());
        let (mut accounts, mut orders) = (accounts(), orders());
        for (grant, named) in facts.accounts.iter().filter(|(grant, _)| is_of_grant(grant)) {
            let newest = facts.confirmed(grant).map(|(position, _)| position);
            for account in named {
                account.list(grant, newest, &mut accounts);
            }
        }
        for (id, order) in &facts.orders {
            if is_of_grant(&order.order.grant) && is_order(id) {
                facts.list(id, order, &mut orders);
            }
        }
        Report::new(Self::NAME, "Payees").with(accounts).with(orders).note(
            "An account is a key in the books of the authority. Its number is not in the log.",
        )
    }
}

impl Facts {
    fn list(&self, id: &PaymentId, Order { order, stage }: &Order, table: &mut Table) {
        let payee = order.payee.as_ref();
        let newest = self.confirmed(&order.grant).map(|(position, _)| position);
        let state = payee.map(|payee| match newest {
            Some(newest) if newest == payee.confirmed_at => "confirmed",
            _ => "replaced",
        });
        table.push([
            Cell::text(id),
            Cell::text(&order.grant),
            order.kind.to_string().into(),
            <&'static str>::from(*stage).into(),
            Cell::maybe(payee.map(|payee| payee.account.as_str())),
            Cell::maybe(state),
            Cell::maybe(payee.map(|payee| payee.confirmed_at)),
            order.net.into(),
        ]);
    }
}

impl PayeeAccount {
    fn list(&self, grant: &GrantId, newest: Option<u64>, table: &mut Table) {
        let decided = self.decided.as_ref();
        let state = match decided {
            None => "waits",
            Some((_, false)) => "refused",
            Some((act, true)) if Some(act.position) == newest => "confirmed",
            Some((_, true)) => "replaced",
        };
        table.push([
            Cell::text(grant),
            Cell::text(&self.account),
            state.into(),
            Cell::text(&self.named.by),
            self.named.at.into(),
            self.named.position.into(),
            Cell::maybe(decided.map(|(act, _)| act.by.as_str())),
            Cell::maybe(decided.map(|(act, _)| act.at)),
            Cell::maybe(decided.map(|(act, _)| act.position)),
            Cell::text(self.document),
        ]);
    }
}

fn accounts() -> Table {
    Table::new(
        "accounts",
        "Accounts",
        &[
            ("grant", "Grant", Kind::Text),
            ("account", "Account", Kind::Text),
            ("state", "State", Kind::Text),
            ("named_by", "Named by", Kind::Text),
            ("named", "Named", Kind::Instant),
            ("named_at", "At position", Kind::Count),
            ("decided_by", "Decided by", Kind::Text),
            ("decided", "Decided", Kind::Instant),
            ("decided_at", "At position", Kind::Count),
            ("document", "Form", Kind::Text),
        ],
    )
    .named_by(&["grant", "account", "named_at"])
}

fn orders() -> Table {
    Table::new(
        "orders",
        "Orders",
        &[
            ("payment", "Payment", Kind::Text),
            ("grant", "Grant", Kind::Text),
            ("kind", "Kind", Kind::Text),
            ("stage", "Stage", Kind::Text),
            ("account", "Account", Kind::Text),
            ("state", "State of the account", Kind::Text),
            ("confirmed_at", "Confirmed at position", Kind::Count),
            ("net", "Net", Kind::Money),
        ],
    )
    .named_by(&["payment"])
}

#[cfg(test)]
mod tests {
    use crate::testing::given::{report, rows};

    const DAY: &str = "2025-01-01";

    #[test]
    fn an_account_has_its_people_and_an_order_the_account_that_it_was_for() {
        let [a1, a2, a3] = ["A1", "A2", "A3"]
            .map(|account| format!(r#"{{"account":"{account}","document":"H","reason":"r"}}"#));
        let order = r#"{"amount":"EUR 5","clause":"c","fund":"F","grant":"G","kind":"pre_financing","net":"EUR 4","payee":{"account":"A1","confirmed_at":2}}"#;
        let old = r#"{"amount":"EUR 5","clause":"c","fund":"F","grant":"G","kind":"recovery","net":"EUR 5"}"#;
        let lines = [
            (DAY, "grant-G", "AccountNamed", &*a1),
            (DAY, "grant-G", "AccountConfirmed", &a1),
            (DAY, "payment-P", "Initiated", order),
            (DAY, "payment-P", "Verified", "{}"),
            (DAY, "grant-G", "AccountNamed", &a2),
            (DAY, "grant-G", "AccountRefused", &a2),
            (DAY, "payment-R", "Initiated", old),
            (DAY, "grant-G", "AccountNamed", &a3),
        ];
        let cells = |rows: Vec<String>, wanted: &[usize]| -> Vec<String> {
            let row = |row: String| {
                let cells: Vec<&str> = row.split('|').collect();
                wanted.iter().map(|index| cells[*index]).collect::<Vec<_>>().join(" ")
            };
            rows.into_iter().map(row).collect()
        };
        let now = report("payees", &lines, None);
        let accounts = [0, 1, 2, 3, 5, 6, 8];
        assert_eq!(
            cells(rows(&now, "accounts"), &accounts),
            [
                "G A1 confirmed someone 1 someone 2",
                "G A2 refused someone 5 someone 6",
                "G A3 waits someone 8  "
            ]
        );
        assert_eq!(
            rows(&now, "orders"),
            ["P|G|pre_financing|verified|A1|confirmed|2|4.00", "R|G|recovery|initiated||||5.00"]
        );
        let more = [&lines[..], &[(DAY, "grant-G", "AccountConfirmed", &*a3)]].concat();
        let now = report("payees", &more, None);
        assert_eq!(
            rows(&now, "orders")[0],
            "P|G|pre_financing|verified|A1|replaced|2|4.00",
            "it does not follow"
        );
        assert!(rows(&now, "accounts")[0].starts_with("G|A1|replaced"));
    }
}
