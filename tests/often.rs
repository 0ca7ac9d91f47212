//! How often a test that repeats itself does so.

/// So many times for each change, or so many at night (`tests/nightly`).
pub fn times<N>(each_change: N, at_night: N) -> N {
    if std::env::var_os("NIGHTLY").is_some() { at_night } else { each_change }
}
