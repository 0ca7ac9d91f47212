//! One way to make TLS in a program with both clients: that of EventStoreDB insists on choosing it for the
//! whole process, and fails when somebody was faster; that of NATS fails while two can be chosen and nobody
//! has. So the first is started once, for nobody, before the second connects.

use std::sync::Once;

use tokio::runtime::Builder;

static AGREED: Once = Once::new();

/// To be called before a connection to NATS is made.
pub(crate) fn agree() {
    AGREED.call_once(|| {
        // On a thread of its own, since the caller's is one of a runtime.
        let chosen = std::thread::spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build().ok()?;
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
        let _ = chosen.join();
    });
}
