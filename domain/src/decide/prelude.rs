//! Everything that the files of the deciders have in common, for one line at the top of each.

pub(crate) use crate::decide::command::{Decide, Decision, Meta, NewEvent};
pub(crate) use crate::decide::needs::{self, Attached, Meets, Written};
pub(crate) use crate::decide::tables::commands;
pub(crate) use crate::decide::texts::{check_list, check_reason, check_text};
pub(crate) use crate::facts::stream::Decider;
pub(crate) use crate::facts::world::World;
pub(crate) use crate::kernel::actor::{Actor, Role};
pub(crate) use crate::kernel::canonical::Sha256Hex;
pub(crate) use crate::kernel::compute::{ComputeTime, Unit};
pub(crate) use crate::kernel::ids::*;
pub(crate) use crate::kernel::law::{EUDPR, FR, MGA, OURS, RULES};
pub(crate) use crate::kernel::money::{Money, Rate};
pub(crate) use crate::kernel::refusal::{Common, Refusal, refusals};
pub(crate) use crate::kernel::time::LocalTime;
pub(crate) use jiff::Timestamp;
pub(crate) use jiff::civil::Date;
pub(crate) use schemars::JsonSchema;
pub(crate) use serde::{Deserialize, Serialize};
pub(crate) use std::collections::{BTreeMap, BTreeSet};
