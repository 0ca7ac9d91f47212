//! The check of a pack by ourselves, without its log.
