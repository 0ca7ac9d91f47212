//! What only a file can get wrong: damage, two writers, crashes and copies.

use super::*;
use crate::contract::{self, Factory, Scratch};

struct Directories(Scratch);

#[async_trait]
impl Factory for Directories {
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error> {
        Ok(Arc::new(Sqlite::open(&self.0.path().join(name))?))
    }

    fn persists(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract() {
    contract::run(&Directories(Scratch::new())).await;
}
