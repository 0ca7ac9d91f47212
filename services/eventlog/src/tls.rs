//! One way to make TLS in a program with several clients.
//!
//! That of EventStoreDB insists on choosing it for the whole process, and fails when somebody was faster; that of
//! NATS fails while two can be chosen and nobody has; that of S3 takes what was chosen. So the first is
//! started once, for nobody, before another connects; without it, `ring` is chosen.

use std::sync::Once;

/// Agrees on one provider of encryption. Call it before a connection to NATS or S3 is made.
pub fn agree() {
    static AGREED: Once = Once::new();
    AGREED.call_once(|| {
        #[cfg(feature = "kurrent")]
        start_the_one_that_insists();
        // It fails when the choice is made, which is as good.
        #[cfg(feature = "tls")]
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}

#[cfg(feature = "kurrent")]
fn start_the_one_that_insists() {
    // On a thread of its own, since the caller's is one of a runtime.
    let chosen = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        // Nothing is sent there: it connects when it is first asked something.
        let nowhere = "esdb://127.0.0.1:1?tls=false".parse().ok()?;
        let client =
            eventstore::Client::with_runtime_handle(runtime.handle().clone(), nowhere).ok()?;
        // Its task chooses before it first waits.
        runtime.block_on(tokio::task::yield_now());
        drop(client);
        Some(())
    });
    // If it could not, encrypted connections say so themselves.
    drop(chosen.join());
}
