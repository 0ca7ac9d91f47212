//! A flow picture (Sankey) as SVG, laid out in whole tenths of a unit: the same figures give the same
//! bytes on every machine. Colours come from the style sheet, by class.

use super::format::{cents_exact, cents_short};
use super::page::table::{sign, word};
use domain::kernel::actor::Confidence;
use maud::{Markup, PreEscaped, Render, html};

/// Which colour something has, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlowKind {
    /// Money of the Union.
    Union,
    /// Money of the Member States.
    National,
    /// Both together.
    Joint,
    /// Committed, and to whom was not published.
    Unnamed,
    /// Not bound yet.
    Open,
}

impl FlowKind {
    /// The class of the style sheet that colours it.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Union => "union",
            Self::National => "national",
            Self::Joint => "joint",
            Self::Unnamed => "unnamed",
            Self::Open => "open",
        }
    }
}

/// A bar of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// In which column, from the left.
    pub column: usize,
    /// Its name.
    pub label: String,
    /// Its amount in cents; `None` is unknown, and drawn as such.
    pub cents: Option<i64>,
    /// Its colour.
    pub kind: FlowKind,
    /// How sure its amount is.
    pub confidence: Option<Confidence>,
}

/// A ribbon between two bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// From which node, by index.
    pub from: usize,
    /// To which node, by index.
    pub to: usize,
    /// Its amount in cents; `None` is unknown, and drawn as a dashed line.
    pub cents: Option<i64>,
    /// Its colour.
    pub kind: FlowKind,
}

/// A flow picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// The bars; within a column from the top.
    pub nodes: Vec<Node>,
    /// The ribbons.
    pub links: Vec<Link>,
    /// A heading for each column.
    pub columns: Vec<String>,
}

/// Tenths of a unit of the picture.
type Tenths = i64;

const WIDTH: Tenths = 11_200;
const TOP: Tenths = 440;
const BAR: Tenths = 140;
const GAP: Tenths = 160;
/// A label has two lines; bars stand so far apart that labels never meet.
const LABEL: Tenths = 380;
const LABEL_WIDTH: Tenths = 2_350;
const LABEL_OFFSET: Tenths = 90;
/// The height of the largest amount.
const LARGEST: Tenths = 2_700;
const THIN: Tenths = 15;

struct NodePlace {
    x: Tenths,
    y: Tenths,
    height: Tenths,
    out: Tenths,
    arrived: Tenths,
}

/// A coordinate, written with one decimal.
#[derive(Clone, Copy)]
struct At(Tenths);

impl Render for At {
    fn render_to(&self, buffer: &mut String) {
        let Self(tenths) = *self;
        buffer.push_str(&text(tenths));
    }
}

fn text(tenths: Tenths) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    let tenths = tenths.abs();
    if tenths % 10 == 0 {
        format!("{sign}{}", tenths / 10)
    } else {
        format!("{sign}{}.{}", tenths / 10, tenths % 10)
    }
}

impl Flow {
    /// Adds a bar and returns its index.
    pub fn node(
        &mut self,
        column: usize,
        label: impl Into<String>,
        cents: Option<i64>,
        kind: FlowKind,
    ) -> usize {
        self.nodes.push(Node { column, label: label.into(), cents, kind, confidence: None });
        self.nodes.len() - 1
    }

    /// Says how sure the amount of a bar is.
    pub fn mark(&mut self, node: usize, confidence: Option<Confidence>) {
        self.nodes[node].confidence = confidence;
    }

    /// Without the bars that nothing flows to or from, and without the columns that are then empty.
    #[must_use]
    pub fn linked(mut self) -> Self {
        let is_linked =
            |index: usize| self.links.iter().any(|link| link.from == index || link.to == index);
        let kept: Vec<usize> = (0..self.nodes.len()).filter(|&index| is_linked(index)).collect();
        let mut columns: Vec<usize> = kept.iter().map(|&index| self.nodes[index].column).collect();
        columns.sort_unstable();
        columns.dedup();
        let at = |all: &[usize], wanted: usize| {
            all.binary_search(&wanted).unwrap_or_else(|near| near.min(all.len()))
        };
        for link in &mut self.links {
            (link.from, link.to) = (at(&kept, link.from), at(&kept, link.to));
        }
        self.nodes = kept.iter().map(|&index| self.nodes[index].clone()).collect();
        for node in &mut self.nodes {
            node.column = at(&columns, node.column);
        }
        self.columns =
            columns.iter().filter_map(|&column| self.columns.get(column).cloned()).collect();
        self
    }

    /// Adds a ribbon, unless its amount is known to be nothing.
    pub fn link(&mut self, from: usize, to: usize, cents: Option<i64>, kind: FlowKind) {
        if cents != Some(0) {
            self.links.push(Link { from, to, cents, kind });
        }
    }

    fn largest(&self) -> i64 {
        (0..self.columns.len())
            .map(|column| {
                let nodes = self.nodes.iter().filter(|node| node.column == column);
                nodes.filter_map(|node| node.cents).map(|cents| cents.max(0)).sum()
            })
            .max()
            .unwrap_or(0)
            .max(1)
    }

    fn scaled(&self, cents: Option<i64>) -> Tenths {
        let scaled = i128::from(cents.unwrap_or(0).max(0)) * i128::from(LARGEST)
            / i128::from(self.largest());
        Tenths::try_from(scaled).unwrap_or(LARGEST).max(THIN)
    }

    /// The places of the bars and the height of the picture.
    fn layout(&self) -> (Vec<NodePlace>, Tenths) {
        let columns = i64::try_from(self.columns.len()).unwrap_or(1).max(2);
        let step = (WIDTH - LABEL_WIDTH - BAR) / (columns - 1);
        let heights: Vec<Tenths> = self.nodes.iter().map(|node| self.scaled(node.cents)).collect();
        let slot = |index: usize| heights[index].max(LABEL);
        let column_height = |column: usize| -> Tenths {
            let members = (0..self.nodes.len()).filter(|&index| self.nodes[index].column == column);
            members.map(|index| slot(index) + GAP).sum::<Tenths>() - GAP
        };
        let tallest = (0..self.columns.len()).map(column_height).max().unwrap_or(0).max(LABEL);
        let mut cursor: Vec<Tenths> = (0..self.columns.len())
            .map(|column| TOP + (tallest - column_height(column)) / 2)
            .collect();
        let mut places = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let y = cursor[node.column] + (slot(index) - heights[index]) / 2;
            cursor[node.column] += slot(index) + GAP;
            let column = i64::try_from(node.column).unwrap_or(0);
            let x = step * column;
            places.push(NodePlace { x, y, height: heights[index], out: 0, arrived: 0 });
        }
        (places, TOP + tallest + 100)
    }

    /// The order in which ribbons leave and reach bars: by the height of the other end, so that they
    /// cross as little as they must.
    fn ordered(&self, places: &[NodePlace]) -> Vec<Link> {
        let mut links = self.links.clone();
        links.sort_by_key(|link| (places[link.from].y, places[link.to].y, link.kind));
        links
    }

    /// The picture. `title` and `description` are read out in its place.
    #[must_use]
    pub fn svg(&self, title: &str, description: &str) -> Markup {
        let (mut places, height) = self.layout();
        let links = self.ordered(&places);
        let starts: Vec<Tenths> = links
            .iter()
            .map(|link| {
                let from = &mut places[link.from];
                let start = from.y + from.out;
                from.out += self.scaled(link.cents);
                start
            })
            .collect();
        let mut ends = vec![0; links.len()];
        let mut by_end: Vec<usize> = (0..links.len()).collect();
        by_end.sort_by_key(|&index| (places[links[index].to].y, starts[index]));
        for index in by_end {
            let to = &mut places[links[index].to];
            ends[index] = to.y + to.arrived;
            to.arrived += self.scaled(links[index].cents);
        }
        html! {
            svg.sankey role="img" viewBox={ "0 0 " (At(WIDTH)) " " (At(height)) }
                aria-labelledby="flow-title flow-description" {
                title id="flow-title" { (title) }
                desc id="flow-description" { (description) }
                @for (index, heading) in self.columns.iter().enumerate() {
                    text.heading x=(At(self.column_x(index))) y="16" { (heading) }
                }
                g.flows {
                    @for (index, link) in links.iter().enumerate() {
                        (self.ribbon(link, &places, starts[index], ends[index]))
                    }
                }
                @for (node, place) in self.nodes.iter().zip(&places) { (bar(node, place)) }
            }
        }
    }

    fn column_x(&self, index: usize) -> Tenths {
        let columns = i64::try_from(self.columns.len()).unwrap_or(1).max(2);
        (WIDTH - LABEL_WIDTH - BAR) / (columns - 1) * i64::try_from(index).unwrap_or(0)
    }

    fn ribbon(&self, link: &Link, places: &[NodePlace], start: Tenths, end: Tenths) -> Markup {
        let (from, to) = (&places[link.from], &places[link.to]);
        let (x0, x1) = (from.x + BAR, to.x);
        let middle = (x0 + x1) / 2;
        let thick = self.scaled(link.cents);
        let (from_label, to_label) = (&self.nodes[link.from].label, &self.nodes[link.to].label);
        let amount = link.cents.map_or_else(|| "amount unknown".to_owned(), cents_exact);
        let (x0, x1, middle) = (text(x0), text(x1), text(middle));
        let path = if link.cents.is_none() {
            let (y0, y1) = (text(start + THIN / 2), text(end + THIN / 2));
            format!("M{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}")
        } else {
            let (y0, y1) = (text(start), text(end));
            let (b0, b1) = (text(start + thick), text(end + thick));
            format!(
                "M{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}V{b1}C{middle} {b1} {middle} {b0} {x0} {b0}Z"
            )
        };
        let unknown = if link.cents.is_none() { " unknown" } else { "" };
        html! {
            path class={ "flow " (link.kind.class()) (unknown) } d=(path) {
                title { (from_label) " to " (to_label) ": " (amount) }
            }
        }
    }
}

fn bar(node: &Node, place: &NodePlace) -> Markup {
    let middle = place.y + place.height / 2;
    let amount = node.cents.map_or_else(|| PreEscaped("not published".to_owned()), short);
    let exact = node.cents.map_or_else(|| "amount unknown".to_owned(), cents_exact);
    let unknown = if node.cents.is_none() { " unknown" } else { "" };
    let mark = node.confidence.filter(|it| *it != Confidence::Published);
    html! {
        g {
            rect class={ "bar " (node.kind.class()) (unknown) } x=(At(place.x)) y=(At(place.y))
                width=(At(BAR)) height=(At(place.height)) rx="2" {
                title {
                    (node.label) ": " (exact)
                    @if let Some(mark) = mark { ", " (word(mark)) }
                }
            }
            text.label x=(At(place.x + BAR + LABEL_OFFSET)) y=(At(middle - 30)) { (node.label) }
            text.amount x=(At(place.x + BAR + LABEL_OFFSET)) y=(At(middle + 140)) {
                (amount)
                @if let Some(mark) = mark { tspan.sign dx="5" { (sign(mark)) } }
            }
        }
    }
}

fn short(cents: i64) -> PreEscaped<String> {
    PreEscaped(cents_short(cents))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Flow {
        let mut flow = Flow { columns: vec!["From".into(), "To".into()], ..Flow::default() };
        let union = flow.node(0, "Union", Some(6_000_000_000), FlowKind::Union);
        let states = flow.node(0, "States", Some(4_000_000_000), FlowKind::National);
        let round = flow.node(1, "Round 1", Some(10_000_000_000), FlowKind::Joint);
        let rest = flow.node(1, "Other", None, FlowKind::Open);
        flow.link(union, round, Some(6_000_000_000), FlowKind::Union);
        flow.link(states, round, Some(4_000_000_000), FlowKind::National);
        flow.link(states, rest, None, FlowKind::National);
        flow
    }

    #[test]
    fn what_flows_in_fills_the_bar_exactly() {
        let flow = small();
        let (places, _) = flow.layout();
        assert_eq!(places[2].height, LARGEST);
        assert_eq!(flow.scaled(Some(6_000_000_000)) + flow.scaled(Some(4_000_000_000)), LARGEST);
    }

    #[test]
    fn labels_of_one_column_never_meet() {
        let mut flow = Flow { columns: vec!["A".into(), "B".into()], ..Flow::default() };
        for index in 0..9 {
            flow.node(0, format!("tiny {index}"), Some(1), FlowKind::Open);
        }
        flow.node(1, "huge", Some(1_000_000), FlowKind::Union);
        let (places, height) = flow.layout();
        let middles: Vec<_> = places[..9].iter().map(|place| place.y + place.height / 2).collect();
        assert!(middles.windows(2).all(|pair| pair[1] - pair[0] >= LABEL));
        assert!(middles.iter().all(|middle| *middle + LABEL / 2 <= height));
    }

    #[test]
    fn an_unknown_amount_is_drawn_as_unknown_and_never_as_nothing() {
        let svg = small().svg("title", "description").into_string();
        assert!(svg.contains("not published"), "{svg}");
        assert!(svg.contains("flow national unknown"), "{svg}");
        assert!(svg.contains("States to Other: amount unknown"), "{svg}");
    }

    #[test]
    fn a_flow_that_is_known_to_be_nothing_is_not_drawn() {
        let mut flow = small();
        let before = flow.links.len();
        flow.link(0, 2, Some(0), FlowKind::Union);
        assert_eq!(flow.links.len(), before);
    }

    #[test]
    fn what_nothing_flows_to_or_from_is_left_out_with_its_column() {
        let columns = ["A", "B", "C", "D"].map(str::to_owned).into();
        let mut flow = Flow { columns, ..Flow::default() };
        flow.node(0, "alone", Some(1), FlowKind::Union);
        let from = flow.node(0, "from", Some(5), FlowKind::Union);
        flow.node(1, "no step", Some(1), FlowKind::Union);
        let to = flow.node(2, "to", None, FlowKind::Joint);
        flow.link(from, to, None, FlowKind::Union);
        let flow = flow.linked();
        assert_eq!(flow.columns, ["A", "C"]);
        let nodes: Vec<_> = flow.nodes.iter().map(|it| (it.column, it.label.as_str())).collect();
        assert_eq!(nodes, [(0, "from"), (1, "to")]);
        assert_eq!((flow.links[0].from, flow.links[0].to), (0, 1));
    }

    #[test]
    fn a_weak_amount_has_its_sign() {
        let mut flow = small();
        flow.mark(2, Some(Confidence::Unconfirmed));
        flow.mark(0, Some(Confidence::Published));
        let svg = flow.svg("t", "d").into_string();
        assert_eq!(svg.matches("class=\"sign\"").count(), 1, "{svg}");
        assert!(
            svg.contains("Round 1: EUR\u{202f}100\u{202f}000\u{202f}000.00, unconfirmed"),
            "{svg}"
        );
    }

    #[test]
    fn the_largest_amounts_do_not_overflow() {
        let mut flow = Flow { columns: vec!["A".into(), "B".into()], ..Flow::default() };
        let max = domain::kernel::money::CENTS_MAX;
        let from = flow.node(0, "a", Some(max), FlowKind::Union);
        let to = flow.node(1, "b", Some(max), FlowKind::Union);
        flow.link(from, to, Some(max), FlowKind::Union);
        assert_eq!(flow.scaled(Some(max)), LARGEST);
        assert!(flow.svg("t", "d").into_string().contains("a to b"));
    }

    #[test]
    fn names_are_escaped() {
        let mut flow = Flow { columns: vec!["A".into()], ..Flow::default() };
        flow.node(0, "<script>", Some(1), FlowKind::Union);
        assert!(!flow.svg("t", "d").into_string().contains("<script>"));
    }
}
