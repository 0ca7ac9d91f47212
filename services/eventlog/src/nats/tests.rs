//! The contract on real servers, and what only a server can get wrong.

use super::server::{Cluster, Server};
use super::*;
use crate::contract::{self, Factory};

#[async_trait]
impl Factory for Server {
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error> {
        Ok(Arc::new(open(&self.url(name)).await?))
    }

    fn persists(&self) -> bool {
        true
    }
}

#[async_trait]
impl Factory for Cluster {
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error> {
        Ok(Arc::new(open(&self.url(name)).await?))
    }

    fn persists(&self) -> bool {
        true
    }
}

async fn open(url: &str) -> Result<Nats, Error> {
    Nats::open(&url.parse().unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_keeps_the_contract() {
    contract::run(&Server::start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_keep_the_contract() {
    contract::run(&Cluster::start()).await;
}
