//! All tests live in `main.rs`. Here is only what is generated for them.

/// The protocol of EventStoreDB, as `build.rs` makes it from the client's own definition.
#[cfg(feature = "kurrent")]
pub mod protocol {
    #![expect(missing_docs, reason = "the definition has none")]
    #![expect(unused_qualifications, reason = "generated code names everything in full")]
    #![expect(clippy::allow_attributes, reason = "generated code has its own house rules")]
    #![expect(clippy::allow_attributes_without_reason, reason = "as above")]
    #![expect(clippy::large_enum_variant, reason = "as above")]
    include!(concat!(env!("OUT_DIR"), "/protocol.rs"));
}
