//! What whole lives record and fold to: a rule, an event or a fold that becomes another is seen, also
//! where no released history has it.

use super::golden;
use crate::desk::Desk;
use crate::life::{self, Dice};
use domain::kernel::canonical::{Sha256Hex, digest};

/// So many seeds of each kind of life.
const SEEDS: u64 = 6;

#[test]
fn whole_lives_record_the_same_bytes_and_fold_to_the_same_state_as_ever() {
    let mut text =
        String::from("# kind\tseed\tcommits\thash of what is stored\tdigest of the state\n");
    for kind in 0..life::KINDS.len() {
        for seed in 0..SEEDS {
            let mut desk = Desk::new();
            for step in life::life(kind, "1", Dice::of_seed(seed), seed % 2 == 0) {
                let _ = desk.give(&step).unwrap();
            }
            let stored = Sha256Hex::of(&desk.entries.join(&b'\n'));
            let (count, state) = (desk.entries.len(), digest(&desk.world).unwrap());
            text.push_str(&format!("{kind}\t{seed}\t{count}\t{stored}\t{state}\n"));
        }
    }
    golden("states.txt", &text);
}
