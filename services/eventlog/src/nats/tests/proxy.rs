//! A line to a server that can be cut at the worst moment.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What happens to the next message of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It gets through, and its acknowledgement does not: the line is cut so much later.
    Acknowledgement(Duration),
    /// It does not get through.
    Message,
}

/// A listener that passes on what it hears to a server. Each cut is made once.
pub(super) struct Proxy {
    pub(super) port: u16,
    cut: Arc<Mutex<Option<Cut>>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(super) async fn start(server: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(Mutex::new(None));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, SocketAddr::from(([127, 0, 0, 1], server)), cut.clone()));
        Proxy { port, cut, _tasks: tasks }
    }

    pub(super) fn cut(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }

    /// Whether the cut has been made.
    pub(super) fn is_done(&self) -> bool {
        self.cut.lock().unwrap().is_none()
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, cut: Arc<Mutex<Option<Cut>>>) {
    let mut lines = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if let Ok(server) = TcpStream::connect(server).await {
            lines.spawn(pass(client, server, cut.clone()));
        }
    }
}

/// Passes both ways until one side ends, or until a cut. Then both ends are dropped.
async fn pass(client: TcpStream, server: TcpStream, cut: Arc<Mutex<Option<Cut>>>) {
    let ((mut from_client, to_client), (from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let mut answers = tokio::spawn(pass_all(from_server, to_client));
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = tokio::select! {
            read = from_client.read(&mut buffer) => read,
            _ = &mut answers => return,
        };
        let Ok(length @ 1..) = read else { break };
        let heard = &buffer[..length];
        let is_group = heard.windows(11).any(|part| part == b"Nats-Msg-Id");
        let cut = if is_group { cut.lock().unwrap().take() } else { None };
        if cut.is_some() {
            answers.abort();
        }
        if cut != Some(Cut::Message) && to_server.write_all(heard).await.is_err() {
            break;
        }
        if let Some(Cut::Acknowledgement(later)) = cut {
            sleep(later).await;
        }
        if cut.is_some() {
            break;
        }
    }
    answers.abort();
}

async fn pass_all(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}
