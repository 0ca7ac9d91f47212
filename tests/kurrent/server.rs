//! A server of EventStoreDB's protocol on the loopback address: gRPC over TCP, made from the definition
//! that the client ships. It is no database: see `database`. It can be stopped, started again, and told
//! to go wrong.

use super::database::Database;
use super::service::Service;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tests::protocol::event_store::client::gossip::gossip_server::GossipServer;
use tests::protocol::event_store::client::server_features::server_features_server::ServerFeaturesServer;
use tests::protocol::event_store::client::streams::streams_server::StreamsServer;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server as Grpc;

/// A member of a database, or a database of one.
pub struct Server {
    /// What it keeps, also while it is stopped.
    pub database: Database,
    port: u16,
    lines: Arc<Lines>,
    tasks: Option<Runtime>,
}

/// The connections of the clients, which can be cut all at once.
#[derive(Debug, Default)]
pub struct Lines(Mutex<JoinSet<()>>);

impl Lines {
    /// Cuts them all, as a network would.
    pub fn cut(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Server {
    /// Starts one that is empty.
    pub fn start() -> Server {
        let server = Server::member(&Database::new());
        server.database.lock().leader = server.port;
        server
    }

    /// Starts three members of one database; the first leads.
    pub fn cluster() -> Vec<Server> {
        let database = Database::new();
        let members: Vec<_> = (0..3).map(|_| Server::member(&database)).collect();
        database.lock().leader = members[0].port;
        members
    }

    fn member(database: &Database) -> Server {
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        let database = database.clone();
        let mut server = Server { database, port, lines: Arc::default(), tasks: None };
        server.listen(free);
        server
    }

    /// Starts a stopped server on its port, with all that it kept.
    pub fn start_again(&mut self) {
        assert!(self.tasks.is_none(), "the server runs already");
        let address = (Ipv4Addr::LOCALHOST, self.port);
        self.listen(std::net::TcpListener::bind(address).expect("the port is still free"));
    }

    fn listen(&mut self, front: std::net::TcpListener) {
        let tasks = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let tasks = tasks.expect("threads can be started");
        let back = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let behind = back.local_addr().expect("it is bound");
        self.lines = Arc::default();
        let service =
            Service { database: self.database.clone(), lines: self.lines.clone(), port: self.port };
        let lines = self.lines.clone();
        tasks.spawn(async move {
            back.set_nonblocking(true).expect("a socket of our own");
            let back = TcpListener::from_std(back).expect("a listener");
            let grpc = Grpc::builder()
                .add_service(StreamsServer::new(service.clone()))
                .add_service(ServerFeaturesServer::new(service.clone()))
                .add_service(GossipServer::new(service));
            grpc.serve_with_incoming(TcpListenerStream::new(back)).await.expect("it serves");
        });
        tasks.spawn(async move {
            front.set_nonblocking(true).expect("a socket of our own");
            let front = TcpListener::from_std(front).expect("a listener");
            while let Ok((client, _)) = front.accept().await {
                let mut lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
                lines.spawn(pass(client, behind));
            }
        });
        self.tasks = Some(tasks);
    }

    /// Stops at once, as a crash would: every connection is lost.
    pub fn kill(&mut self) {
        if let Some(tasks) = self.tasks.take() {
            // Waits for the sockets to be closed, so that the port is free.
            let gone = std::thread::spawn(move || drop(tasks));
            gone.join().expect("the runtime ends");
        }
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leads from now on.
    pub fn lead(&self) {
        self.database.lock().leader = self.port;
    }

    /// The address of a stream on this server alone.
    pub fn url(&self, stream: &str) -> String {
        format!("esdb://{}:{}/{stream}?tls=false", Ipv4Addr::LOCALHOST, self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn pass(mut client: TcpStream, behind: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(behind).await {
        // Whichever side ends first: then the line is over.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}
