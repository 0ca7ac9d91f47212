//! Sampling for audits: how much to test, which, and what the errors that were found say about the whole.
//!
//! Exact integers throughout. Monetary unit sampling by ISA 530 and EGESIF_16-0014-01, section 6.3:
//! `n = ceil(BV RF / (TM - EM EF))`, interval `SI = BV / n`, items of at least an interval are all taken;
//! errors are projected by their tainting, and the upper limit is `PE + RF0 SI + IA`.
//!
//! A sample can be drawn again by anybody, with SHA-256 and nothing else:
//! 1. `seed` is the SHA-256 of the root hash of a checkpoint and the nonce, 32 bytes each.
//! 2. `block(i)` is the SHA-256 of `seed` and `i` as eight bytes, the highest first.
//! 3. Items are numbered from 1 in the order of their names, and walked in the order of their blocks.
//! 4. `start` is `block(0)`, read as one number, modulo `BV` in cents.
//! 5. With `c` cents walked before it, an item of `v` is taken if `start + k BV`, for a whole `k`, is at
//!    least `c n` and less than `(c + v) n`; the walk leaves out those with `v n >= BV`, which are taken.
//!
//! A sample of attributes is the first `n` items of the walk.

mod factors;

use crate::kernel::canonical::Sha256Hex;
use crate::kernel::money::{Money, Rate};
use crate::kernel::sampling::factors::{ERRORS_MAX, SCALE};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The most items of a sample: it must fit into one commit.
pub const SAMPLE_MAX: usize = 300;

/// The most intervals of a population: a materiality below a 30 000th of it asks for no sample.
pub const SIZE_MAX: usize = 100_000;

/// How sure the auditor wants to be.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::EnumString,
    strum::Display,
)]
pub enum Assurance {
    /// 80 %.
    #[serde(rename = "80%")]
    #[strum(serialize = "80%")]
    Low,
    /// 90 %.
    #[serde(rename = "90%")]
    #[strum(serialize = "90%")]
    Medium,
    /// 95 %.
    #[serde(rename = "95%")]
    #[strum(serialize = "95%")]
    High,
}

/// By what a sample is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// Every euro has the same chance.
    MonetaryUnit {
        /// The error that is expected (EM).
        expected: Money,
        /// The error that would matter (TM).
        materiality: Money,
    },
    /// Every item has the same chance.
    Attribute {
        /// The share of deviations that is expected.
        expected_rate: Rate,
        /// The share that would matter.
        tolerable: Rate,
    },
}

// Not derived: a tagged enum that serde reads knows no place in a payload, and takes arrays for objects.
impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { by, expected, expected_rate, materiality, tolerable } =
            Fields::deserialize(deserializer)?;
        let fields = match (by, expected, materiality, expected_rate, tolerable) {
            (By::MonetaryUnit, Some(expected), Some(materiality), None, None) => {
                return Ok(Self::MonetaryUnit { expected, materiality });
            }
            (By::Attribute, None, None, Some(expected_rate), Some(tolerable)) => {
                return Ok(Self::Attribute { expected_rate, tolerable });
            }
            (By::MonetaryUnit, ..) => "`monetary_unit` has `expected` and `materiality`",
            (By::Attribute, ..) => "`attribute` has `expected_rate` and `tolerable`",
        };
        Err(serde::de::Error::custom(format_args!("a method {fields}, and no other fields")))
    }
}

/// The fields of every method.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    by: By,
    expected: Option<Money>,
    expected_rate: Option<Rate>,
    materiality: Option<Money>,
    tolerable: Option<Rate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    MonetaryUnit,
    Attribute,
}

/// One thing that can be drawn. Its value is more than nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Its name, unique in the population.
    pub name: String,
    /// Its book value, in cents.
    pub cents: i64,
    /// When it happened, if that is one moment.
    pub at: Option<Timestamp>,
}

/// One item of a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// Its book value.
    pub book: Money,
    /// Its name.
    pub item: String,
    /// Taken because it is at least an interval.
    pub top: bool,
}

/// What was found of one item of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tested {
    /// Its book value, in cents.
    pub book: i64,
    /// What it should have been, in cents.
    pub audited: i64,
    /// Taken because it is at least an interval.
    pub top: bool,
}

/// What the errors of a sample say about the population. In cents, each line rounded half up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// Errors of the items that were all taken, as they are.
    pub top: i128,
    /// Errors of the others: tainting and what each stands for, the most tainted first.
    pub projected: Vec<Projected>,
    /// PE: the most likely error, `top` and all projected.
    pub likely: i128,
    /// BP: what may be there although nothing was found, `RF0 SI`.
    pub basic: i128,
    /// IA: what the errors found add to that.
    pub allowance: i128,
    /// UEL: the error is not more than this, as surely as was asked for.
    pub limit: i128,
    /// What was booked too low. Shown apart, never set off.
    pub under: i128,
}

/// One error, projected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projected {
    /// Of which book value.
    pub book: i64,
    /// How much of it is wrong.
    pub error: i64,
    /// Tainting times the interval.
    pub likely: i128,
    /// Its part of the incremental allowance.
    pub allowance: i128,
}

/// Why there is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSize {
    /// The formula has no answer.
    #[error("the expected error leaves nothing of what is tolerable: test everything")]
    NoMargin,
    /// More than [`SIZE_MAX`].
    #[error("a sample of {0} is asked for, the most is {SIZE_MAX}: what is tolerable is too small")]
    TooMany(usize),
}

impl Method {
    /// How many items to draw of a population of `book` cents: the `n` of the formulas.
    ///
    /// # Errors
    /// When there is no such number.
    pub fn size(self, book: i64, assurance: Assurance) -> Result<usize, NoSize> {
        let size = match self {
            Self::MonetaryUnit { expected, materiality } => {
                monetary_size(book, materiality.in_cents(), expected.in_cents(), assurance)
            }
            Self::Attribute { expected_rate, tolerable } => {
                attribute_size(tolerable, expected_rate, assurance)
            }
        };
        match size {
            None => Err(NoSize::NoMargin),
            Some(size) if size > SIZE_MAX => Err(NoSize::TooMany(size)),
            Some(size) => Ok(size),
        }
    }

    /// The sample of that size.
    #[must_use]
    pub fn draw(self, items: &[Item], size: usize, seed: Sha256Hex) -> Vec<Drawn> {
        match self {
            Self::MonetaryUnit { .. } => monetary(items, size, seed),
            Self::Attribute { .. } => attribute(items, size, seed),
        }
    }
}

impl Assurance {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    fn factors(self) -> &'static [i128; ERRORS_MAX + 1] {
        match self {
            Self::Low => &factors::FACTORS_80,
            Self::Medium => &factors::FACTORS_90,
            Self::High => &factors::FACTORS_95,
        }
    }

    /// The expansion factor for an expected error, in hundredths (AICPA, Audit Sampling, table C.2: 1.3,
    /// 1.5 and 1.6 for risks of 20, 10 and 5 %).
    const fn expansion(self) -> i128 {
        match self {
            Self::Low => 130,
            Self::Medium => 150,
            Self::High => 160,
        }
    }
}

/// The quotient, rounded half up; `den` is more than nothing.
fn rounded(num: i128, den: i128) -> i128 {
    (2 * num + den).div_euclid(2 * den)
}

fn ceiling(num: i128, den: i128) -> i128 {
    num.div_euclid(den) + i128::from(num.rem_euclid(den) != 0)
}

/// How many items a monetary unit sample of `book` has; `None` when the expected error, expanded, leaves
/// nothing of the materiality.
#[must_use]
pub fn monetary_size(
    book: i64,
    materiality: i64,
    expected: i64,
    assurance: Assurance,
) -> Option<usize> {
    let margin = 100 * i128::from(materiality) - i128::from(expected) * assurance.expansion();
    if margin <= 0 || book <= 0 {
        return None;
    }
    let found = ceiling(100 * i128::from(book) * assurance.factors()[0], SCALE * margin);
    usize::try_from(found.max(1)).ok()
}

/// How many items a sample of attributes has: the fewest of which the expected share of deviations still
/// shows that there are not more than the tolerable share. By the Poisson distribution, which asks for a
/// little more than the binomial. `None` when no sample shows it.
#[must_use]
pub fn attribute_size(tolerable: Rate, expected: Rate, assurance: Assurance) -> Option<usize> {
    let (num, den) = tolerable.parts();
    let (expected_num, expected_den) = expected.parts();
    if num == 0 {
        return None;
    }
    (0_i128..).zip(assurance.factors()).find_map(|(deviations, factor)| {
        let size = ceiling(factor * i128::from(den), SCALE * i128::from(num));
        let foreseen = ceiling(size * i128::from(expected_num), i128::from(expected_den));
        if foreseen <= deviations { usize::try_from(size).ok() } else { None }
    })
}

/// The largest share of deviations that is not ruled out, in millionths, rounded up; `None` when nothing
/// was tested, or more was found than there are factors.
#[must_use]
pub fn attribute_limit(tested: usize, deviations: usize, assurance: Assurance) -> Option<i64> {
    let (tested, factor) = (i128::try_from(tested).ok()?, *assurance.factors().get(deviations)?);
    if tested == 0 {
        return None;
    }
    i64::try_from(ceiling(factor * 1_000_000, SCALE * tested).min(1_000_000)).ok()
}

/// The seed: neither side knows it before the checkpoint is there and the nonce is told.
#[must_use]
pub fn seed(root: Sha256Hex, nonce: Sha256Hex) -> Sha256Hex {
    Sha256Hex::of(&[root.0, nonce.0].concat())
}

fn block(seed: Sha256Hex, number: u64) -> Sha256Hex {
    Sha256Hex::of(&[&seed.0[..], &number.to_be_bytes()].concat())
}

/// SHA-256 of the population: a line of name, a tab and cents for each item, in the order of names.
#[must_use]
pub fn digest(items: &[Item]) -> Sha256Hex {
    let mut sorted: Vec<&Item> = items.iter().collect();
    sorted.sort();
    let lines: Vec<String> =
        sorted.iter().map(|item| format!("{}\t{}\n", item.name, item.cents)).collect();
    Sha256Hex::of(lines.concat().as_bytes())
}

/// The sum of the values, in cents.
#[must_use]
pub fn total(items: &[Item]) -> i128 {
    items.iter().map(|item| i128::from(item.cents)).sum()
}

fn walk(items: &[Item], seed: Sha256Hex) -> Vec<&Item> {
    let mut sorted: Vec<&Item> = items.iter().collect();
    sorted.sort();
    let mut walk: Vec<(Sha256Hex, &Item)> =
        (1..).zip(sorted).map(|(number, item)| (block(seed, number), item)).collect();
    walk.sort();
    walk.into_iter().map(|(_, item)| item).collect()
}

/// The items of a monetary unit sample of size `n`, those that are all taken first, in the order of the
/// walk.
#[must_use]
pub fn monetary(items: &[Item], n: usize, seed: Sha256Hex) -> Vec<Drawn> {
    let (book, n) = (total(items), i128::try_from(n).unwrap_or(i128::MAX));
    if book <= 0 || n <= 0 {
        return Vec::new();
    }
    let is_top = |item: &&Item| i128::from(item.cents).saturating_mul(n) >= book;
    let (top, rest): (Vec<&Item>, Vec<&Item>) = walk(items, seed).into_iter().partition(is_top);
    let start = block(seed, 0);
    let mut next = start.0.iter().fold(0, |number, byte| (number * 256 + i128::from(*byte)) % book);
    let mut drawn: Vec<Drawn> = top.into_iter().map(|item| item.drawn(true)).collect();
    let mut walked = 0;
    for item in rest {
        walked += i128::from(item.cents) * n;
        if next < walked {
            drawn.push(item.drawn(false));
            next += book;
        }
    }
    drawn
}

/// The items of a sample of attributes of size `n`, or all.
#[must_use]
pub fn attribute(items: &[Item], n: usize, seed: Sha256Hex) -> Vec<Drawn> {
    walk(items, seed).into_iter().take(n).map(|item| item.drawn(false)).collect()
}

impl Item {
    fn drawn(&self, top: bool) -> Drawn {
        Drawn { book: Money::cents(self.cents), item: self.name.clone(), top }
    }
}

impl Tested {
    fn error(self) -> i64 {
        self.book - self.audited
    }
}

/// What the tested items of a monetary unit sample of size `n` say about a population of `book`. `None`
/// when there are more errors than factors.
#[must_use]
pub fn project(book: i64, n: usize, assurance: Assurance, tested: &[Tested]) -> Option<Projection> {
    let (book, n) = (i128::from(book), i128::try_from(n).ok().filter(|n| *n > 0)?);
    let factors = assurance.factors();
    let sum = |of: &dyn Fn(&Tested) -> i64| -> i128 {
        tested.iter().map(|one| i128::from(of(one))).sum()
    };
    // When all of the population was tested, nothing is projected and nothing can be wrong unseen.
    let is_whole = sum(&|one| one.book) == book;
    let top = sum(&|one| if one.top || is_whole { one.error().max(0) } else { 0 });
    let under = sum(&|one| (-one.error()).max(0));
    let mut errors: Vec<Tested> = tested.to_vec();
    errors.retain(|one| !one.top && !is_whole && one.error() > 0 && one.book > 0);
    let product = |error: i64, book: i64| i128::from(error) * i128::from(book);
    errors.sort_by_key(|one| one.book);
    errors.sort_by(|a, b| product(b.error(), a.book).cmp(&product(a.error(), b.book)));
    if errors.len() > ERRORS_MAX {
        return None;
    }
    let project = |(error, pair): (&Tested, &[i128])| {
        let (num, den) = (i128::from(error.error()) * book, i128::from(error.book) * n);
        let step = pair[1] - pair[0] - SCALE;
        // In two steps, since the whole product would not fit.
        let part = step * (num / den) + step * (num % den) / den;
        Projected {
            book: error.book,
            error: error.error(),
            likely: rounded(num, den),
            allowance: rounded(part, SCALE),
        }
    };
    let projected: Vec<Projected> = errors.iter().zip(factors.windows(2)).map(project).collect();
    let likely = top + projected.iter().map(|one| one.likely).sum::<i128>();
    let allowance = projected.iter().map(|one| one.allowance).sum();
    let basic = if is_whole { 0 } else { rounded(factors[0] * book, SCALE * n) };
    Some(Projection {
        top,
        projected,
        likely,
        basic,
        allowance,
        limit: likely + basic + allowance,
        under,
    })
}
