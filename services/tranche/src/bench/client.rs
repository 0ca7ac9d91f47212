//! The smallest client of HTTP/1.1 that keeps its connection: so that what is measured is the server.

use super::workload::Given;
use std::io::{Error, ErrorKind, Result, Write};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest head or body of an answer that it takes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// One connection with at most one request on its way.
pub struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::new(), answer: Vec::new() })
    }

    /// Sends a command and gives the status of the answer, which is read to its end.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not of the kind that our server gives.
    pub async fn post(&mut self, path: &str, given: &Given) -> Result<u16> {
        let Given { payload, role, id, .. } = given;
        self.request.clear();
        write!(
            self.request,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Idempotency-Key: {id}\r\nTranche-Actor: bench\r\nTranche-Role: {role}\r\n\
             Tranche-Source: bench\r\nTranche-Confidence: fixture\r\n\
             Content-Length: {length}\r\n\r\n{payload}",
            length = payload.len()
        )?;
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let (mut head, mut wanted) = (None, ANSWER_BYTES_MAX);
        while self.answer.len() < wanted {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if head.is_none()
                && let Some(found) = Head::read(&self.answer)?
            {
                wanted = found.end + found.body;
                head = Some(found);
            }
        }
        head.map(|head| head.status).ok_or_else(|| bad("its head has no end"))
    }
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("an answer cannot be read: {what}"))
}

/// What must be known of the head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the body begins.
    end: usize,
    /// Length of the body.
    body: usize,
}

impl Head {
    /// `None`: the head has not come whole.
    fn read(bytes: &[u8]) -> Result<Option<Self>> {
        const END: &[u8] = b"\r\n\r\n";
        let Some(end) = bytes.windows(END.len()).position(|window| window == END) else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| bad("not text"))?;
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|digits| digits.parse().ok());
        let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let body = length.and_then(|(_, digits)| digits.trim().parse().ok());
        match (status, body) {
            (Some(status), Some(body)) => Ok(Some(Self { status, end: end + END.len(), body })),
            (None, _) => Err(bad("no status")),
            (_, None) => Err(bad("no length")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let answer = b"HTTP/1.1 201 Created\r\nETag: \"1\"\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        assert_eq!(Head::read(&answer[..40]).unwrap(), None);
        let expected = Head { status: 201, end: answer.len() - 7, body: 7 };
        assert_eq!(Head::read(answer).unwrap(), Some(expected));
    }

    #[test]
    fn an_answer_of_another_kind_is_refused() {
        for answer in ["SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] {
            assert!(Head::read(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
