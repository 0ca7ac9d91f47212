//! What the journal tests can be asked: one list of parameters, which the command line, HTTP and the
//! OpenAPI document read. Nothing else sets them, so all refuse the same values with the same words.

use domain::kernel::money::Money;
use domain::kernel::time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt::Display;
use std::str::FromStr;

/// The zone of office hours and of the books where the calls do not say one.
pub(crate) const ZONE: &str = "Europe/Luxembourg";
/// The most characters of a text that the OpenAPI document allows.
const TEXT_CHARS_MAX: u32 = 256;
/// The hour at which a day ends.
const HOUR_MAX: i8 = 24;

/// One parameter of the journal tests.
pub struct Parameter {
    /// Names it in [`Tests`], in addresses and in JSON.
    pub name: &'static str,
    /// Names it on the command line.
    pub flag: &'static str,
    /// Says what it does.
    pub text: &'static str,
    /// Says in one word what its value is.
    pub value: &'static str,
    usual: fn(&Tests) -> Option<String>,
    schema: fn() -> Value,
    set: fn(&mut Tests, &str) -> Result<(), String>,
}

impl Parameter {
    /// Gives the usual value as text; `None`: not set unless it is asked for.
    #[must_use]
    pub fn usual(&self) -> Option<String> {
        (self.usual)(&Tests::default())
    }

    /// Gives the JSON schema of its value.
    #[must_use]
    pub fn schema(&self) -> Value {
        (self.schema)()
    }
}

/// What the value of a parameter is: how it is read, written and described.
trait Shape<T> {
    const VALUE: &'static str;
    fn read(text: &str) -> Result<T, String>;
    fn text(value: &T) -> Option<String>;
    fn schema() -> Value;
}

/// Makes [`Tests`] and [`PARAMETERS`] of one list.
macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident $flag:literal: $type:ty as $shape:ident = $usual:expr, $text:literal;)*) => {
        /// What is asked of the entries: each test by its parameter.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Tests {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Default for Tests {
            fn default() -> Self {
                Self { $($name: $usual,)* }
            }
        }

        /// Every parameter, in the order of their names.
        pub static PARAMETERS: &[Parameter] = &[$(Parameter {
            name: stringify!($name),
            flag: $flag,
            text: $text,
            value: <$shape as Shape<$type>>::VALUE,
            usual: |tests| <$shape as Shape<$type>>::text(&tests.$name),
            schema: <$shape as Shape<$type>>::schema,
            set: |tests, text| {
                tests.$name = <$shape as Shape<$type>>::read(text)?;
                Ok(())
            },
        },)*];
    };
}

parameters! {
    /// `account_changed`: a payment asked for within so many days after its bank account took the place of
    /// another. Both days are those of recording, by the clock of the writer.
    account_days "account-days": u32 as Days = 30,
        "Account changed: at most so many days before a payment to it was asked for";
    /// `back_dated`: recorded more than so many days after it was true.
    back_dated_days "back-dated-days": u32 as Days = 30,
        "Back-dated: recorded more than so many days after it was true";
    /// `below_threshold`: less than a threshold, by at most so many thousandths of it.
    below_permille "below-permille": u32 as Thousandths = 50,
        "Below a threshold: by at most so many thousandths of it";
    /// `after_hours`: recorded before this hour of the day, or
    office_from "office-from": i8 as Hour = 7,
        "After hours: before this hour of the day";
    /// from this hour on, or on a Saturday or Sunday.
    office_to "office-to": i8 as Hour = 20,
        "After hours: from this hour of the day on";
    /// The zone of office hours, instead of that of each call.
    office_zone "office-zone": Option<String> as Zone = None,
        "The zone of office hours, by IANA name; that of each call unless said";
    /// `reversed`: undone within so many days.
    reversed_days "reversed-days": u32 as Days = 30,
        "Reversed: undone within so many days";
    /// `round`: a multiple of this.
    round "round": Money as Euro = Money::euro(100_000),
        "Round: a multiple of this amount";
    /// The thresholds of `below_threshold`: those of record keeping (Reg. 2024/2509, Art. 133) and of audit
    /// certificates (Digital Europe, Horizon Europe).
    thresholds "thresholds": Vec<Money> as Amounts = [60_000, 325_000, 430_000].map(Money::euro).to_vec(),
        "The thresholds, with commas between them";
}

impl Tests {
    /// Sets a parameter by its name. Nothing else reads a parameter from text.
    ///
    /// # Errors
    /// When there is no such parameter, or this is no value of it.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let found = PARAMETERS.iter().find(|parameter| parameter.name == name);
        let found = found.ok_or_else(|| "the journal tests have no such parameter".to_owned())?;
        (found.set)(self, text)
    }

    pub(crate) fn words(&self) -> String {
        let thresholds: Vec<String> = self.thresholds.iter().map(ToString::to_string).collect();
        format!(
            "Back-dated: by more than {} days. Below a threshold: by at most {} thousandths of {}. After \
             hours: outside {}:00 to {}:00, or at a weekend, in {}. Reversed: within {} days. Round: multiples of \
             {}. Account changed: at most {} days before the payment was asked for. Account shared: with a grant \
             of another applicant.",
            self.back_dated_days,
            self.below_permille,
            thresholds.join(", "),
            self.office_from,
            self.office_to,
            self.office_zone.as_deref().unwrap_or("the zone of each call"),
            self.reversed_days,
            self.round,
            self.account_days
        )
    }
}

fn read<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// A number of days.
struct Days;
/// A number of thousandths.
struct Thousandths;
/// An hour of the day.
struct Hour;
/// An amount in euro.
struct Euro;
/// Amounts in euro with commas between them.
struct Amounts;
/// A time zone.
struct Zone;

macro_rules! numbers {
    ($($shape:ident $value:literal)*) => {$(
        impl Shape<u32> for $shape {
            const VALUE: &'static str = $value;

            fn read(text: &str) -> Result<u32, String> {
                read(text)
            }

            fn text(value: &u32) -> Option<String> {
                Some(value.to_string())
            }

            fn schema() -> Value {
                json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
            }
        }
    )*};
}

numbers! { Days "DAYS" Thousandths "N" }

impl Shape<i8> for Hour {
    const VALUE: &'static str = "HOUR";

    fn read(text: &str) -> Result<i8, String> {
        match read(text)? {
            hour @ 0..=HOUR_MAX => Ok(hour),
            other => Err(format!("{other} is no hour of a day")),
        }
    }

    fn text(value: &i8) -> Option<String> {
        Some(value.to_string())
    }

    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": HOUR_MAX })
    }
}

impl Shape<Money> for Euro {
    const VALUE: &'static str = "EUR";

    fn read(text: &str) -> Result<Money, String> {
        match read::<Money>(text)? {
            amount if amount.in_euro().is_ok() && !amount.is_negative() => Ok(amount),
            other => Err(format!("{other} is no amount in euro from 0 on")),
        }
    }

    fn text(value: &Money) -> Option<String> {
        Some(value.to_string())
    }

    fn schema() -> Value {
        short_text()
    }
}

impl Shape<Vec<Money>> for Amounts {
    const VALUE: &'static str = "EUR,...";

    fn read(text: &str) -> Result<Vec<Money>, String> {
        text.split(',').map(Euro::read).collect()
    }

    fn text(value: &Vec<Money>) -> Option<String> {
        let amounts: Vec<String> = value.iter().map(ToString::to_string).collect();
        Some(amounts.join(","))
    }

    fn schema() -> Value {
        short_text()
    }
}

impl Shape<Option<String>> for Zone {
    const VALUE: &'static str = "NAME";

    fn read(text: &str) -> Result<Option<String>, String> {
        time::zone(text).map_err(|error| error.to_string())?;
        Ok(Some(text.to_owned()))
    }

    fn text(value: &Option<String>) -> Option<String> {
        value.clone()
    }

    fn schema() -> Value {
        short_text()
    }
}

fn short_text() -> Value {
    json!({ "type": "string", "maxLength": TEXT_CHARS_MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_can_be_set_by_its_name() {
        let mut tests = Tests::default();
        for Parameter { name, flag, .. } in PARAMETERS {
            assert_eq!(name.replace('_', "-"), *flag);
            let text = match *name {
                "office_zone" => "Europe/Helsinki",
                "round" | "thresholds" => "EUR 7.00",
                _ => "8",
            };
            let before = tests.clone();
            assert_eq!(tests.set(name, text), Ok(()), "{name}");
            assert!(tests != before, "{name}");
            assert!(tests.set(name, "Mars/Base").is_err(), "{name}");
        }
        assert!(tests.words().contains("Account changed: at most 8 days"));
    }

    #[test]
    fn what_is_no_value_is_refused_and_changes_nothing() {
        let mut tests = Tests::default();
        for (name, text, words) in [
            ("minutes", "7", "the journal tests have no such parameter"),
            ("office_from", "-5", "-5 is no hour of a day"),
            ("office_from", "99", "99 is no hour of a day"),
            ("office_to", "25", "25 is no hour of a day"),
            ("round", "SEK 7.00", "SEK 7.00 is no amount in euro from 0 on"),
            ("thresholds", "EUR 1.00,EUR -5.00", "EUR -5.00 is no amount in euro from 0 on"),
        ] {
            assert_eq!(tests.set(name, text), Err(words.to_owned()), "{name} {text}");
        }
        assert_eq!(tests, Tests::default());
    }

    #[test]
    fn the_usual_value_of_a_parameter_sets_it_to_itself() {
        for parameter in PARAMETERS {
            let mut tests = Tests::default();
            let usual = parameter.usual();
            assert_eq!(usual.is_none(), parameter.name == "office_zone");
            if let Some(usual) = usual {
                assert_eq!(tests.set(parameter.name, &usual), Ok(()));
            }
            assert_eq!(tests, Tests::default());
        }
    }
}
