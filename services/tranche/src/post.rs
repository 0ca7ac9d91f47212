//! One request to another service over HTTP: to a witness, or to an authority that stamps times. It
//! trusts nobody: the answer has a limit and a time, and no redirect is followed.
//!
//! Without encryption: what travels is signed, and public. Whoever wants it all the same puts a proxy
//! in front.

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::uri::{Authority, Scheme};
use axum::http::{Request, Uri};
use bytes::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long an exchange may take, from the look-up of the name to the last byte of the answer.
pub const POST_MAX: Duration = Duration::from_secs(30);
/// The port of an address that names none.
const PORT: u16 = 80;

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// The content type, without its parameters; empty when there is none.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error("{url}: {what}")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Nobody there, nothing in time, or too much of it.
    #[error("{url}: {why}")]
    Unreachable {
        /// As it was given.
        url: String,
        /// Why.
        why: String,
    },
}

/// Sends a body, and takes an answer of at most `answer_max` bytes.
///
/// # Errors
/// [`Error`], when there is no answer.
pub async fn post(
    url: &str,
    content_type: &'static str,
    body: impl Into<Bytes>,
    answer_max: usize,
) -> Result<Answer, Error> {
    let (uri, authority) = parse(url)?;
    let exchange = exchange(&uri, &authority, content_type, body.into(), answer_max);
    let done = tokio::time::timeout(POST_MAX, exchange).await;
    let done = done.map_err(|_| format!("no answer within {} seconds", POST_MAX.as_secs()));
    done.and_then(|answer| answer).map_err(|why| Error::Unreachable { url: url.to_owned(), why })
}

fn parse(url: &str) -> Result<(Uri, Authority), Error> {
    let wrong = |what| Error::Address { url: url.to_owned(), what };
    let uri: Uri = url.parse().map_err(|_| wrong("not an address"))?;
    match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => {}
        Some(scheme) if *scheme == Scheme::HTTPS => {
            return Err(wrong("https is not spoken here: give the http:// address of a proxy"));
        }
        _ => return Err(wrong("it does not begin with http://")),
    }
    let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?.clone();
    if authority.as_str().contains('@') {
        return Err(wrong("a name and a password have no place in it"));
    }
    Ok((uri, authority))
}

async fn exchange(
    uri: &Uri,
    authority: &Authority,
    content_type: &'static str,
    body: Bytes,
    answer_max: usize,
) -> Result<Answer, String> {
    // The brackets of an IPv6 address are of the URL, not of the address.
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(PORT))).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    // It ends with the sender, and its error is that of the request.
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::post(path)
        .header(HOST, authority.as_str())
        .header(CONTENT_TYPE, content_type)
        .body(Body::from(body))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let (head, body) = answer.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let body = to_bytes(Body::new(body), answer_max).await;
    let body =
        body.map_err(|error| format!("the answer, of at most {answer_max} bytes: {error}"))?;
    Ok(Answer {
        status: head.status.as_u16(),
        content_type: content_type.trim().to_ascii_lowercase(),
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_are_taken() {
        assert_eq!(parse("http://[::1]:80/a?b").unwrap().1.host(), "[::1]");
        for bad in ["https://a/", "a/b", "ftp://a", "http://me:secret@a/", "", "http:///x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn who_is_not_there_is_named() {
        let error = post("http://127.0.0.1:1/x", "text/plain", "", 1).await.unwrap_err();
        assert!(error.to_string().starts_with("http://127.0.0.1:1/x: "), "{error}");
    }
}
