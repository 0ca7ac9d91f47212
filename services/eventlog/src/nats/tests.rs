//! The contract on real servers, and what only a server can get wrong.

mod damage;
mod faults;
mod operator;
mod proxy;
mod roles;
mod secure;
mod settings;
mod tls;

use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Cluster, Server};
use super::*;
use crate::contract::{self, Beside, Factory};

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

struct Pairs(Server);

#[async_trait]
impl Factory for Pairs {
    async fn open(&self, name: &str) -> Result<Arc<dyn Log>, Error> {
        let writer = open(&self.0.url(name)).await?;
        let reader = Nats::open_read_only(&options(&self.0.url(name))).await?;
        Ok(Arc::new(Beside { writer: Box::new(writer), reader: Box::new(reader) }))
    }

    fn persists(&self) -> bool {
        true
    }
}

fn options(url: &str) -> Options {
    url.parse().expect("the servers of tests have good addresses")
}

async fn open(url: &str) -> Result<Nats, Error> {
    Nats::open(&options(url)).await
}

/// Entries of these texts.
fn entries(texts: &[&str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
}

/// A client beside the log's own.
async fn client(server: &Server) -> async_nats::Client {
    async_nats::connect(format!("127.0.0.1:{}", server.port())).await.unwrap()
}

/// Asks the JetStream API of a server, which must do it.
fn api(server: &Server, what: &str, body: &Value) -> Value {
    let answer = server.request(&format!("$JS.API.{what}"), body).expect("an answer");
    assert_eq!(answer.get("error"), None, "{what}");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_keeps_the_contract() {
    contract::run(&Server::start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_keep_the_contract() {
    contract::run(&Cluster::start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_a_writer_keeps_the_contract() {
    contract::run(&Pairs(Server::start())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_cannot_append_and_does_not_make_a_stream() {
    let server = Server::start();
    let options = options(&server.url("log"));
    let missing = Nats::open_read_only(&options).await.err();
    assert!(matches!(missing, Some(Error::Unavailable(_))), "{missing:?}");
    let writer = Nats::open(&options).await.unwrap();
    let reader = Nats::open_read_only(&options).await.unwrap();
    assert_eq!(reader.append(0, entries(&["a"])).await, Err(Error::ReadOnly));
    assert_eq!(writer.append(0, entries(&["a"])).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_fell_behind_is_fenced_and_told_the_head() {
    let server = Server::start();
    let old = open(&server.url("log")).await.unwrap();
    old.append(0, entries(&["a", "b"])).await.unwrap();
    let new = open(&server.url("log")).await.unwrap();
    new.append(2, entries(&["c"])).await.unwrap();
    new.append(3, entries(&["d", "e"])).await.unwrap();
    // What it knows says that the head is 2, so only the server can stop it.
    assert_eq!(old.inner.tip().position, 2);
    let stale = old.append(2, entries(&["stale"])).await;
    assert_eq!(stale, Err(Error::Conflict { expected: 2, actual: 5 }));
    let groups = new.read(1, usize::MAX).await.unwrap();
    assert_eq!(groups.iter().map(Group::last).collect::<Vec<_>>(), [2, 3, 5]);
    assert_eq!(old.append(5, entries(&["f"])).await, Ok(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_nats_tool_can_read_the_entries() {
    let server = Server::start();
    let log = open(&server.url("log")).await.unwrap();
    log.append(0, entries(&["{\"n\":1}", "{\"n\":2}"])).await.unwrap();
    let tool = client(&server).await;
    let request = Bytes::from_static(b"{\"seq\":1}");
    let message = tool.request("$JS.API.DIRECT.GET.log", request).await.unwrap();
    assert_eq!(message.payload, "{\"n\":1}\n{\"n\":2}");
    let headers = message.headers.unwrap();
    let header = |name: &str| headers.get(name).unwrap().as_str().to_owned();
    assert_eq!((header("Eventlog-First"), header("Eventlog-Last")), ("1".into(), "2".into()));
}
