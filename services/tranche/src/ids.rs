//! Names for requests, and for commands whose sender gave none: UUIDv7, so that they sort by time.

use domain::kernel::ids::{CommandId, IdError};
use uuid::Uuid;

/// Makes a UUIDv7 that no request had before.
#[must_use]
pub fn fresh() -> Uuid {
    Uuid::now_v7()
}

/// Makes the id of a command whose sender gave none. It names a wish and keeps no secret.
///
/// # Errors
/// When it is too long for one, which no UUID is.
pub fn command_id() -> Result<CommandId, IdError> {
    fresh().to_string().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_differ_and_sort_by_time() {
        let ids: Vec<Uuid> = (0..1_000).map(|_| fresh()).collect();
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert!(ids.is_sorted_by(|one, next| one < next));
        assert_eq!(command_id().map(|id| id.as_str().len()), Ok(36));
    }
}
